//! P6: two operators at once. With one state store one of them is refused; without one, which no lease can see, what they
//! read of the world is all that keeps them from ending with two writers.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::crashes::{breaks, events_of_a_failover, events_of_a_switchover, length_of_the_next_journal};
use crate::ledger::Clients;
use crate::support::{Said, Sandbox, finish, run};
use crate::sweep::{Sweep, told, wait_for};

/// Another operator of the same service, whose state store and evidence are on another machine.
struct Rival<'a> {
    sandbox: &'a Sandbox,
    plan: PathBuf,
    home: PathBuf,
}

impl<'a> Rival<'a> {
    fn of(sandbox: &'a Sandbox) -> Self {
        let home = sandbox.beside("rival");
        std::fs::create_dir_all(&home).unwrap();
        let text = std::fs::read_to_string(sandbox.plan()).unwrap();
        let own = format!("state: {{ at: {}, local: true }}", home.join("runs").display());
        let lines = text.lines().map(|line| if line.starts_with("state:") { &own } else { line });
        let plan = sandbox.dir().join("rival.yaml");
        std::fs::write(&plan, lines.collect::<Vec<_>>().join("\n")).unwrap();
        Self { sandbox, plan, home }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.command(arguments);
        command.env("DR_PLAN", &self.plan).env("DR_EVIDENCE", self.home.join("evidence"));
        command
    }

    fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn dr(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments))
    }
}

/// Whether nothing is open any more where that command was said.
fn is_over(said: &Said) -> bool {
    said.code == 1 && said.err.contains("no open run")
}

/// Goes on, or gives up, until nothing of it is open.
#[track_caller]
fn settles(first: &Said, dr: impl Fn(&[&str]) -> Said) -> Vec<i32> {
    let mut codes = vec![first.code];
    for turn in 0..6 {
        let give_up = ["abort", "--reason", "somebody else moves this service"];
        let said = if turn < 2 { dr(&["resume"]) } else { dr(&give_up) };
        if is_over(&said) {
            return codes;
        }
        codes.push(said.code);
    }
    panic!("it is never over: {codes:?}, first {first:?}")
}

/// Two at once: one begins, the other does as soon as the first one's journal holds so many events.
fn two_at_once(sandbox: &Sandbox, verb: &str, moment: usize) -> (String, Vec<i32>, Vec<i32>) {
    let rival = Rival::of(sandbox);
    let held = length_of_the_next_journal(sandbox);
    let mut first = sandbox.begin(&[verb, "--yes"]);
    wait_for(&mut first, moment, held);
    let at = told(sandbox.events().last());
    let second = rival.begin(&[verb, "--yes"]);
    let (first, second) = (finish(first), finish(second));
    (at, settles(&first, |words| sandbox.dr(words)), settles(&second, |words| rival.dr(words)))
}

/// P6: two processes begin the same failover on one state store.
#[test]
fn of_two_failovers_begun_at_once_one_goes_and_the_other_touches_nothing() {
    let sandbox = Sandbox::up();
    breaks(&sandbox);
    let two = [0, 1].map(|_| sandbox.begin(&["failover", "--yes"]));
    let mut ends = two.map(|child| std::thread::spawn(|| finish(child))).map(|end| end.join().unwrap());
    ends.sort_by_key(|said| said.code);
    assert_eq!((ends[0].code, ends[1].code), (11, 12), "{ends:?}");
    let journals = sandbox.runs().into_iter().map(|run| std::fs::read_to_string(run.join("journal.ndjson")));
    let acted = journals.filter(|text| {
        text.as_ref().is_ok_and(|text| text.contains(r#""event":"started","step":"promote/"#))
    });
    assert_eq!(acted.count(), 1);
    sandbox.serves();
    sandbox.evidence_verifies();
}

/// P6: two who share no state store switch the same service over, the second one beginning at any event of the first.
#[test]
fn a_rival_switchover_that_begins_at_any_event_loses_nothing() {
    const TEST: &str = "regions::rivals::a_rival_switchover_that_begins_at_any_event_loses_nothing";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_switchover(), 2);
    let round = |sandbox: &Sandbox, moment| {
        let clients = Clients::begin(sandbox, "rivals");
        sandbox.serves();
        let (at, first, second) = two_at_once(sandbox, "switchover", moment);
        let world = sandbox.world();
        assert_eq!(world.writers.len(), 1, "{world:?} {first:?} {second:?}");
        let lost = clients.lost_nothing(sandbox, &world.writers[0]);
        sandbox.serves();
        format!("the second began at {at}: {first:?} {second:?}, {} writes; {lost}", world.writers[0])
    };
    sweep.rounds_afresh(Sandbox::up, round, Sandbox::events);
}

/// P6: the same with two failovers from a source that is gone.
#[test]
fn a_rival_failover_that_begins_at_any_event_leaves_one_writer() {
    const TEST: &str = "regions::rivals::a_rival_failover_that_begins_at_any_event_leaves_one_writer";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_failover(), 2);
    let round = |sandbox: &Sandbox, moment| {
        let clients = Clients::begin(sandbox, "rivals");
        sandbox.serves();
        breaks(sandbox);
        let (at, first, second) = two_at_once(sandbox, "failover", moment);
        let world = sandbox.world();
        assert_eq!(world.writers, [crate::support::TARGET], "{world:?} {first:?} {second:?}");
        clients.one_writer_at_a_time();
        sandbox.serves();
        format!("the second began at {at}: {first:?} {second:?}")
    };
    sweep.rounds_afresh(Sandbox::up, round, Sandbox::events);
}
