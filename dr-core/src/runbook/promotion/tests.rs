//! Each ground of a promotion by itself: in a run the fence step refuses most of these before the promotion does.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::super::watchers::nobody;
use super::*;
use crate::env::TokioClock;
use crate::model::Agreeing;
use crate::resource::{FenceHow, NodeState, Reach, SideState};

const EAST: &str = "east";
const WEST: &str = "west";
const FENCE: &str = "promote/fence:orders";

/// What the fence is found to be: a value, or an error of that kind.
#[derive(Debug)]
struct Looks(Result<Fencing, ErrorKind>);

#[async_trait]
impl Holds for Looks {
    async fn holds(&self, _: &Cx, _: &Side) -> Result<Fencing> {
        self.0.clone().map_err(|kind| Error::new(kind, "the look failed"))
    }
}

/// A store that takes any ground it is given, and remembers it. `lacks`: how the planned proof fails, if it cannot be had.
#[derive(Debug)]
struct Store {
    lacks: Option<ErrorKind>,
    last_commit: Option<Timestamp>,
    given: Mutex<Vec<Basis>>,
}

#[async_trait]
impl Effect<Promote> for Store {
    async fn prepare(&self, _: &Cx, _: &Promote) -> Result<Prepared> {
        Err(Error::invalid("nobody asks"))
    }

    async fn apply(&self, cx: &Cx, call: &Promote, _: &Prepared) -> Result<Promotion> {
        let basis = call.basis.clone().expect("a ground");
        if let (Basis::Planned { .. }, Some(kind)) = (&basis, self.lacks) {
            return Err(Error::new(kind, "it has not everything").permanent());
        }
        self.given.lock().unwrap().push(basis.clone());
        Ok(Promotion::new(call.side.side()?.clone(), cx.now(), basis))
    }

    async fn undo(&self, _: &Cx, _: &Promote, _: &Before) -> Result<()> {
        Err(Error::invalid("nobody asks"))
    }
}

#[async_trait]
impl Observe<Replication> for Store {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let mut node = NodeState::new("db:5432", Reach::Answers);
        node.role = Role::Standby;
        node.last_commit = self.last_commit;
        Ok(Replication::new(cx.now(), BTreeMap::from([(Side::new(WEST), SideState::new(vec![node]))])))
    }
}

fn risk(side: &Side, silent_since: Timestamp, accepted: Timestamp) -> Risk {
    Risk { side: side.clone(), silent_since, accepted, vantage_points: vec!["west".to_owned()] }
}

fn proof() -> FenceProof {
    FenceProof::new(Side::new(EAST), FenceHow::StoppedAndBarred, Timestamp::from_millis(0))
}

/// A promotion of `orders` on west, and everything that its ground depends on. As it begins, all is well.
struct Case {
    urgency: Urgency,
    fence: Result<Fencing, ErrorKind>,
    fence_when: Option<Urgency>,
    fenced: &'static [(&'static str, &'static str)],
    policy: bool,
    accepted_before: bool,
    agreed: bool,
    lacks: Option<ErrorKind>,
    already: bool,
    last_commit_before: Option<Duration>,
    clock_ahead: Duration,
    may_have_acted: bool,
    accept_loss: Option<AcceptLoss>,
}

impl Case {
    fn of(urgency: Urgency) -> Self {
        Self {
            urgency,
            fence: Ok(Fencing::Confirmed(proof())),
            fence_when: None,
            fenced: &[("orders", EAST)],
            policy: false,
            accepted_before: false,
            agreed: true,
            lacks: None,
            already: false,
            last_commit_before: Some(Duration::from_secs(1)),
            clock_ahead: Duration::ZERO,
            may_have_acted: false,
            accept_loss: Some(AcceptLoss::AtMost(Duration::from_secs(10))),
        }
    }

