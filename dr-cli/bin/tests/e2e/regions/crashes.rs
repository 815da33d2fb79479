//! SIGKILL at every event, then another process goes on, or puts back; two processes at once; an interrupt.

use dr_core::Timestamp;
use serde_json::Value;

use super::switchovers::served_by;
use crate::ledger::Clients;
use crate::support::{SOURCE, Sandbox, TARGET, World, finish, until};
use crate::sweep::{Death, Lines, Sweep, has, kill_at, told};

const PROMOTE: &str = "promote/promote:orders";
/// The staff while the source serves, and while the target does.
pub(super) const HOME: [(u64, u64); 2] = [(3, 3), (1, 1)];
pub(super) const AWAY: [(u64, u64); 2] = [(1, 1), (3, 3)];

/// Begins a run and kills it as soon as its journal holds so many events; says at which it died.
fn killed(sandbox: &Sandbox, arguments: &[&str], moment: usize) -> (Death, Vec<Value>, String) {
    let held = length_of_the_next_journal(sandbox);
    let death = kill_at(sandbox.begin(arguments), moment, held);
    let events = sandbox.events();
    let at = format!("{} killed at {}", arguments[0], told(events.last()));
    (death, events, at)
}

/// How many events the next run's journal holds.
pub(super) fn length_of_the_next_journal(sandbox: &Sandbox) -> impl FnMut() -> usize {
    let before = sandbox.runs().len();
    let mut journal = None;
    move || {
        if journal.is_none() {
            let new = sandbox.runs().into_iter().nth(before);
            journal = new.map(|run| Lines::of(run.join("journal.ndjson")));
        }
        journal.as_mut().map_or(0, Lines::count)
    }
}

/// Whether its run was at an end, and what it left settled, when the process died.
fn is_settled(sandbox: &Sandbox, death: &Death) -> Option<i32> {
    match death {
        Death::Over(said) => Some(said.code),
        Death::Killed => (!sandbox.world().open_run).then_some(-1),
    }
}

/// What the world is after a break of the source, and after each end of a run from there.
fn is_recovered(sandbox: &Sandbox) {
    let world = sandbox.world();
    assert_eq!((&world.writers[..], &world.routed[..]), (&[TARGET.to_owned()][..], TARGET));
    assert_eq!((world.claims, world.debts, world.open_run), (0, 1, false));
    assert_eq!(world.staff[1], (3, 3));
    assert_eq!(sandbox.last_event()["ending"], "recovered");
    sandbox.evidence_verifies();
    sandbox.serves();
}

/// The source is back, follows, and serves again.
pub(super) fn comes_home(sandbox: &Sandbox) {
    sandbox.sandbox(&["heal"]).ends(0);
    sandbox.dr(&["protect", "--yes"]).ends(0);
    sandbox.dr(&["failback", "--yes"]).ends(0);
    assert_eq!(sandbox.world(), served_by(SOURCE, HOME));
}

/// The source dies under its callers; when, on the clock of those who write.
pub(super) fn breaks(sandbox: &Sandbox) -> Timestamp {
    let cut = Timestamp::system();
    sandbox.sandbox(&["break", "source"]).ends(0);
    cut
}

/// How many events an undisturbed failover has.
pub(super) fn events_of_a_failover() -> usize {
    let sandbox = Sandbox::up();
    breaks(&sandbox);
    sandbox.dr(&["failover", "--yes"]).ends(11);
    sandbox.events().len()
}

/// How many the longer of a switchover and a failback has.
pub(super) fn events_of_a_switchover() -> usize {
    let sandbox = Sandbox::up();
    let events = |verb| {
        sandbox.dr(&[verb, "--yes"]).ends(0);
        sandbox.events().len()
    };
    events("switchover").max(events("failback"))
}

fn sandbox_for_a_sweep() -> Sandbox {
    let sandbox = Sandbox::lasting("1h", &[]);
    assert_eq!(sandbox.world(), served_by(SOURCE, HOME));
    sandbox
}

