//! Runs as their journals tell them.
#![expect(clippy::unwrap_used, reason = "a fixture that fails is a failed test")]
#![expect(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use dr_core::event::{
    Actor, Began, Debt, DebtKind, Ending, Entry, Event, FORMAT, Mode, Override, Suspension,
};
use dr_core::journal::{Digest, Head, Line, read_lines};
use dr_core::measure::{Basis, Figure, Gap, LossMeasured, Measurement, OutageMeasured, RtoParts};
use dr_core::plan::{Limit, LossSpec, OnFailure, OutageSpec, RtoRpoBudget};
use dr_core::resource::{
    Applied, Before, Class, Diff, Fact, FenceHow, FenceOutcome, FenceProof, Prepared, Redactor, Risk, Roles,
    Seen, Urgency,
};
use dr_core::runbook::{Script, ScriptPhase, ScriptStep};
use dr_core::{ErrorKind, Failure, Happened, Retry, Side, Timestamp};
use dr_evidence::{Bundle, Link, Sealed};
use serde_json::json;

pub(crate) const PLAN_TEXT: &str =
    "schema: dr/v1\nname: orders-region-failover\nsource: us-east-1\ntarget: eu-central-1\n";

pub(crate) fn start() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

/// A journal under way.
pub(crate) struct Tape {
    entries: Vec<Entry>,
    elapsed: Duration,
}

impl Tape {
    pub(crate) fn begin(began: Began) -> Self {
        let actor = began.actor.clone();
        let mut tape = Self { entries: Vec::new(), elapsed: Duration::ZERO };
        tape.say(0, Event::Began(Box::new(began)));
        tape.say(0, Event::Driven { actor, epoch: 1 });
        tape
    }

    /// Something happens, so many milliseconds after what was before.
    pub(crate) fn say(&mut self, after_ms: u64, event: Event) -> &mut Self {
        self.elapsed += Duration::from_millis(after_ms);
        self.entries.push(Entry {
            seq: self.entries.len() as u64 + 1,
            epoch: 1,
            at: start().plus(self.elapsed),
            elapsed_ms: self.elapsed.as_millis() as u64,
            event,
        });
        self
    }

    /// A step that succeeds.
    pub(crate) fn step(&mut self, id: &str, took_ms: u64, said: &str) -> &mut Self {
        self.intent(id, 1);
        let applied = Applied { said: said.to_owned(), data: json!(null) };
        self.say(took_ms, Event::Succeeded { step: id.into(), attempt: 1, applied })
    }

    pub(crate) fn intent(&mut self, id: &str, attempt: u32) -> &mut Self {
        let was = Prepared::would(Diff::one("eu-central-1 role", "standby", "primary"), Before::nothing());
        self.say(5, Event::Started { step: id.into(), attempt, was })
    }

    pub(crate) fn fence(&mut self, outcome: &FenceOutcome, took_ms: u64) -> &mut Self {
        self.intent("promote/fence:orders", 1);
        let applied = Applied::of(outcome).unwrap();
        self.say(took_ms, Event::Succeeded { step: "promote/fence:orders".into(), attempt: 1, applied })
    }

    pub(crate) fn fail(
        &mut self,
        id: &str,
        attempt: u32,
        text: &str,
        happened: Happened,
        again: bool,
    ) -> &mut Self {
        let retry_in = again.then(|| Duration::from_millis(500));
        let failure =
            Failure { kind: ErrorKind::Timeout, retry: Retry::Permanent, happened, text: text.to_owned() };
        self.say(2_000, Event::Failed { step: id.into(), attempt, failure, retry_in })
    }

