//! The state store in a bucket: two who want the same.

use crate::cloud::{Cloud, FAILOVER};
use crate::ecommerce::recovered;
use crate::support::{finish, run};

/// P6: two processes begin the same failover on a store that both write.
#[test]
fn of_two_failovers_at_once_one_goes_and_the_other_touches_nothing() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    let two = [cloud.begin(&["failover"], FAILOVER), cloud.begin(&["failover"], FAILOVER)];
    let [one, other] = two.map(|child| std::thread::spawn(|| finish(child)));
    let mut ends = [one.join().unwrap(), other.join().unwrap()];
    ends.sort_by_key(|said| said.code);
    assert_eq!(ends[0].code, 11, "{ends:?}");
    assert!([12, 23].contains(&ends[1].code), "{ends:?}");
    let asked = |action: &str| cloud.aws.calls().iter().filter(|call| call.action == action).count();
    assert_eq!(asked("PromoteReadReplica"), 1);
    recovered(&cloud);
}

#[test]
fn a_run_is_resumed_on_another_machine_from_the_bucket_alone() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    cloud.killed(&["failover"], FAILOVER, "ChangeResourceRecordSets");
    let plan = cloud.plan(FAILOVER);
    // The other machine has the plan that a person names, and none of the first one's local files.
    let elsewhere = tempfile::tempdir().unwrap();
    let take_over = || cloud.command(&["resume", plan.to_str().unwrap(), "--take-over"]);
    let lacking = run(take_over().env("TMPDIR", elsewhere.path()).env_remove("PLATFORM_SECRET"));
    lacking.ends(12).tells("nothing was taken over");
    run(take_over().env("TMPDIR", elsewhere.path())).ends(11);
    recovered(&cloud);
}

/// P6: two processes take the same run over.
#[test]
fn of_two_who_take_a_run_over_at_once_one_brings_it_to_its_end() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    cloud.killed(&["failover"], FAILOVER, "ChangeResourceRecordSets");
    let two = [0, 1].map(|_| cloud.begin_to_take_over(FAILOVER));
    let [one, other] = two.map(|child| std::thread::spawn(|| finish(child)));
    let mut ends = [one.join().unwrap(), other.join().unwrap()];
    ends.sort_by_key(|said| said.code);
    assert_eq!((ends[0].code, ends[1].code), (11, 23), "{ends:?}");
    recovered(&cloud);
}

#[test]
fn a_run_whose_driver_died_is_resumed_without_force_once_its_lease_is_over() {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    cloud.killed(&["failover"], FAILOVER, "UpdateNodegroupConfig");
    let plan = cloud.plan(FAILOVER);
    let resume = || cloud.command(&["resume", plan.to_str().unwrap()]);
    // Where something is missing, the run is given up again: the next try need not wait.
    run(resume().env_remove("PLATFORM_SECRET")).ends(12).tells("--take-over");
    let said = run(&mut resume()).ends(11);
    assert!(!said.err.contains("not owned yet"), "{said:?}");
    recovered(&cloud);
}