/// P21 and P34: SIGKILL at every event of a failover of real databases. What a client of the test's own saw acknowledged
/// is lost only within what the run reported.
#[test]
fn a_failover_that_is_killed_at_any_event_is_resumed_to_the_same_end() {
    const TEST: &str = "regions::crashes::a_failover_that_is_killed_at_any_event_is_resumed_to_the_same_end";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_failover(), 5);
    let round = |sandbox: &Sandbox, moment| {
        let clients = Clients::begin(sandbox, &format!("failover-{moment}"));
        sandbox.serves();
        let cut = breaks(sandbox);
        let (death, _, at) = killed(sandbox, &["failover", "--yes"], moment);
        match is_settled(sandbox, &death) {
            None => drop(sandbox.dr(&["resume"]).ends(11)),
            Some(code) => assert!([-1, 11].contains(&code), "{death:?}"),
        }
        is_recovered(sandbox);
        let lost = clients.lost_what_was_reported(sandbox, TARGET, cut, &sandbox.metrics());
        comes_home(sandbox);
        format!("{at}, resumed: recovered; {lost}")
    };
    sweep.rounds(sandbox_for_a_sweep, round, Sandbox::events);
}

/// P21 and P34: SIGKILL at every event of a switchover and of a failback; not one acknowledged row is lost.
#[test]
fn a_switchover_that_is_killed_at_any_event_is_resumed_to_the_same_end() {
    const TEST: &str =
        "regions::crashes::a_switchover_that_is_killed_at_any_event_is_resumed_to_the_same_end";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_switchover(), 4);
    let round = |sandbox: &Sandbox, moment| {
        let ends = [("switchover", TARGET, AWAY), ("failback", SOURCE, HOME)].map(|(verb, side, staff)| {
            let clients = Clients::begin(sandbox, &format!("{verb}-{moment}"));
            sandbox.serves();
            let (death, _, at) = killed(sandbox, &[verb, "--yes"], moment);
            match is_settled(sandbox, &death) {
                None => drop(sandbox.dr(&["resume"]).ends(0)),
                Some(code) => assert!([-1, 0].contains(&code), "{death:?}"),
            }
            assert_eq!(sandbox.world(), served_by(side, staff));
            assert_eq!(sandbox.last_event()["ending"], "succeeded");
            assert_eq!(sandbox.metrics()["lost_writes"], 0);
            sandbox.serves();
            format!("{at}, resumed: succeeded; {}", clients.lost_nothing(sandbox, side))
        });
        sandbox.evidence_verifies();
        ends.join(" | ")
    };
    sweep.rounds(sandbox_for_a_sweep, round, Sandbox::events);
}

/// `dr abort` after a kill. Before the point of no return everything is as it was; past it nothing is put back, unless it
/// is proven that nothing happened. Either way the run is over, and one side takes writes. A run that had ended already is
/// only settled. Answers with whether the writer has moved.
#[track_caller]
fn aborts(sandbox: &Sandbox, before: &World, events: &[Value]) -> (bool, String) {
    let said = sandbox.dr(&["abort", "--reason", "a drill of the drill"]);
    if events.iter().any(|entry| entry["event"] == "ended") {
        return (true, format!("abort said {}", said.code));
    }
    assert_eq!(said.code, 14, "{said:?}");
    assert_eq!(sandbox.last_event()["ending"], "aborted");
    let world = sandbox.world();
    assert_eq!((world.open_run, world.claims), (false, 0), "{said:?}");
    assert!(world.writers.len() <= 1, "TWO WRITABLE SIDES: {said:?}");
    if world.writers != before.writers {
        assert!(has(events, "started", PROMOTE), "{said:?}");
        return (true, "aborted past no return".to_owned());
    }
    let world = until("the standby back", || {
        let world = sandbox.world();
        (world.target_role == before.target_role).then_some(world)
    });
    assert_eq!(world, *before);
    (false, "put back".to_owned())
}

