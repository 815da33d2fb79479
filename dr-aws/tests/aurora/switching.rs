//! Switchovers and failovers, joined, interrupted, lost and refused.

use std::time::Duration;

use dr_core::resource::{Basis, FollowHow, LossBound, Promote, Reach, Role};
use dr_core::{ErrorKind, Happened};
use dr_testkit_aws::{Failure, Fault, Service};

use crate::forced::{silence, unplanned};
use crate::support::{EAST, WEST, client, cx, failed};
use crate::world::{SECONDARY, WRITER, World, promote};

const TIME: Duration = Duration::from_secs(20);

fn planned() -> Basis {
    Basis::Planned { fences: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_loses_nothing_and_needs_no_fence() {
    let world = World::new().await;
    let (east, west) = (world.aws.rds(EAST).cluster(WRITER), world.aws.rds(WEST).cluster(SECONDARY));
    assert!((1..=50).all(|row| east.write("orders", row)));
    world.promote(&cx(TIME), planned()).await.unwrap();
    assert!(west.is_writable() && !east.is_writable());
    assert_eq!(west.rows().len(), 50);
    assert_eq!(world.asked("SwitchoverGlobalCluster"), [EAST], "it is asked for where the writer is");
    assert!(world.resource.fences_itself_when_planned());
    let following = world.follow(&cx(TIME)).await.unwrap();
    assert!(matches!(following.how, FollowHow::Already | FollowHow::Attached), "{following:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_needs_a_ground_and_nothing_of_the_lost_region() {
    let world = World::new().await;
    let bare =
        Basis::Forced { fences: Vec::new(), risk: None, loss: LossBound::Unknown { why: "a test".into() } };
    assert_eq!(failed(world.promote(&unplanned(TIME), bare).await).kind(), ErrorKind::Refused);
    world.aws.lose_region(EAST, Fault::BlackHole);
    world.aws.forget_calls();
    world.promote(&unplanned(TIME), silence()).await.unwrap();
    assert!(world.aws.rds(WEST).cluster(SECONDARY).is_writable());
    assert_eq!(world.asked("FailoverGlobalCluster"), [WEST]);
    let east = world.aws.calls().into_iter().filter(|call| call.region == EAST);
    assert!(east.into_iter().all(|call| !call.mutates), "the lost region was asked for a change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_with_the_writer_gone_never_becomes_a_failover_by_itself() {
    let world = World::new().await;
    world.aws.lose_region(EAST, Fault::BlackHole);
    failed(world.promote(&cx(Duration::from_secs(4)), planned()).await);
    assert!(world.asked("FailoverGlobalCluster").is_empty());
    assert!(!world.aws.rds(WEST).cluster(SECONDARY).is_writable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_is_under_way_is_joined() {
    let world = World::new().await;
    world.aws.set_clock_pace(60.0);
    let target = world.aws.rds(WEST).cluster(SECONDARY).arn();
    let by_hand = client(&world.aws, EAST)
        .switchover_global_cluster()
        .global_cluster_identifier("orders")
        .target_db_cluster_identifier(target);
    by_hand.send().await.unwrap();
    let during = world.node(WEST).await;
    assert_eq!((during.role, during.writable), (Role::Unknown, None), "{during:?}");
    world.promote(&cx(TIME), planned()).await.unwrap();
    assert_eq!(world.asked("SwitchoverGlobalCluster").len(), 1, "it was asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_no_failure() {
    let world = World::new().await;
    world.aws.fail(
        Failure::new(Fault::LostReply).service(Service::Rds).action("SwitchoverGlobalCluster").times(1),
    );
    world.promote(&cx(TIME), planned()).await.unwrap();
    assert_eq!(world.asked("SwitchoverGlobalCluster").len(), 1, "it was asked for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_was_begun_is_never_undone() {
    let world = World::new().await;
    world.aws.set_clock_pace(20.0);
    let (effect, call) = (world.effect::<Promote>(), promote(Some(planned())));
    let was = effect.prepare(&cx(TIME), &call).await.unwrap();
    let error = failed(effect.apply(&cx(Duration::from_millis(700)), &call, &was).await);
    assert_eq!(error.happened(), Happened::Maybe, "{error:?}");
    let undo = failed(effect.undo(&cx(TIME), &call, &was.before).await);
    assert!(undo.chain().contains("switch"), "{undo:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_writer_that_returns_is_taken_back_and_let_in_again() {
    let world = World::new().await;
    let proof = world.fence(&cx(TIME)).await.unwrap();
    let loss = LossBound::Unknown { why: "a test".into() };
    let basis = Basis::Forced { fences: vec![proof], risk: None, loss };
    world.promote(&unplanned(TIME), basis).await.unwrap();
    world.follow(&cx(TIME)).await.unwrap();
    let east = world.node(EAST).await;
    assert_eq!((east.reach, east.role), (Reach::Answers, Role::Standby), "{east:?}");
    let clusters = client(&world.aws, EAST).describe_db_clusters().send().await.unwrap();
    let groups = clusters.db_clusters()[0].vpc_security_groups();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].vpc_security_group_id(), Some("sg-default"));
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_are_forwarded_pass_by_the_edge_so_it_is_no_fence() {
    let world = World::new().await;
    let forward = client(&world.aws, WEST)
        .modify_db_cluster()
        .db_cluster_identifier(SECONDARY)
        .enable_global_write_forwarding(true);
    forward.send().await.unwrap();
    let error = failed(world.fence(&cx(TIME)).await);
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.chain().contains("forwards writes"), "{error:?}");
}