    /// Tries it: the ground that the store was given, or why it was given none.
    async fn tried(self) -> Result<Basis> {
        let mut cx = Cx::new(
            "20270115T080000Z-ground".into(),
            "promote/promote:orders".into(),
            Duration::from_secs(20),
        );
        cx.urgency = self.urgency;
        cx.may_have_acted = self.may_have_acted;
        cx.clock = Arc::new(TokioClock::starting_at(Timestamp::from_millis(1_800_000_000_000)));
        if self.accepted_before {
            let accepted = FenceOutcome::Accepted(risk(&Side::new(EAST), cx.now(), cx.now()));
            cx.earlier.leave(FENCE.into(), serde_json::to_value(accepted).unwrap());
        }
        let committed = |before| cx.now().minus(before).plus(self.clock_ahead);
        let last_commit = self.last_commit_before.map(committed);
        let store = Arc::new(Store { lacks: self.lacks, last_commit, given: Mutex::default() });
        let holds: Arc<dyn Holds> = Arc::new(Looks(self.fence));
        let policy = SilencePolicy { accept_after: Duration::from_secs(30), vantage_points: 2 };
        let guarding = |(resource, side): &(&str, &str)| Guarding {
            resource: (*resource).into(),
            side: (*side).into(),
            holds: Arc::clone(&holds),
            policy: self.policy.then(|| policy.clone()),
            step: FENCE.into(),
            when: self.fence_when,
        };
        let promoter = Promoter {
            inner: store.clone(),
            observer: store.clone(),
            guarding: self.fenced.iter().map(guarding).collect(),
            own: Some(("orders".into(), EAST.into())),
            fences_itself: false,
            watchers: if self.agreed { Arc::new(Agreeing) } else { nobody() },
            outage_since: None,
        };
        let call: Promote = serde_json::from_value(serde_json::json!({ "in": WEST })).unwrap();
        let call = Promote { accept_loss: self.accept_loss, ..call };
        let was = if self.already {
            Prepared::already(Before::nothing())
        } else {
            Prepared::would(crate::resource::Diff::one("role", "standby", "primary"), Before::nothing())
        };
        let promoted = promoter.apply(&cx, &call, &was).await;
        let given = std::mem::take(&mut *store.given.lock().unwrap());
        match promoted {
            Ok(promotion) => {
                assert_eq!(given.as_slice(), std::slice::from_ref(&promotion.basis));
                Ok(promotion.basis)
            }
            Err(error) => {
                assert_eq!(given, [], "{error}");
                Err(error)
            }
        }
    }

    #[track_caller]
    fn fails(self, why: &str) -> Error {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(self.tried()).expect_err(why)
    }

    #[track_caller]
    fn refused(self, why: &str) {
        let error = self.fails(why);
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(error.chain().contains(why), "`{why}` is not in: {}", error.chain());
    }

    fn taken(self) -> Basis {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(self.tried()).expect("a promotion")
    }
}

const BOTH: [Urgency; 2] = [Urgency::Planned, Urgency::Unplanned];

#[test]
fn with_a_confirmed_fence_and_the_proof_both_lose_nothing() {
    for urgency in BOTH {
        assert_eq!(Case::of(urgency).taken(), Basis::Planned { fences: vec![proof()] });
    }
}

#[test]
fn without_the_proof_only_an_unplanned_run_goes_on_and_says_what_may_be_lost() {
    let case = |urgency| Case { lacks: Some(ErrorKind::NotReady), ..Case::of(urgency) };
    let basis = case(Urgency::Unplanned).taken();
    assert!(matches!(basis, Basis::Forced { risk: None, loss: LossBound::AtMost { .. }, .. }), "{basis:?}");
    assert_eq!(case(Urgency::Planned).fails("no proof").kind(), ErrorKind::NotReady);
}

#[test]
fn a_try_that_fails_otherwise_than_for_want_of_the_proof_is_not_made_again_without_it() {
    for kind in [ErrorKind::Unauthorized, ErrorKind::Unreachable, ErrorKind::Timeout, ErrorKind::Unknown] {
        for urgency in BOTH {
            let error = Case { lacks: Some(kind), ..Case::of(urgency) }.fails("it was tried");
            assert_eq!(error.kind(), kind, "{urgency:?}: {error}");
        }
    }
}

#[test]
fn no_fence_is_no_ground() {
    for urgency in BOTH {
        Case { fenced: &[], ..Case::of(urgency) }.refused("no fence stands before this promotion");
        let others: &[_] = &[("users", EAST), ("orders", "north")];
        Case { fenced: others, ..Case::of(urgency) }.refused("no fence of `orders` itself on east");
    }
}

#[test]
fn a_fence_that_is_set_in_other_runs_than_this_is_no_ground() {
    for (urgency, other) in [(Urgency::Planned, Urgency::Unplanned), (Urgency::Unplanned, Urgency::Planned)] {
        let case = |when| Case { fence_when: Some(when), ..Case::of(urgency) };
        assert_eq!(case(urgency).taken(), Basis::Planned { fences: vec![proof()] });
        case(other).refused("no fence stands before this promotion");
    }
}

#[test]
fn a_fence_that_is_open_or_that_nobody_can_tell_is_no_ground_whatever_was_accepted_before() {
    let open = || Fencing::Open { why: "it was started".to_owned() };
    let unknown = || Fencing::Unknown { why: "it says nothing of it".to_owned() };
    for urgency in BOTH {
        for accepted_before in [false, true] {
            let case = |fence| Case { fence, accepted_before, policy: true, ..Case::of(urgency) };
            case(Ok(open())).refused("it was started");
            case(Ok(unknown())).refused("it says nothing of it");
            case(Ok(Fencing::Hung)).refused("so it is alive");
            for kind in [ErrorKind::Hung, ErrorKind::Unauthorized, ErrorKind::Timeout] {
                case(Err(kind)).refused("whether east is fenced cannot be learnt");
            }
        }
    }
}