/// P21: SIGKILL at every event of a failover, then `dr abort`.
#[test]
fn a_failover_that_is_killed_at_any_event_is_aborted_with_one_writer_at_most() {
    const TEST: &str =
        "regions::crashes::a_failover_that_is_killed_at_any_event_is_aborted_with_one_writer_at_most";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_failover(), 2);
    let round = |sandbox: &Sandbox, moment| {
        let clients = Clients::begin(sandbox, &format!("failover-{moment}"));
        sandbox.serves();
        let cut = breaks(sandbox);
        let before = sandbox.world();
        let (death, events, at) = killed(sandbox, &["failover", "--yes"], moment);
        let (moved, told) = match is_settled(sandbox, &death) {
            None => aborts(sandbox, &before, &events),
            Some(code) => (true, format!("ended with {code}")),
        };
        sandbox.evidence_verifies();
        if moved {
            let lost = clients.lost_what_was_reported(sandbox, TARGET, cut, &sandbox.metrics());
            comes_home(sandbox);
            return format!("{at}, {told}; {lost}");
        }
        clients.nobody_wrote_on(TARGET);
        sandbox.sandbox(&["heal"]).ends(0);
        sandbox.serves();
        assert_eq!(sandbox.world(), served_by(SOURCE, HOME));
        format!("{at}, {told}; {}", clients.lost_nothing(sandbox, SOURCE))
    };
    sweep.rounds(sandbox_for_a_sweep, round, Sandbox::events);
}

/// One round of a planned verb that is killed and aborted. It ends where it began.
fn planned_and_aborted(
    sandbox: &Sandbox,
    (verb, back): (&str, &str),
    (from, to): (&str, &str),
    moment: usize,
) -> String {
    let clients = Clients::begin(sandbox, &format!("{verb}-{moment}"));
    sandbox.serves();
    let before = sandbox.world();
    let (death, events, at) = killed(sandbox, &[verb, "--yes"], moment);
    let (moved, told) = match is_settled(sandbox, &death) {
        None => aborts(sandbox, &before, &events),
        Some(code) => (true, format!("ended with {code}")),
    };
    let lost = clients.lost_nothing(sandbox, if moved { to } else { from });
    if moved {
        // What is owed is paid first; callers go back to where they may still be.
        sandbox.dr(&["protect", "--yes"]).ends(0);
        sandbox.dr(&[back, "--yes"]).ends(0);
    }
    sandbox.serves();
    assert_eq!(sandbox.world(), before);
    sandbox.evidence_verifies();
    format!("{at}, {told}; {lost}")
}

/// P21 and P30: SIGKILL at every event of a switchover, then `dr abort`.
/// Found: killed in the middle of its promotion it was ended neither by `dr abort` nor by `dr resume`, and nobody could
/// write.
#[test]
fn a_switchover_that_is_killed_at_any_event_is_aborted_and_nothing_is_lost() {
    const TEST: &str =
        "regions::crashes::a_switchover_that_is_killed_at_any_event_is_aborted_and_nothing_is_lost";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_switchover(), 3);
    let round = |sandbox: &Sandbox, moment| {
        planned_and_aborted(sandbox, ("switchover", "failback"), (SOURCE, TARGET), moment)
    };
    sweep.rounds(sandbox_for_a_sweep, round, Sandbox::events);
}

/// P21: the same on the way home.
#[test]
fn a_failback_that_is_killed_at_any_event_is_aborted_and_nothing_is_lost() {
    const TEST: &str =
        "regions::crashes::a_failback_that_is_killed_at_any_event_is_aborted_and_nothing_is_lost";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_switchover(), 2);
    let away = || {
        let sandbox = sandbox_for_a_sweep();
        sandbox.dr(&["switchover", "--yes"]).ends(0);
        assert_eq!(sandbox.world(), served_by(TARGET, AWAY));
        sandbox
    };
    let round = |sandbox: &Sandbox, moment| {
        planned_and_aborted(sandbox, ("failback", "switchover"), (TARGET, SOURCE), moment)
    };
    sweep.rounds(away, round, Sandbox::events);
}

