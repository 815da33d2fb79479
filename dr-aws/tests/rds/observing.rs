//! What is seen, and what is only not known.

use std::time::Duration;

use dr_core::Side;
use dr_core::resource::{Copies, Reach, Role};
use dr_testkit_aws::{Failure, Fault, Service};

use crate::support::{EAST, FENCE, WEST, cx};
use crate::world::{PRIMARY, REPLICA, World, eventually};

const TIME: Duration = Duration::from_secs(10);

fn codes(node: &dr_core::resource::NodeState) -> Vec<&str> {
    node.hazards.iter().map(|hazard| hazard.code.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_says_of_what_it_is_one_even_while_that_is_silent() {
    let world = World::new().await;
    let (east, west) = (world.node(EAST).await, world.node(WEST).await);
    assert_eq!((east.role, east.writable), (Role::Primary, Some(true)));
    assert_eq!((west.role, west.writable), (Role::Standby, Some(false)));
    assert_eq!(east.system, west.system);
    world.aws.lose_region(EAST, Fault::BlackHole);
    let (silent, still) = (world.node(EAST).await, world.node(WEST).await);
    assert_eq!((silent.reach, silent.role), (Reach::Unreachable, Role::Unknown));
    assert_eq!(silent.system, None);
    assert_eq!(still.system, west.system);
}

/// P4: samples a minute old, on the simulator.
#[tokio::test(flavor = "multi_thread")]
async fn a_lag_is_never_better_than_the_age_of_its_sample() {
    let world = World::new().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let lag = world.node(WEST).await.lag.unwrap();
    assert!(lag > Duration::ZERO && lag < Duration::from_secs(5), "{lag:?}");
    // Nothing is sampled any more: CloudWatch answers, and has nothing new.
    world.aws.set_clock_pace(1.0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stale = world.node(WEST).await;
    assert!(stale.lag.is_none_or(|stale| stale > lag), "{:?} after {lag:?}", stale.lag);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lag_that_is_not_known_is_not_zero() {
    let world = World::new().await;
    world.aws.fail(Failure::new(Fault::InternalFailure).service(Service::CloudWatch));
    let node = world.node(WEST).await;
    assert_eq!((node.lag, node.last_commit, node.receiving), (None, None, None));
    assert_eq!(node.role, Role::Standby);
    world.aws.heal_all();
    world.aws.rds(WEST).instance(REPLICA).set_link(false);
    // RDS says minus one, once it has sampled it.
    eventually("its lag is unknown", async || world.node(WEST).await.lag.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_has_is_known_by_what_it_had_before_the_line_was_cut() {
    let world = World::new().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.aws.lose_region(EAST, Fault::BlackHole);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let node = world.node(WEST).await;
    let last = node.last_commit.expect("it had something");
    assert!(last <= dr_core::Timestamp::system(), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_the_plan_does_not_know_is_a_stranger() {
    let world = World::new().await;
    let primary = world.aws.rds(EAST).instance(PRIMARY);
    world.aws.rds(EAST).replicate("reports", &primary).unwrap();
    let seen = world.observe(&cx(TIME)).await;
    let strangers = &seen.sides[&Side::new(EAST)].strangers;
    assert!(strangers.len() == 1 && strangers[0].ends_with(":db:reports"), "{strangers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_would_serve_nobody_is_a_hazard() {
    let world = World::new().await;
    let fine = world.node(WEST).await;
    assert!(fine.hazards.iter().all(|hazard| !hazard.blocks), "{:?}", fine.hazards);
    assert!(codes(&fine).contains(&"no-automated-backups"), "{:?}", fine.hazards);
    world.aws.rds(WEST).instance(REPLICA).set_groups(&[FENCE]);
    assert!(codes(&world.node(WEST).await).contains(&"target-is-fenced"));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_both_regions_are_seen_with_their_ages() {
    let world = World::new().await;
    let observer = world.resource.observer::<Copies>().unwrap();
    let seen = observer.observe(&cx(TIME)).await.unwrap();
    assert!(seen.age(&Side::new(EAST)).is_some(), "{seen}");
    assert_eq!(seen.age(&Side::new(WEST)), None, "the replica keeps none: {seen}");
    world.aws.lose_region(EAST, Fault::BlackHole);
    let seen = observer.observe(&cx(TIME)).await.unwrap();
    assert_eq!(seen.sides[&Side::new(EAST)], None);
    assert!(seen.sides[&Side::new(WEST)].is_some());
}
