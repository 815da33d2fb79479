//! What happens when an answer is lost, late or wrong: the world is read again, and nothing is taken for granted.

use std::sync::Arc;
use std::time::Duration;

use dr_core::Clock;
use dr_core::resource::{Basis, Fencing, Promote, Role};
use dr_core::{ErrorKind, Happened, Retry, Timestamp};
use dr_testkit_aws::{Failure, Fault, Service};

use crate::forced::{silence, unplanned};
use crate::support::{EAST, FENCE, WEST, cx, failed};
use crate::world::{PRIMARY, REPLICA, World, eventually, fence, promote};

const TIME: Duration = Duration::from_secs(20);

fn promotion(fault: Fault) -> Failure {
    Failure::new(fault).service(Service::Rds).action("PromoteReadReplica")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_loses_no_row_and_lets_nobody_write_in_the_source() {
    let world = World::new().await;
    let primary = world.aws.rds(EAST).instance(PRIMARY);
    assert!((1..=50).all(|row| primary.write("orders", row)));
    let cx = &cx(TIME);
    let proof = world.fence(cx).await.unwrap();
    assert!(!primary.takes_connections(), "the fenced side takes connections");
    assert_eq!(primary.sessions(), 0, "a session outlived the fence");
    world.promote(cx, Basis::Planned { fences: vec![proof] }).await.unwrap();
    let replica = world.aws.rds(WEST).instance(REPLICA);
    assert_eq!(replica.is_replica(), Some(false));
    assert_eq!(replica.rows().len(), 50);
    assert!(replica.write("orders", 51));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_is_not_promoted_before_it_has_what_was_committed_before_the_fence() {
    let world = World::new().await;
    let replica = world.aws.rds(WEST).instance(REPLICA);
    replica.set_lag(Duration::from_secs(6));
    assert!(world.aws.rds(EAST).instance(PRIMARY).write("orders", 1));
    let proof = world.fence(&cx(TIME)).await.unwrap();
    let basis = Basis::Planned { fences: vec![proof] };
    let early = failed(world.promote(&cx(Duration::from_secs(2)), basis.clone()).await);
    assert_eq!((early.kind(), early.happened()), (ErrorKind::NotReady, Happened::No), "{early:?}");
    assert_eq!(world.asked("PromoteReadReplica"), 0);
    world.promote(&cx(TIME), basis).await.unwrap();
    assert_eq!(replica.rows().len(), 1);
}

/// P1: the line is cut, the replica stands still, and a planned promotion is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_line_never_becomes_a_planned_promotion() {
    let world = World::new().await;
    world.aws.rds(WEST).instance(REPLICA).set_link(false);
    let proof = world.fence(&cx(TIME)).await.unwrap();
    let error =
        failed(world.promote(&cx(Duration::from_secs(4)), Basis::Planned { fences: vec![proof] }).await);
    assert_eq!(error.kind(), ErrorKind::NotReady, "{error:?}");
    assert_eq!(world.asked("PromoteReadReplica"), 0);
}

/// P15: the reply of RDS's promotion is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_no_failure() {
    let world = World::new().await;
    world.aws.fail(promotion(Fault::LostReply).times(1));
    world.promote(&unplanned(TIME), silence()).await.unwrap();
    assert_eq!(world.aws.rds(WEST).instance(REPLICA).is_replica(), Some(false));
    assert_eq!(world.asked("PromoteReadReplica"), 1, "it was asked for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_control_plane_is_waited_out() {
    let world = World::new().await;
    for fault in [Fault::Throttled, Fault::InternalFailure, Fault::HtmlErrorPage] {
        world.aws.fail(promotion(fault).times(1));
    }
    world.promote(&unplanned(TIME), silence()).await.unwrap();
    assert_eq!(world.aws.rds(WEST).instance(REPLICA).is_replica(), Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_ends_it_and_says_that_nothing_was_done() {
    let world = World::new().await;
    world.aws.deny("rds:PromoteReadReplica");
    let error = failed(world.promote(&unplanned(TIME), silence()).await);
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unauthorized, Retry::Permanent));
    assert!(error.chain().contains("rds:PromoteReadReplica"), "{error:?}");
    assert_eq!(error.happened(), Happened::No);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_is_pending_after_a_timeout_is_never_taken_for_not_done() {
    let world = World::new().await;
    // From here on a documented minute takes six seconds.
    world.aws.set_clock_pace(10.0);
    let (effect, call) = (world.effect::<Promote>(), promote(Some(silence())));
    let was = effect.prepare(&cx(TIME), &call).await.unwrap();
    let error = failed(effect.apply(&unplanned(Duration::from_millis(300)), &call, &was).await);
    assert_eq!(error.happened(), Happened::Maybe, "{error:?}");
    // RDS still says `available` and names the source.
    assert_eq!(world.aws.rds(WEST).instance(REPLICA).status(), Some("available"));
    let undo = failed(effect.undo(&cx(TIME), &call, &was.before).await);
    assert_eq!(undo.kind(), ErrorKind::NotReady, "{undo:?}");
    world.aws.set_clock_pace(600.0);
    eventually("it says modifying", async || {
        world.aws.rds(WEST).instance(REPLICA).status() == Some("modifying")
    })
    .await;
    let undo = failed(effect.undo(&cx(TIME), &call, &was.before).await);
    assert!(undo.chain().contains("modifying"), "{undo:?}");
    let node = world.node(WEST).await;
    assert_eq!((node.role, node.writable), (Role::Unknown, None), "{node:?}");
}

/// P36: RDS accepted a promotion that has no effect yet.
#[tokio::test(flavor = "multi_thread")]
async fn while_a_promotion_is_pending_the_source_is_not_opened_again() {
    let world = World::new().await;
    let cx = &cx(TIME);
    let effect = world.effect::<dr_core::resource::Fence>();
    let was = effect.prepare(cx, &fence()).await.unwrap();
    effect.apply(cx, &fence(), &was).await.unwrap();
    world.aws.set_clock_pace(10.0);
    failed(world.promote(&unplanned(Duration::from_millis(600)), silence()).await);
    let error = failed(effect.undo(cx, &fence(), &was.before).await);
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(!world.aws.rds(EAST).instance(PRIMARY).takes_connections());
}

/// A clock that runs ahead.
#[derive(Debug)]
struct Later(Duration);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::system().plus(self.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_had_an_effect_is_proven_not_to_have_one_after_a_quarter_of_an_hour() {
    let world = World::new().await;
    // The request is cut before it arrives, and who asked does not know that.
    world.aws.fail(promotion(Fault::BlackHole));
    let (effect, call) = (world.effect::<Promote>(), promote(Some(silence())));
    let was = effect.prepare(&cx(TIME), &call).await.unwrap();
    let error = failed(effect.apply(&unplanned(Duration::from_secs(1)), &call, &was).await);
    assert_eq!(error.happened(), Happened::Maybe, "{error:?}");
    world.aws.heal_all();
    assert!(effect.undo(&cx(TIME), &call, &was.before).await.is_err());
    let mut later = cx(TIME);
    later.clock = Arc::new(Later(Duration::from_secs(16 * 60)));
    effect.undo(&later, &call, &was.before).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_was_never_asked_for_is_undone_at_once() {
    let world = World::new().await;
    let (effect, call) = (world.effect::<Promote>(), promote(None));
    let was = effect.prepare(&cx(TIME), &call).await.unwrap();
    effect.undo(&cx(TIME), &call, &was.before).await.unwrap();
}

/// P5: the source's API swallows every request.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_source_black_holed_a_forced_promotion_is_bounded_by_its_own_region() {
    let world = World::new().await;
    world.aws.lose_region(EAST, Fault::BlackHole);
    let begun = tokio::time::Instant::now();
    world.promote(&unplanned(TIME), silence()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    let east = world
        .aws
        .calls()
        .into_iter()
        .filter(|call| call.region == EAST && call.action != "DescribeDBInstances");
    assert_eq!(east.count(), 0, "a forced promotion asked the lost region for something");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_open_at_the_fence_does_not_outlive_it() {
    let world = World::new().await;
    let primary = world.aws.rds(EAST).instance(PRIMARY);
    // The groups alone: new connections are refused, and nothing is proven.
    primary.set_groups(&[FENCE]);
    let holds = world.resource.holds().unwrap();
    let seen = holds.holds(&cx(TIME), &EAST.into()).await.unwrap();
    assert!(matches!(seen, Fencing::Open { .. }), "{seen:?}");
    world.fence(&cx(TIME)).await.unwrap();
    assert_eq!(world.asked("RebootDBInstance"), 1);
    let seen = holds.holds(&cx(TIME), &EAST.into()).await.unwrap();
    assert!(matches!(seen, Fencing::Confirmed(_)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_that_died_half_way_is_finished_by_whoever_comes_next() {
    let world = World::new().await;
    for after in [50, 300, 600, 900] {
        let cut = Duration::from_millis(after);
        if tokio::time::timeout(cut, world.fence(&cx(TIME))).await.is_ok() {
            break;
        }
        let seen = world.resource.holds().unwrap().holds(&cx(TIME), &EAST.into()).await.unwrap();
        let open = world.aws.rds(EAST).instance(PRIMARY).takes_connections();
        assert!(!(open && matches!(seen, Fencing::Confirmed(_))), "it is confirmed and open after {cut:?}");
    }
    world.fence(&cx(TIME)).await.unwrap();
    assert!(!world.aws.rds(EAST).instance(PRIMARY).takes_connections());
}
