//! When silence stands for a fence, whatever the promotion would say to it.

use std::collections::BTreeMap;

use super::*;
use crate::model::Agreeing;
use crate::resource::{FenceHow, FenceProof, NodeState, SideState, SilencePolicy};

/// A side whose fence fails so.
#[derive(Debug)]
struct Fails(ErrorKind);

#[async_trait]
impl Effect<Fence> for Fails {
    async fn prepare(&self, _: &Cx, _: &Fence) -> Result<Prepared> {
        Err(Error::new(self.0, "no answer"))
    }

    async fn apply(&self, _: &Cx, _: &Fence, _: &Prepared) -> Result<FenceOutcome> {
        Err(Error::new(self.0, "no answer"))
    }

    async fn undo(&self, _: &Cx, _: &Fence, _: &Before) -> Result<()> {
        Err(Error::new(self.0, "no answer"))
    }
}

fn failing(fails: ErrorKind) -> Fencer {
    let inner: Arc<dyn Effect<Fence>> = Arc::new(Fails(fails));
    Fencer { resource: "orders".into(), inner, observer: None, watchers: Arc::new(Agreeing) }
}

/// Five seconds for a fence.
fn cx() -> Cx {
    Cx::new("20270115T080000Z-silent".into(), "promote/fence:orders".into(), Duration::from_secs(5))
}

fn call(policy: bool, await_return: bool) -> Fence {
    let mut call: Fence =
        serde_json::from_value(serde_json::json!({ "in": "east", "await_return": await_return })).unwrap();
    call.when_unreachable =
        policy.then(|| SilencePolicy { accept_after: Duration::from_secs(30), vantage_points: 2 });
    call
}

fn silent() -> Prepared {
    Prepared::unknown("silent", Before::nothing())
}

async fn fenced(urgency: Urgency, fails: ErrorKind, policy: bool) -> Result<FenceOutcome> {
    let cx = Cx { urgency, ..cx() };
    failing(fails).apply(&cx, &call(policy, false), &silent()).await
}

