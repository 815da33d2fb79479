//! SIGKILL at many moments, then another process goes on.

use std::process::Child;

use serde_json::Value;

use super::switchovers::served_by;
use crate::support::{SOURCE, Sandbox, TARGET, finish, until};

/// A moment of a run: an event of a step, or of none.
type Moment = (&'static str, &'static str);

fn has_come(events: &[Value], (event, step): Moment) -> bool {
    let is = |entry: &Value| entry["event"] == event && (step.is_empty() || entry["step"] == step);
    events.iter().any(is)
}

/// Begins a run and kills it at that moment.
fn killed(sandbox: &Sandbox, arguments: &[&str], moment: Moment) {
    let before = sandbox.runs();
    let child = sandbox.begin(arguments);
    at(sandbox, &before, moment, child, |child| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

fn at(
    sandbox: &Sandbox,
    before: &[std::path::PathBuf],
    moment: Moment,
    mut child: Child,
    then: impl FnOnce(&mut Child),
) {
    until(&format!("{moment:?}"), || {
        let is_new = sandbox.runs().len() > before.len();
        let over = child.try_wait().unwrap();
        assert!(
            over.is_none() || has_come(&sandbox.events(), moment),
            "it ended before {moment:?}: {over:?}"
        );
        (is_new && has_come(&sandbox.events(), moment)).then_some(())
    });
    then(&mut child);
}

const FAILOVER: [Moment; 8] = [
    ("began", ""),
    ("started", "scale_up/scale:services"),
    ("started", "promote/fence:orders"),
    ("succeeded", "promote/fence:orders"),
    ("started", "promote/promote:orders"),
    ("succeeded", "promote/promote:orders"),
    ("started", "dns_update/route:entry"),
    ("ended", ""),
];

/// P21 and P34: SIGKILL at each moment of a failover of real databases.
#[test]
fn a_failover_that_is_killed_at_any_moment_is_resumed_to_the_same_end() {
    for moment in FAILOVER {
        let sandbox = Sandbox::up();
        sandbox.sandbox(&["break", "source"]).ends(0);
        killed(&sandbox, &["failover", "--yes"], moment);
        let said = sandbox.dr(&["resume"]);
        assert_eq!(said.code, 11, "{moment:?}: {said:?}");
        let world = sandbox.world();
        assert_eq!((&world.writers[..], &world.routed[..]), (&[TARGET.to_owned()][..], TARGET), "{moment:?}");
        assert_eq!((world.claims, world.debts, world.open_run), (0, 1, false), "{moment:?}");
        assert_eq!(sandbox.last_event()["ending"], "recovered", "{moment:?}");
        assert_eq!(sandbox.bundles().len(), 1, "{moment:?}");
        sandbox.evidence_verifies();
        sandbox.serves();
    }
}

const SWITCHOVER: [Moment; 10] = [
    ("driven", ""),
    ("started", "scale_up/scale:services"),
    ("started", "promote/fence:orders"),
    ("succeeded", "promote/fence:orders"),
    ("started", "promote/promote:orders"),
    ("succeeded", "promote/promote:orders"),
    ("started", "dns_update/route:entry"),
    ("started", "health_check/probe:shop"),
    ("started", "reprotect/follow:orders"),
    ("ended", ""),
];

/// P21 and P34: SIGKILL at each moment of a switchover.
#[test]
fn a_switchover_that_is_killed_at_any_moment_is_resumed_to_the_same_end() {
    let sandbox = Sandbox::up();
    for (round, moment) in SWITCHOVER.into_iter().enumerate() {
        let (verb, side, staff) = match round % 2 {
            0 => ("switchover", TARGET, [(1, 1), (3, 3)]),
            _ => ("failback", SOURCE, [(3, 3), (1, 1)]),
        };
        killed(&sandbox, &[verb, "--yes"], moment);
        let said = sandbox.dr(&["resume"]);
        assert_eq!(said.code, 0, "{moment:?}: {said:?}");
        assert_eq!(sandbox.world(), served_by(side, staff), "{moment:?}");
        assert_eq!(sandbox.last_event()["ending"], "succeeded", "{moment:?}");
        assert_eq!(sandbox.metrics()["lost_writes"], 0, "{moment:?}");
        sandbox.serves();
    }
    assert_eq!(sandbox.bundles().len(), SWITCHOVER.len());
    sandbox.evidence_verifies();
}

/// P21: SIGKILL, then `dr abort`.
#[test]
fn a_switchover_that_is_killed_before_the_point_of_no_return_can_be_put_back() {
    let sandbox = Sandbox::up();
    let undisturbed = sandbox.world();
    for moment in &SWITCHOVER[..4] {
        killed_before_no_return(&sandbox, *moment);
        let said = sandbox.dr(&["abort", "--reason", "a drill of the drill"]);
        assert_eq!(said.code, 14, "{moment:?}: {said:?}");
        assert_eq!(sandbox.last_event()["ending"], "aborted", "{moment:?}");
        let world = until("the standby back", || {
            let world = sandbox.world();
            (world.target_role == undisturbed.target_role).then_some(world)
        });
        assert_eq!(world, undisturbed, "{moment:?}");
        sandbox.serves();
    }
    sandbox.evidence_verifies();
}

/// Begins a switchover and kills it at that moment. The next intent may be durable before the signal lands, and past the
/// point of no return an abort rightly does not go back: then the run is finished, undone by a failback, and tried again.
fn killed_before_no_return(sandbox: &Sandbox, moment: Moment) {
    for _ in 0..5 {
        killed(sandbox, &["switchover", "--yes"], moment);
        if !has_come(&sandbox.events(), ("started", "promote/promote:orders")) {
            return;
        }
        sandbox.dr(&["resume"]).ends(0);
        sandbox.dr(&["failback", "--yes"]).ends(0);
    }
    panic!("five times the promotion's intent was durable before {moment:?} was seen");
}

#[test]
fn a_second_process_is_refused_while_the_first_drives() {
    let sandbox = Sandbox::up();
    let child = sandbox.begin(&["switchover", "--yes"]);
    at(&sandbox, &[], ("started", "promote/fence:orders"), child, |child| {
        sandbox.dr(&["failover", "--yes"]).ends(12).tells("dr resume");
        sandbox.dr(&["switchover", "--yes"]).ends(12);
        sandbox.dr(&["resume"]).ends(23);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    });
    assert_eq!(sandbox.world(), served_by(TARGET, [(1, 1), (3, 3)]));
    assert_eq!(sandbox.bundles().len(), 1);
}

#[test]
fn the_first_interrupt_finishes_what_is_in_flight_and_leaves_a_run_that_goes_on() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let sandbox = Sandbox::up();
        let child = sandbox.begin(&["switchover", "--yes"]);
        let pid = rustix::process::Pid::from_child(&child);
        let mut running = Some(child);
        until("the fence", || has_come(&sandbox.events(), ("started", "promote/fence:orders")).then_some(()));
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