    pub(crate) fn observed(&mut self, when: &str) -> &mut Self {
        let fact = |role: &str| BTreeMap::from([("role".to_owned(), Fact::Word(role.to_owned()))]);
        let seen = Seen {
            group: "replication".to_owned(),
            data: json!({
                "at": "2026-11-21T02:00:00Z",
                "sides": { "us-east-1": { "role": "primary" }, "eu-central-1": { "role": "standby" } },
            }),
            text: "SIDE ROLE\n".to_owned(),
            facts: BTreeMap::new(),
            sides: BTreeMap::from([
                (Side::new("us-east-1"), fact("primary")),
                (Side::new("eu-central-1"), fact("standby")),
            ]),
            tables: BTreeMap::new(),
        };
        let staffing = Seen {
            group: "staffing".to_owned(),
            data: json!({ "sides": { "us-east-1": null, "eu-central-1": [{ "name": "api", "ready": 3 }] } }),
            text: "SIDE             WORKLOAD READY\nus-east-1        ?        unknown\neu-central-1     api      3\n"
                .to_owned(),
            facts: BTreeMap::new(),
            sides: BTreeMap::new(),
            tables: BTreeMap::new(),
        };
        let routing = Seen {
            group: "routing".to_owned(),
            data: json!({ "name": "shop.example.com" }),
            text: String::new(),
            facts: BTreeMap::new(),
            sides: BTreeMap::new(),
            tables: BTreeMap::new(),
        };
        for (resource, seen) in [("orders", seen), ("services", staffing), ("entry", routing)] {
            let (when, resource) = (when.to_owned(), resource.into());
            self.say(1, Event::Observed { when, resource, seen: vec![seen], why: None });
        }
        self
    }

    pub(crate) fn measured(&mut self, measurement: Measurement) -> &mut Self {
        self.say(10, Event::Measured { measurement: Box::new(measurement) })
    }

    pub(crate) fn end(&mut self, ending: Ending, text: &str, timings: &[(&str, f64)]) -> &mut Self {
        let timings = timings.iter().map(|(name, took)| ((*name).to_owned(), *took)).collect();
        self.say(5, Event::Ended { ending, text: text.to_owned(), timings })
    }

    /// The committed lines, as a journal reads them back.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let (bytes, _) = Head::start().encode(&self.entries).unwrap();
        read_lines(&Bytes::from(bytes)).unwrap().lines
    }
}

pub(crate) fn alice() -> Actor {
    Actor { name: "alice".to_owned(), from: "alice@bastion-2 (pid 4711)".to_owned() }
}

pub(crate) fn began(mode: Mode) -> Began {
    let phase = |name: &str, within: u64| ScriptPhase {
        name: name.into(),
        within: Some(Duration::from_secs(within)),
    };
    let step = |phase: &str, verb: &str, resource: &str, class: Class| ScriptStep {
        id: format!("{phase}/{verb}:{resource}").into(),
        phase: phase.into(),
        verb: verb.to_owned(),
        resource: Some(resource.into()),
        kind: None,
        call: json!({}),
        class,
        after: Vec::new(),
        within: Duration::from_secs(60),
        when: None,
        optional: false,
    };
    Began {
        run: "20261121T020000Z-abcdef".into(),
        format: FORMAT,
        tool: "dr 0.1.0".to_owned(),
        mode,
        urgency: Urgency::Unplanned,
        on_failure: OnFailure::Hold,
        actor: alice(),
        plan: "orders-region-failover".to_owned(),
        plan_hash: Digest::of(PLAN_TEXT.as_bytes()).to_string(),
        roles: Roles { source: "us-east-1".into(), target: "eu-central-1".into() },
        budget: RtoRpoBudget {
            rto: Some(Limit::at_most(Duration::from_secs(900))),
            rpo: Some(Limit::at_most(Duration::from_secs(10))),
            ..RtoRpoBudget::default()
        },
        outages: vec![OutageSpec {
            probe: "shop".into(),
            every: Duration::from_millis(250),
            recovered_after: 3,
            write: true,
        }],
        losses: vec![LossSpec { store: "orders".into(), via: None, every: Duration::from_millis(100) }],
        identities: vec!["postgres://db.us.internal:5432/orders".into()],
        overrides: Vec::new(),
        emulated: BTreeMap::new(),
        outage_since: None,
        outage_declared: false,
        detected: None,
        script: Script {
            phases: vec![
                phase("preflight", 120),
                phase("promote", 60),
                phase("dns_update", 60),
                phase("health_check", 240),
            ],
            steps: vec![
                step("preflight", "observe", "orders", Class::Read),
                step("promote", "fence", "orders", Class::Fence),
                step("promote", "promote", "orders", Class::PointOfNoReturn),
                step("dns_update", "route", "entry", Class::Reversible),
                step("health_check", "probe", "shop", Class::Read),
            ],
        },
    }
}