#[tokio::test(start_paused = true)]
async fn silence_stands_for_a_fence_in_an_unplanned_run_whose_plan_says_so() {
    let outcome = fenced(Urgency::Unplanned, ErrorKind::Unreachable, true).await.unwrap();
    assert!(matches!(outcome, FenceOutcome::Accepted(_)), "{outcome}");
    for (urgency, fails, policy) in [
        (Urgency::Planned, ErrorKind::Unreachable, true),
        (Urgency::Unplanned, ErrorKind::Unreachable, false),
        (Urgency::Unplanned, ErrorKind::Hung, true),
        (Urgency::Unplanned, ErrorKind::Timeout, true),
        (Urgency::Unplanned, ErrorKind::Unauthorized, true),
    ] {
        let error = fenced(urgency, fails, policy).await.expect_err("no silence");
        assert_eq!(error.kind(), fails, "{urgency:?}, policy {policy}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_side_that_cannot_be_looked_at_is_fenced_unseen_only_where_its_silence_is_provided_for() {
    for fails in [ErrorKind::Unreachable, ErrorKind::Hung, ErrorKind::Unauthorized] {
        for (policy, guard) in [(false, false), (true, false), (false, true), (true, true)] {
            let prepared = failing(fails).prepare(&cx(), &call(policy, guard)).await;
            let is_silence = fails == ErrorKind::Unreachable && (policy || guard);
            assert_eq!(prepared.is_ok(), is_silence, "{fails}, policy {policy}, guard {guard}");
        }
    }
}

/// What a guard comes to before a side that always fails so, and how long it took.
async fn guarded(fails: ErrorKind, cx: &Cx) -> (ErrorKind, Duration) {
    let began = tokio::time::Instant::now();
    let (fencer, call, was) = (failing(fails), call(false, true), silent());
    let guarded = tokio::time::timeout(Duration::from_secs(60), fencer.apply(cx, &call, &was)).await;
    (guarded.expect("it keeps to its deadline").expect_err("nobody is fenced").kind(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_guard_waits_for_a_side_that_does_not_answer_and_for_no_other() {
    for fails in [ErrorKind::Unreachable, ErrorKind::Hung] {
        let (kind, took) = guarded(fails, &cx()).await;
        assert_eq!(kind, fails);
        assert!(took > Duration::from_secs(4) && took <= Duration::from_secs(5), "{fails}: {took:?}");
    }
    for fails in [ErrorKind::Unauthorized, ErrorKind::Refused] {
        assert_eq!(guarded(fails, &cx()).await, (fails, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_told_to_stop_waits_no_longer() {
    let (canceller, cancel) = crate::resource::Cancel::pair();
    canceller.cancel();
    let told = Cx { cancel, ..cx() };
    assert_eq!(guarded(ErrorKind::Unreachable, &told).await, (ErrorKind::Unreachable, Duration::ZERO));
}

/// What each side's only node is seen to be.
#[derive(Debug)]
struct Sees(Vec<(&'static str, Reach, Role, Option<bool>)>);

#[async_trait]
impl Observe<Replication> for Sees {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let side = |(side, reach, role, writable): &(&str, Reach, Role, Option<bool>)| {
            let mut node = NodeState::new("db:5432", *reach);
            (node.role, node.writable) = (*role, *writable);
            (Side::new(*side), SideState::new(vec![node]))
        };
        Ok(Replication::new(cx.now(), self.0.iter().map(side).collect::<BTreeMap<_, _>>()))
    }
}

/// A side that answers and can be fenced.
#[derive(Debug)]
struct Fences;

#[async_trait]
impl Effect<Fence> for Fences {
    async fn prepare(&self, _: &Cx, _: &Fence) -> Result<Prepared> {
        Ok(Prepared::unknown("it is back", Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &Fence, _: &Prepared) -> Result<FenceOutcome> {
        let side = call.side.side()?.clone();
        Ok(FenceOutcome::Confirmed(FenceProof::new(side, FenceHow::StoppedAndBarred, cx.now())))
    }

    async fn undo(&self, _: &Cx, _: &Fence, _: &Before) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_leaves_a_side_alone_only_where_every_other_is_proven_not_to_write() {
    let writer = ("east", Reach::Answers, Role::Primary, Some(true));
    let alone = [
        vec![writer, ("west", Reach::Answers, Role::Standby, Some(false))],
        vec![writer, ("west", Reach::Closed, Role::Stopped, Some(false))],
    ];
    let guarded = [
        vec![writer],
        vec![writer, ("west", Reach::Answers, Role::Primary, Some(true))],
        vec![writer, ("west", Reach::Answers, Role::Primary, Some(false))],
        vec![writer, ("west", Reach::Unreachable, Role::Standby, None)],
        vec![writer, ("west", Reach::Unreachable, Role::Unknown, None)],
        vec![
            ("east", Reach::Answers, Role::Primary, None),
            ("west", Reach::Answers, Role::Standby, Some(false)),
        ],
    ];
    let seen = alone.map(|seen| (seen, true)).into_iter().chain(guarded.map(|seen| (seen, false)));
    for (seen, is_left_alone) in seen {
        let told = format!("{seen:?}");
        let observer: Option<Arc<dyn Observe<Replication>>> = Some(Arc::new(Sees(seen)));
        let inner: Arc<dyn Effect<Fence>> = Arc::new(Fences);
        let fencer = Fencer { resource: "orders".into(), inner, observer, watchers: Arc::new(Agreeing) };
        match fencer.apply(&cx(), &call(false, true), &silent()).await {
            Ok(outcome) => assert!(!is_left_alone, "{told}: {outcome}"),
            Err(error) => {
                assert!(is_left_alone && error.kind() == ErrorKind::Refused, "{told}: {error}");
            }
        }
    }
}
