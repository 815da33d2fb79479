//! SIGKILL at every event of the e-commerce failover, then another process goes on, or puts back.

use serde_json::Value;

use crate::cloud::{Cloud, DATABASE, EAST, FAILOVER, REPLICA, WEST};
use crate::ecommerce::recovered;
use crate::sweep::{Death, Sweep, kill_at, told};

const PROMOTE: &str = "promote:database";

/// Begins the failover and kills it as soon as its journal holds so many events; says at which it died.
fn killed(cloud: &Cloud, moment: usize) -> (Death, Vec<Value>, String) {
    let child = cloud.begin(&["failover"], FAILOVER);
    let death = kill_at(child, moment, || cloud.events().len());
    let events = cloud.events();
    let at = format!("failover killed at {}", told(events.last()));
    (death, events, at)
}

/// How many events an undisturbed failover has.
fn events_of_a_failover() -> usize {
    let cloud = lost();
    cloud.does(&["failover"], FAILOVER).ends(11);
    cloud.events().len()
}

fn lost() -> Cloud {
    let cloud = Cloud::up();
    cloud.lose_the_east();
    cloud
}

/// RDS was asked to promote as often as there was a reason to, and what callers saw acknowledged is where it can be.
#[track_caller]
fn promoted_once_and_nothing_is_nowhere(cloud: &Cloud) -> usize {
    let promotions = cloud.aws.calls().iter().filter(|call| call.action == "PromoteReadReplica").count();
    assert_eq!(promotions, 1, "a promotion was asked for twice");
    let missing = cloud.missing(WEST, REPLICA);
    assert!(
        cloud.missing(EAST, DATABASE).iter().all(|row| !missing.contains(row)),
        "{missing:?} are nowhere"
    );
    missing.len()
}

/// P21 and P34: SIGKILL at every event of the e-commerce failover; RDS is asked to promote once.
#[test]
fn a_failover_that_is_killed_at_any_event_is_resumed_to_the_same_end() {
    const TEST: &str = "crashes::a_failover_that_is_killed_at_any_event_is_resumed_to_the_same_end";
    let sweep = Sweep::of(("aws", TEST), events_of_a_failover(), 2);
    let round = |cloud: &Cloud, moment| {
        let (death, _, at) = killed(cloud, moment);
        if let Death::Over(said) = death {
            said.ends(11);
        } else if cloud.is_open() {
            let plan = cloud.plan(FAILOVER);
            cloud.dr(&["resume", plan.to_str().unwrap(), "--take-over"]).ends(11);
        }
        assert!(!cloud.is_open());
        recovered(cloud);
        let lost = promoted_once_and_nothing_is_nowhere(cloud);
        format!("{at}, resumed: recovered; {lost} lost with the region")
    };
    sweep.rounds_afresh(lost, round, Cloud::events);
}

/// P21 and P30: SIGKILL at every event of the same, then `dr abort`, while every API of the source swallows what it is sent.
#[test]
fn a_failover_that_is_killed_at_any_event_is_aborted_while_the_source_is_gone() {
    const TEST: &str = "crashes::a_failover_that_is_killed_at_any_event_is_aborted_while_the_source_is_gone";
    let sweep = Sweep::of(("aws", TEST), events_of_a_failover(), 1);
    let round = |cloud: &Cloud, moment| {
        let before = cloud.seen();
        let (death, events, at) = killed(cloud, moment);
        let told = if let Death::Over(said) = death {
            format!("ended with {}", said.ends(11).code)
        } else if cloud.is_open() {
            aborts(cloud)
        } else {
            "settled".to_owned()
        };
        if cloud.aws.rds(WEST).instance(REPLICA).is_replica() != Some(true) {
            assert!(events.iter().any(|entry| is_promotion(entry) && entry["event"] == "started"));
            let lost = promoted_once_and_nothing_is_nowhere(cloud);
            return format!("{at}, {told}; {lost} lost with the region");
        }
        let after = cloud.seen();
        assert_eq!((&after.nodes, &after.staff[WEST]), (&before.nodes, &before.staff[WEST]));
        cloud.evidence_verifies();
        format!("{at}, {told}; put back")
    };
    sweep.rounds_afresh(lost, round, Cloud::events);
}

fn is_promotion(entry: &Value) -> bool {
    entry["step"].as_str().is_some_and(|step| step.ends_with(PROMOTE))
}

/// `dr abort`; where a promotion may still take effect, which RDS cannot take back, `dr resume` until that is known.
#[track_caller]
fn aborts(cloud: &Cloud) -> String {
    let plan = cloud.plan(FAILOVER);
    let plan = plan.to_str().unwrap();
    let mut said = vec![cloud.dr(&["abort", plan, "--reason", "the region is coming back"])];
    while cloud.is_open() {
        assert!(said.len() < 30 && said.iter().all(|said| said.code == 20), "it is never over: {said:?}");
        said.push(cloud.dr(&["resume", plan]));
    }
    let codes: Vec<i32> = said.iter().map(|said| said.code).collect();
    assert!([Some(&14), Some(&11)].contains(&codes.last()), "{said:?}");
    format!("abort and resume said {codes:?}")
}
