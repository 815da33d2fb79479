//! The codes of what a check can find, stable for ever: plans acknowledge them and people search for them.
//! `docs/CHECKS.md` says of each what it means and the way out.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $code;)*

        /// All of them.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

codes! {
    // Configuring.
    /// A resource of a kind that this program has no backend for.
    UNKNOWN_KIND = "unknown-kind";
    /// A configuration that its backend does not take.
    BAD_CONFIG = "bad-config";

    // Budget.
    /// The allocations do not fit the RTO.
    OVER_RTO = "over-rto";
    /// A phase without an allocation in a plan with an RTO.
    NO_ALLOCATION = "no-allocation";
    /// Steps may take longer than their phase.
    DEADLINE_OVER_PHASE = "deadline-over-phase";
    /// A step cannot succeed within its deadline.
    DEADLINE_TOO_SHORT = "deadline-too-short";
    /// Callers may remember the old address for longer than the phase that moves them.
    TTL_TOO_LONG = "ttl-too-long";
    /// The plan accepts a greater loss than its RPO.
    LOSS_OVER_RPO = "loss-over-rpo";

    // Fencing.
    /// A promotion that nothing fences.
    UNFENCED_PROMOTION = "unfenced-promotion";
    /// A fence that does not stand before every promotion.
    FENCE_AFTER_PROMOTION = "fence-after-promotion";
    /// A fence or a promotion whose failure is only noted.
    OPTIONAL_FENCE = "optional-fence";
    /// A store that is fenced in a run which leaves its promotion out.
    FENCE_WITHOUT_PROMOTION = "fence-without-promotion";
    /// Silence may stand for a fence, and no loss is accepted.
    SILENCE_WITHOUT_ACCEPTED_LOSS = "silence-without-accepted-loss";
    /// One prober is not enough to call a side silent.
    TOO_FEW_VANTAGE_POINTS = "too-few-vantage-points";
    /// An unplanned run without a loss that the plan accepts.
    NO_ACCEPTED_LOSS = "no-accepted-loss";

    // Callers.
    /// Callers are sent to a side that may not be writable yet.
    ROUTE_BEFORE_PROMOTION = "route-before-promotion";
    /// Callers are sent to a side that this run has not seen ready.
    TARGET_NOT_SEEN_READY = "target-not-seen-ready";
    /// Callers are moved and nobody looks whether they are served.
    NO_VERIFICATION = "no-verification";
    /// A verification that the old side, or a service that cannot write, would pass.
    WEAK_VERIFICATION = "weak-verification";
    /// The source loses capacity before the target is verified.
    SCALE_DOWN_BEFORE_VERIFICATION = "scale-down-before-verification";
    /// A verification that can only fail.
    CANNOT_VERIFY = "cannot-verify";
    /// Work inside the outage that could be done before it.
    LONG_OUTAGE_WINDOW = "long-outage-window";

    // Shares of callers.
    /// A share of the callers for something that sends all or none.
    CANNOT_SPLIT = "cannot-split";
    /// Callers on both sides, and nothing says that only one of them writes.
    SHARE_WITHOUT_ONE_WRITER = "share-without-one-writer";
    /// A trial that nobody looks at, or a look without a trial.
    BAKE_WITHOUT_GATE = "bake-without-gate";
    /// A route names a resource that is not there or cannot do what it is named for.
    BAD_REFERENCE = "bad-reference";
    /// Callers are sent to a store that was restored from a copy.
    CALLERS_ON_A_COPY = "callers-on-a-copy";

    // Measuring.
    /// Nothing is measured.
    NOTHING_MEASURED = "nothing-measured";
    /// An RTO, and no prober to judge it by.
    NO_PROBER = "no-prober";
    /// An RPO, and no ledger to judge it by.
    NO_LEDGER = "no-ledger";
    /// What should measure cannot.
    CANNOT_MEASURE = "cannot-measure";

    // Names.
    /// Two resources are the same thing.
    ONE_THING_TWO_NAMES = "one-thing-two-names";
    /// Two sides of a resource are the same thing.
    ONE_THING_TWO_SIDES = "one-thing-two-sides";
    /// Two phases whose timings would have one name.
    PHASE_NAMES_COLLIDE = "phase-names-collide";
    /// The source is the target.
    SOURCE_IS_TARGET = "source-is-target";
    /// The source or the target is a side of nothing.
    SIDE_OF_NOTHING = "side-of-nothing";

    // Dependence.
    /// The run needs something that lives where the disaster is.
    DEPENDS_ON_SOURCE = "depends-on-source";
    /// Nobody says where the state store is.
    STATE_REGION_UNKNOWN = "state-region-unknown";
    /// Only this machine sees what the run writes down.
    STATE_ON_ONE_MACHINE = "state-on-one-machine";

    // Acknowledging.
    /// An acknowledgement of what cannot be acknowledged.
    NOT_ACKNOWLEDGEABLE = "not-acknowledgeable";
    /// An acknowledgement of what was not found.
    IDLE_ACKNOWLEDGEMENT = "idle-acknowledgement";
}

/// The codes of compiling a plan into a script.
pub const COMPILING: &[&str] = &[
    "unknown-resource",
    "unknown-verb",
    "verb-not-offered",
    "bad-call",
    "cycle",
    "duplicate-step",
    "unknown-step",
    "unknown-phase",
    "unknown-side",
];