pub(crate) fn measurement(outage: f64, lost: &[i64]) -> Measurement {
    Measurement {
        outages: vec![OutageMeasured {
            probe: "shop".into(),
            asked: 4_000,
            failed: 312,
            gaps: vec![Gap {
                from: start().minus(Duration::from_secs(30)),
                to: Some(start().plus(Duration::from_secs_f64(outage - 30.0))),
                at_least: outage - 0.25,
                at_most: Some(outage),
            }],
            since: start().minus(Duration::from_secs(60)),
            until: start().plus(Duration::from_secs(1_000)),
            recovered: Some(start().plus(Duration::from_secs_f64(outage - 30.0))),
            latency_before_ms: Some(4.2),
            latency_after_ms: Some(5.1),
        }],
        losses: vec![LossMeasured {
            store: "orders".into(),
            attempted: 1_500,
            acknowledged: 1_234,
            unknown: 3,
            lost: Some(lost.to_vec()),
            recovered: Some(1),
            lost_span: Some(if lost.is_empty() { 0.0 } else { 0.3 }),
            lost_span_at_most: Some(if lost.is_empty() { 0.0 } else { 0.4 }),
        }],
        rto: Some(Figure { at_least: outage - 0.25, at_most: outage, basis: Basis::Client }),
        rpo: Some(if lost.is_empty() {
            Figure::exact(Duration::ZERO, Basis::Client)
        } else {
            Figure { at_least: 0.3, at_most: 0.4, basis: Basis::Client }
        }),
        parts: RtoParts {
            detection: Some(3.0),
            decision: Some(27.0),
            execution: Some(outage - 34.21),
            tail: Some(4.21),
        },
    }
}

fn confirmed() -> FenceOutcome {
    let proof = FenceProof::new("us-east-1".into(), FenceHow::StoppedAndBarred, start());
    FenceOutcome::Confirmed(proof.surviving(true, true))
}

const TIMINGS: [(&str, f64); 4] =
    [("preflight", 45.0), ("promote", 4.21), ("dns_update", 90.0), ("health_check", 120.0)];

fn carried_out(tape: &mut Tape) -> &mut Tape {
    tape.observed("before");
    tape.step("preflight/observe:orders", 45_000, "lag 0ms");
    tape.fence(&confirmed(), 800);
    tape.intent("promote/promote:orders", 1);
    tape.fail("promote/promote:orders", 1, "pg_promote: no answer within 2s", Happened::Maybe, true);
    tape.intent("promote/promote:orders", 2);
    let said = "eu-central-1 is primary on timeline 2, may have lost up to 300ms".to_owned();
    let applied = Applied { said, data: json!(null) };
    tape.say(1_400, Event::Succeeded { step: "promote/promote:orders".into(), attempt: 2, applied });
    tape.step("dns_update/route:entry", 90_000, "shop.example.com answers 198.51.100.10 everywhere");
    tape.step("health_check/probe:shop", 120_000, "served by eu-central-1, a write acknowledged");
    tape.observed("after")
}

pub(crate) fn succeeded() -> Tape {
    let mut tape = Tape::begin(began(Mode::Failover));
    carried_out(&mut tape).measured(measurement(765.0, &[])).end(Ending::Succeeded, "", &TIMINGS);
    tape
}

pub(crate) fn over_budget() -> Tape {
    let mut tape = Tape::begin(began(Mode::Failover));
    carried_out(&mut tape).measured(measurement(900.000_4, &[1_201, 1_202])).end(
        Ending::OverBudget,
        "callers waited longer than the budget allows",
        &TIMINGS,
    );
    tape
}

pub(crate) fn refused() -> Tape {
    let mut tape = Tape::begin(began(Mode::Switchover));
    tape.observed("before").intent("preflight/observe:orders", 1);
    let why = "orders: lag is 42s, expected <= 10s";
    tape.fail("preflight/observe:orders", 1, why, Happened::No, false);
    tape.end(Ending::Refused, "preflight/observe:orders: lag is 42s, expected <= 10s", &[("preflight", 2.0)]);
    tape
}