/// P21: SIGKILL while a run claims what it will need. Its first event never was: nothing is held, and the next one begins.
#[test]
fn a_process_that_is_killed_before_its_runs_first_event_holds_nothing_up() {
    let sandbox = Sandbox::up();
    let claims = sandbox.dir().join("runs/claims");
    let claimed = || std::fs::read_dir(&claims).is_ok_and(|mut all| all.next().is_some());
    for (turn, verb) in ["switchover", "failback"].into_iter().cycle().enumerate() {
        let child = sandbox.begin(&[verb, "--yes"]);
        kill_at(child, 1, || usize::from(claimed()));
        if sandbox.events().is_empty() {
            sandbox.dr(&["resume"]).ends(1).tells("no open run");
            // What it claimed is freed by the next one that needs it.
            assert_eq!(World { claims: 0, ..sandbox.world() }, served_by(SOURCE, HOME));
            sandbox.dr(&["switchover", "--yes"]).ends(0);
            assert_eq!(sandbox.world().claims, 0);
            return;
        }
        assert!(turn < 20, "twenty times its first event was there before it died");
        sandbox.dr(&["resume"]).ends(0);
    }
}

/// P6: a second process wants to begin, and to take over, while the first one drives.
#[test]
fn a_second_process_is_refused_while_the_first_drives() {
    let sandbox = Sandbox::up();
    let child = sandbox.begin(&["switchover", "--yes"]);
    until("the fence", || has(&sandbox.events(), "started", "promote/fence:orders").then_some(()));
    sandbox.dr(&["failover", "--yes"]).ends(12).tells("dr resume");
    sandbox.dr(&["switchover", "--yes"]).ends(12);
    sandbox.dr(&["resume"]).ends(23);
    finish(child).ends(0);
    assert_eq!(sandbox.world(), served_by(TARGET, [(1, 1), (3, 3)]));
    assert_eq!(sandbox.bundles().len(), 1);
}

/// P6: two processes want to go on with one dead run.
#[test]
fn of_two_who_resume_at_once_one_brings_it_to_its_end() {
    let sandbox = Sandbox::up();
    breaks(&sandbox);
    killed(&sandbox, &["failover", "--yes"], 12);
    let two = [0, 1].map(|_| sandbox.begin(&["resume"]));
    let mut ends = two.map(|child| std::thread::spawn(|| finish(child))).map(|end| end.join().unwrap());
    ends.sort_by_key(|said| said.code);
    // The second one came while the first drove it, or when nothing was open any more.
    assert!(matches!((ends[0].code, ends[1].code), (11, 23) | (1, 11)), "{ends:?}");
    is_recovered(&sandbox);
}

#[test]
fn the_first_interrupt_finishes_what_is_in_flight_and_leaves_a_run_that_goes_on() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let sandbox = Sandbox::up();
        let child = sandbox.begin(&["switchover", "--yes"]);
        let pid = rustix::process::Pid::from_child(&child);
        let mut running = Some(child);
        until("the fence", || has(&sandbox.events(), "started", "promote/fence:orders").then_some(()));
        rustix::process::kill_process(pid, signal).unwrap();
        let said = finish(running.take().unwrap()).ends(22).tells("dr resume").tells("NOBODY CAN WRITE");
        assert!(said.err.contains("dr abort"), "{said:?}");
        assert_eq!(sandbox.last_event()["why"], "interrupted");
        let in_doubt = sandbox.events().iter().filter(|entry| entry["event"] == "started").count();
        let over = sandbox.events().iter().filter(|entry| entry["event"] == "succeeded").count();
        assert_eq!(in_doubt, over, "something was in flight");
        assert!(sandbox.world().open_run);
        sandbox.dr(&["resume"]).ends(0);
        assert_eq!(sandbox.world(), served_by(TARGET, [(1, 1), (3, 3)]));
        sandbox.evidence_verifies();
    }
}