#[test]
fn silence_is_a_ground_only_where_it_was_accepted_and_still_is_and_only_in_an_unplanned_run() {
    for silent in [Ok(Fencing::Unreachable), Err(ErrorKind::Unreachable)] {
        let accepted = |urgency| Case {
            fence: silent.clone(),
            policy: true,
            accepted_before: true,
            ..Case::of(urgency)
        };
        let unplanned = || accepted(Urgency::Unplanned);
        let basis = unplanned().taken();
        assert!(
            matches!(&basis, Basis::Forced { fences, risk: Some(_), .. } if fences.is_empty()),
            "{basis:?}"
        );
        let why =
            if silent.is_ok() { "silence is no fence" } else { "whether east is fenced cannot be learnt" };
        Case { accepted_before: false, ..unplanned() }.refused(why);
        Case { policy: false, ..unplanned() }.refused("the plan accepts no silence");
        Case { agreed: false, ..unplanned() }
            .refused("is not accepted any more: no prober outside watches it");
        accepted(Urgency::Planned).refused("a planned run does not promote beside a side that is not fenced");
    }
}

#[test]
fn a_loss_is_accepted_by_name_and_only_as_far_as_it_is_known() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let case = |last_commit_before| Case {
        lacks: Some(ErrorKind::NotReady),
        last_commit_before,
        ..Case::of(Urgency::Unplanned)
    };
    case(seconds(11)).refused("the plan accepts 10s");
    case(None).refused("only `accept_loss: unknown` accepts that");
    for last_commit_before in [None, seconds(0), seconds(10), seconds(11)] {
        let case = || case(last_commit_before);
        Case { accept_loss: None, ..case() }.refused("an unplanned promotion needs `accept_loss`");
        let basis = Case { accept_loss: Some(AcceptLoss::Unknown), ..case() }.taken();
        assert!(matches!(basis, Basis::Forced { .. }), "{basis:?}");
    }
    for known in [0, 9, 10] {
        let basis = case(seconds(known)).taken();
        let Basis::Forced { loss: LossBound::AtMost { time, .. }, .. } = basis else { panic!("{basis:?}") };
        assert_eq!(time, Duration::from_secs(known));
    }
}

/// What was never asked for is refused at once; what may be on its way already is waited for, and not asked for anew.
#[test]
fn an_unknown_loss_of_a_promotion_that_may_be_under_way_is_not_yet_refused() {
    let case = |last_commit_before, accept_loss| Case {
        lacks: Some(ErrorKind::NotReady),
        may_have_acted: true,
        last_commit_before,
        accept_loss,
        ..Case::of(Urgency::Unplanned)
    };
    let ten = Some(AcceptLoss::AtMost(Duration::from_secs(10)));
    let error = case(None, ten).fails("only `accept_loss: unknown` accepts that");
    assert_eq!((error.kind(), error.happened()), (ErrorKind::NotReady, Happened::Maybe), "{error}");
    assert!(error.retry() != Retry::Permanent, "{error}");
    case(Some(Duration::from_secs(11)), ten).refused("the plan accepts 10s");
    case(None, None).refused("an unplanned promotion needs `accept_loss`");
    case(None, Some(AcceptLoss::Unknown)).taken();
}

#[test]
fn a_last_commit_that_is_still_to_come_bounds_no_loss() {
    for ahead in [2, 3_600] {
        let case = || Case {
            lacks: Some(ErrorKind::NotReady),
            clock_ahead: Duration::from_secs(ahead),
            ..Case::of(Urgency::Unplanned)
        };
        case().refused("the clocks disagree");
        let basis = Case { accept_loss: Some(AcceptLoss::Unknown), ..case() }.taken();
        assert!(matches!(basis, Basis::Forced { loss: LossBound::Unknown { .. }, .. }), "{basis:?}");
    }
}

#[test]
fn what_an_earlier_attempt_promoted_in_an_unplanned_run_claims_no_proof() {
    let basis = Case { already: true, ..Case::of(Urgency::Unplanned) }.taken();
    assert!(matches!(basis, Basis::Forced { loss: LossBound::Unknown { .. }, .. }), "{basis:?}");
    let basis = Case { already: true, ..Case::of(Urgency::Planned) }.taken();
    assert!(matches!(basis, Basis::Planned { .. }), "{basis:?}");
    Case { already: true, fence: Ok(Fencing::Hung), ..Case::of(Urgency::Unplanned) }
        .refused("so it is alive");
}