pub(crate) fn rolled_back() -> Tape {
    let mut tape = Tape::begin(began(Mode::Drill));
    tape.observed("before").step("preflight/observe:orders", 1_000, "lag 0ms");
    tape.intent("promote/fence:orders", 1);
    let why = "stop: the receiver of eu-central-1 | never <confirmed> the end of the log";
    tape.fail("promote/fence:orders", 1, why, Happened::Maybe, false);
    tape.say(1, Event::TurnedBack { why: "promote/fence:orders failed".to_owned() });
    tape.say(1, Event::UndoStarted { step: "promote/fence:orders".into() });
    tape.say(600, Event::Undone { step: "promote/fence:orders".into() });
    tape.observed("after").end(Ending::RolledBack, "", &[("preflight", 1.0), ("promote", 2.6)]);
    tape
}

pub(crate) fn held() -> Tape {
    let mut tape = Tape::begin(began(Mode::Failover));
    tape.observed("before").step("preflight/observe:orders", 1_000, "lag unknown").fence(&confirmed(), 800);
    tape.intent("promote/promote:orders", 1);
    tape.fail("promote/promote:orders", 1, "pg_promote: no answer within 60s", Happened::Maybe, false);
    let text = "promote/promote:orders is in doubt past the point of no return".to_owned();
    tape.say(1, Event::Suspended { why: Suspension::Held, text });
    tape
}

pub(crate) fn dry_run() -> Tape {
    let mut tape = Tape::begin(began(Mode::DryRun));
    tape.observed("before").step("preflight/observe:orders", 30, "lag 0ms");
    for (step, diff) in [
        (
            "promote/fence:orders",
            Diff::one("us-east-1", "accepts writes", "stopped and barred from starting"),
        ),
        ("promote/promote:orders", Diff::one("eu-central-1 role", "standby", "primary")),
        (
            "dns_update/route:entry",
            Diff::one("shop.example.com", "203.0.113.10", "198.51.100.10").and("TTL", "60s", "60s"),
        ),
    ] {
        let prepared = Prepared::would(diff, Before::nothing());
        tape.say(20, Event::Previewed { step: step.into(), prepared });
    }
    let why = "promote/promote:orders stands before it".to_owned();
    tape.say(1, Event::NotExercised { step: "health_check/probe:shop".into(), why });
    tape.end(Ending::Succeeded, "", &[("preflight", 0.03)]);
    tape
}

pub(crate) fn unprotected() -> Tape {
    let mut began = began(Mode::Failover);
    began.overrides = vec![Override { gate: "lag".to_owned(), reason: "the source is gone".to_owned() }];
    began.outage_since = Some(start().minus(Duration::from_secs(30)));
    began.outage_declared = true;
    let risk = FenceOutcome::Accepted(Risk {
        side: "us-east-1".into(),
        silent_since: start().minus(Duration::from_secs(300)),
        accepted: start(),
        vantage_points: vec!["eu-central-1".to_owned(), "outside".to_owned()],
    });
    let mut tape = Tape::begin(began);
    tape.step("preflight/observe:orders", 1_000, "us-east-1 is unreachable").fence(&risk, 50);
    tape.step(
        "promote/promote:orders",
        140,
        "eu-central-1 is primary on timeline 2, may have lost up to 300ms",
    );
    tape.step("dns_update/route:entry", 900, "shop.example.com answers 198.51.100.10 everywhere");
    tape.step("health_check/probe:shop", 1_000, "served by eu-central-1, a write acknowledged");
    for (kind, why) in
        [(DebtKind::Guard, "its silence was accepted"), (DebtKind::Replica, "no copy follows eu-central-1")]
    {
        let debt = Debt { kind, resource: "orders".into(), side: "us-east-1".into(), why: why.to_owned() };
        tape.say(1, Event::DebtOpened(debt));
    }
    tape.measured(measurement(38.5, &[1_233])).end(
        Ending::Recovered,
        "",
        &[("preflight", 1.0), ("promote", 0.2)],
    );
    tape
}

pub(crate) fn seal(tape: &Tape, into: &Path, previous: Option<&Link>) -> Sealed {
    Bundle::builder(&tape.lines(), PLAN_TEXT, &Redactor::default()).seal(into, previous).unwrap()
}

/// The same run under another name.
pub(crate) fn named(run: &str) -> Tape {
    let mut began = began(Mode::Drill);
    began.run = run.into();
    let mut tape = Tape::begin(began);
    tape.end(Ending::NothingToDo, "", &[]);
    tape
}

/// Every file in a folder, by its path inside.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(here) = waiting.pop() {
        for entry in std::fs::read_dir(here).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
