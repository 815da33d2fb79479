//! Switchovers and failovers, joined, and refused.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::resource::{Basis, Role};
use dr_testkit_aws::Fault;

use crate::support::{EAST, WEST, client, cx, failed};
use crate::world::{SECONDARY, World};

const TIME: Duration = Duration::from_secs(20);

fn planned() -> Basis {
    Basis::Planned { fences: Vec::new() }
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
