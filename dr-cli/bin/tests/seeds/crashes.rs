//! SIGKILL at every event of the runbook's failover, then another process goes on, or puts back.

use dr_core::Timestamp;
use serde_json::Value;

use crate::ledger::Clients;
use crate::runbook::{FAILOVER, recovered, returns, returns_quickly};
use crate::support::{SOURCE, TARGET, until};
use crate::sweep::{Death, Lines, Sweep, has, kill_at, told};
use crate::world::{NAME, World};

const PROMOTE: &str = "promote/promote:platform";

/// Begins the failover and kills it as soon as its journal holds so many events; says at which it died.
fn killed(world: &World, moment: usize) -> (Death, Vec<Value>, String) {
    let before = world.runs().len();
    let child = world.begin(&["failover"], FAILOVER);
    let mut journal = Lines::of(world.runs()[before].join("journal.ndjson"));
    let death = kill_at(child, moment, || journal.count());
    let events = world.events();
    let at = format!("failover killed at {}", told(events.last()));
    (death, events, at)
}

/// How many events an undisturbed failover has.
fn events_of_a_failover() -> usize {
    let world = World::up();
    world.lose_the_source();
    world.does(&["failover"], FAILOVER).ends(11);
    world.events().len()
}

/// Served by the source, with clients of the test's own, and then without it.
fn lost(world: &World, moment: usize) -> (Clients, Timestamp) {
    world.is_at_peace();
    world.seen().is_served_by(SOURCE, [3, 1]);
    let servers = world.aws.name_servers();
    let clients = Clients::who_ask(servers, NAME, &world.sandbox, &format!("failover-{moment}"));
    world.served();
    let cut = Timestamp::system();
    world.lose_the_source();
    (clients, cut)
}

/// P21 and P34: SIGKILL at every event of the runbook's region failover.
#[test]
fn a_region_failover_that_is_killed_at_any_event_is_resumed_to_the_same_end() {
    const TEST: &str = "crashes::a_region_failover_that_is_killed_at_any_event_is_resumed_to_the_same_end";
    let sweep = Sweep::of(("seeds", TEST), events_of_a_failover(), 3);
    let round = |world: &World, moment| {
        let (clients, cut) = lost(world, moment);
        let (death, _, at) = killed(world, moment);
        if let Death::Over(said) = death {
            said.ends(11);
        } else if world.is_open() {
            let plan = world.plan(FAILOVER);
            world.dr(&["resume", plan.to_str().unwrap()]).ends(11);
        }
        recovered(world);
        assert!(!world.is_open());
        let lost = clients.lost_what_was_reported(&world.sandbox, TARGET, cut, &world.metrics());
        returns_quickly(world);
        format!("{at}, resumed: recovered; {lost}")
    };
    sweep.rounds(World::for_a_sweep, round, World::events);
}

/// P21: SIGKILL at every event of the same, then `dr abort`.
#[test]
fn a_region_failover_that_is_killed_at_any_event_is_aborted_with_one_writer_at_most() {
    const TEST: &str =
        "crashes::a_region_failover_that_is_killed_at_any_event_is_aborted_with_one_writer_at_most";
    let sweep = Sweep::of(("seeds", TEST), events_of_a_failover(), 1);
    let round = |world: &World, moment| {
        let (clients, cut) = lost(world, moment);
        let before = world.seen();
        let (death, events, at) = killed(world, moment);
        let told = if let Death::Over(said) = death {
            format!("ended with {}", said.ends(11).code)
        } else if world.is_open() {
            let plan = world.plan(FAILOVER);
            let said = world.dr(&["abort", plan.to_str().unwrap(), "--reason", "a drill of the drill"]);
            assert!(!world.is_open(), "{said:?}");
            assert!(said.code == 14 || events.iter().any(|entry| entry["event"] == "ended"), "{said:?}");
            format!("abort said {}", said.code)
        } else {
            "settled".to_owned()
        };
        let seen = world.seen();
        let lost = if seen.writable == [TARGET] {
            assert!(has(&events, "started", PROMOTE), "{seen:?}");
            let lost = clients.lost_what_was_reported(&world.sandbox, TARGET, cut, &world.metrics());
            returns(world);
            lost
        } else {
            assert_eq!(seen, before);
            clients.nobody_wrote_on(TARGET);
            world.heal();
            world.served();
            format!("put back; {}", clients.lost_nothing(&world.sandbox, SOURCE))
        };
        until("the world as it was", || {
            let seen = world.seen();
            (seen.writable == [SOURCE] && seen.callers == [SOURCE]).then_some(())
        });
        world.evidence_verifies();
        format!("{at}, {told}; {lost}")
    };
    sweep.rounds(World::for_a_sweep, round, World::events);
}
