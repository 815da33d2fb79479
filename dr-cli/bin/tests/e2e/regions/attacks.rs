//! What a network, a machine or a person does to the sandbox's real servers in the middle of a run.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::crashes::{
    AWAY, HOME, breaks, events_of_a_failover, events_of_a_switchover, length_of_the_next_journal,
};
use super::switchovers::served_by;
use crate::ledger::Clients;
use crate::support::{SOURCE, Said, Sandbox, TARGET, finish, until};
use crate::sweep::{Sweep, has, kill_at, told, wait_for};

/// Whether packets can be dropped here; says so if not.
fn can_drop_packets() -> bool {
    let usable =
        Command::new("nft").args(["list", "tables"]).output().is_ok_and(|said| said.status.success());
    let can = rustix::process::geteuid().is_root() && usable;
    if !can {
        eprintln!("SKIPPED: dropping packets needs root and nftables, and this machine offers not both");
    }
    can
}

/// A side's database servers.
fn servers(sandbox: &Sandbox, side: &str) -> Vec<u32> {
    let home = PathBuf::from(sandbox.state()["regions"][side]["home"].as_str().unwrap());
    let works_there =
        |pid: &u32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&home));
    let all = std::fs::read_dir("/proc").unwrap();
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(works_there).collect()
}

fn signal(pids: &[u32], signal: rustix::process::Signal) {
    for pid in pids {
        let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        // It may be gone.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Packets to a side are dropped, those from it pass: whoever calls it is not heard, and it is heard by nobody who waits
/// for an answer. Lifted when this is dropped.
struct OneWay(String);

impl OneWay {
    fn into(sandbox: &Sandbox, side: &str) -> Self {
        let address = sandbox.state()["regions"][side]["app"].as_str().unwrap().to_owned();
        let region = format!("{}.0/24", address.rsplit_once(':').unwrap().0.rsplit_once('.').unwrap().0);
        let one_way = Self(format!("dr_test_{}", std::process::id()));
        let table = &one_way.0;
        nft(&format!(
            "add table ip {table}
add chain ip {table} inward {{ type filter hook input priority -160; policy accept; }}
add rule ip {table} inward ip saddr != {region} ip daddr {region} counter drop
"
        ));
        one_way
    }
}

impl Drop for OneWay {
    fn drop(&mut self) {
        nft(&format!("delete table ip {}\n", self.0));
    }
}

fn nft(script: &str) {
    let mut child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{script}");
}

/// How long a strike lasts at most: the run's end ends it before.
const LASTS: Duration = Duration::from_secs(12);

/// Begins a run, does that to the world as soon as its journal holds so many events, lifts it when the drive has ended or
/// it has lasted, and waits for the drive's end. Says at which event it struck.
fn struck<T>(
    sandbox: &Sandbox,
    arguments: &[&str],
    moment: usize,
    strike: impl FnOnce() -> T,
    lift: impl FnOnce(T),
) -> (Said, String) {
    let held = length_of_the_next_journal(sandbox);
    let mut child = sandbox.begin(arguments);
    wait_for(&mut child, moment, held);
    let at = told(sandbox.events().last());
    let struck = strike();
    let until = Instant::now() + LASTS;
    while child.try_wait().unwrap().is_none() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    lift(struck);
    (finish(child), format!("{} struck at {at}", arguments[0]))
}

/// Somebody goes on with the run until it is over, however often it takes.
#[track_caller]
fn goes_on(sandbox: &Sandbox, first: &Said) -> Vec<i32> {
    let mut codes = vec![first.code];
    while sandbox.world().open_run {
        let said = sandbox.dr(&["resume"]);
        assert!(codes.len() < 4, "it is never over: {codes:?} {said:?}");
        codes.push(said.code);
    }
    codes
}

/// Where the one writer is.
#[track_caller]
fn the_writer(sandbox: &Sandbox) -> String {
    let world = sandbox.world();
    assert_eq!((world.writers.len(), world.claims, world.open_run), (1, 0, false), "{world:?}");
    world.writers[0].clone()
}

/// A switchover under a strike: it may succeed, turn back or wait for somebody, and never loses a row.
fn a_planned_round<T>(sandbox: &Sandbox, moment: usize, strike: impl FnOnce(&Sandbox) -> T) -> String {
    let clients = Clients::begin(sandbox, "struck");
    sandbox.serves();
    let lift = |struck| {
        drop(struck);
        sandbox.sandbox(&["heal"]).ends(0);
    };
    let (said, at) = struck(sandbox, &["switchover", "--yes"], moment, || strike(sandbox), lift);
    let codes = goes_on(sandbox, &said);
    let writer = the_writer(sandbox);
    let lost = clients.lost_nothing(sandbox, &writer);
    sandbox.serves();
    sandbox.evidence_verifies();
    format!("{at}: {codes:?}, {writer} writes; {lost}")
}

/// P5 and P8: packets to and from the source are dropped in the middle of a switchover, at any event.
#[test]
fn a_switchover_whose_source_is_cut_off_at_any_event_loses_nothing() {
    const TEST: &str = "regions::attacks::a_switchover_whose_source_is_cut_off_at_any_event_loses_nothing";
    if !can_drop_packets() {
        return;
    }
    let sweep = Sweep::of(("e2e", TEST), events_of_a_switchover(), 1);
    let cut = |sandbox: &Sandbox| drop(sandbox.sandbox(&["partition", "source"]).ends(0));
    let round = |sandbox: &Sandbox, moment| a_planned_round(sandbox, moment, cut);
    sweep.rounds_afresh(Sandbox::up, round, Sandbox::events);
}

/// P5 and P8: the same where only the packets to the source are dropped.
#[test]
fn a_switchover_whose_source_hears_nothing_from_any_event_on_loses_nothing() {
    const TEST: &str =
        "regions::attacks::a_switchover_whose_source_hears_nothing_from_any_event_on_loses_nothing";
    if !can_drop_packets() {
        return;
    }
    let sweep = Sweep::of(("e2e", TEST), events_of_a_switchover(), 1);
    let round =
        |sandbox: &Sandbox, moment| a_planned_round(sandbox, moment, |sandbox| OneWay::into(sandbox, SOURCE));
    sweep.rounds_afresh(Sandbox::up, round, Sandbox::events);
}

/// P7: the lost source is started again at any event of the failover from it.
/// Found: a source that comes up between its fence and the promotion, barred and as a standby, is rightly no ground for a
/// promotion, but no resume fences it anew: the run has to be aborted and begun again.
#[test]
fn a_failover_whose_source_returns_at_any_event_ends_with_one_writer() {
    const TEST: &str = "regions::attacks::a_failover_whose_source_returns_at_any_event_ends_with_one_writer";
    let sweep = Sweep::of(("e2e", TEST), events_of_a_failover(), 1);
    let round = |sandbox: &Sandbox, moment| {
        let clients = Clients::begin(sandbox, "returned");
        sandbox.serves();
        let cut = breaks(sandbox);
        // Whether it starts at all, the run and its start gate decide.
        let start = || sandbox.sandbox(&["heal"]).code;
        let (said, at) = struck(sandbox, &["failover", "--yes"], moment, start, drop);
        let codes = if said.code == 20 { begins_again(sandbox) } else { vec![said.ends(11).code] };
        let writer = the_writer(sandbox);
        let lost = clients.lost_what_was_reported(sandbox, &writer, cut, &sandbox.metrics());
        sandbox.serves();
        sandbox.evidence_verifies();
        format!("{at}: {codes:?}, {writer} writes; {lost}")
    };
    sweep.rounds_afresh(Sandbox::up, round, Sandbox::events);
}

/// A failover that is held: a resume brings it to its end, or an abort does and another failover.
#[track_caller]
fn begins_again(sandbox: &Sandbox) -> Vec<i32> {
    let resumed = sandbox.dr(&["resume"]).code;
    if resumed != 20 {
        assert_eq!(resumed, 11);
        return vec![20, resumed];
    }
    sandbox.dr(&["abort", "--reason", "it is held for ever"]).ends(14);
    vec![20, 20, 14, sandbox.dr(&["failover", "--yes"]).ends(11).code]
}

/// P7: SIGSTOP to the primary, and SIGCONT when the other side has been promoted: its control killed it meanwhile.
#[test]
fn a_primary_that_sleeps_is_fenced_and_never_wakes_to_a_write() {
    let sandbox = Sandbox::up();
    let clients = Clients::begin(&sandbox, "slept");
    sandbox.serves();
    let asleep = servers(&sandbox, SOURCE);
    assert!(asleep.len() > 3, "{asleep:?}");
    let cut = dr_core::Timestamp::system();
    signal(&asleep, rustix::process::Signal::STOP);
    sandbox.dr(&["failover", "--yes"]).ends(11);
    signal(&asleep, rustix::process::Signal::CONT);
    sandbox.serves();
    assert_eq!(the_writer(&sandbox), TARGET);
    assert_eq!(servers(&sandbox, SOURCE), [] as [u32; 0]);
    clients.lost_what_was_reported(&sandbox, TARGET, cut, &sandbox.metrics());
    sandbox.evidence_verifies();
}

/// P7: the same behind a partition, where no control reaches it: the plan accepts the silence, the guard meets it when it
/// wakes, and what it wrote alone is reported and kept.
#[test]
fn a_primary_that_sleeps_behind_a_partition_is_fenced_when_it_wakes_and_its_writes_are_reported() {
    if !can_drop_packets() {
        return;
    }
    let sandbox = Sandbox::with(&["--hard"]);
    let beats = sandbox.dir().join("runs/heartbeats");
    until("two who measure", || (std::fs::read_dir(&beats).ok()?.count() >= 2).then_some(()));
    let asleep = servers(&sandbox, SOURCE);
    signal(&asleep, rustix::process::Signal::STOP);
    sandbox.sandbox(&["partition", "source"]).ends(0);
    sandbox.dr(&["failover", "--yes"]).ends(11);
    sandbox.serves();
    // It wakes in the dark: whoever writes inside the region is served by it.
    signal(&asleep, rustix::process::Signal::CONT);
    let inside = || -> Option<u64> {
        let stats = std::fs::read(sandbox.dir().join(format!("inside-{SOURCE}.json"))).ok()?;
        serde_json::from_slice::<Value>(&stats).ok()?["acked"].as_u64()
    };
    let before = until("the writer inside", inside);
    until("writes inside", || (inside()? > before + 5).then_some(()));
    let guard = sandbox.begin(&["guard", "--for", "2m"]);
    sandbox.sandbox(&["heal"]).ends(0);
    finish(guard).ends(0);
    assert_eq!(sandbox.world().writers, [TARGET]);
    let fenced = inside();
    sandbox.serves();
    assert_eq!(inside(), fenced, "the old primary takes writes");
    sandbox.dr(&["protect", "--yes"]).ends(0);
    let metrics = sandbox.metrics();
    assert!(metrics["stray_writes"].as_u64() >= Some(5), "{metrics:#}");
    let world = sandbox.world();
    assert_eq!(
        (world.writers, world.source_role),
        (vec![TARGET.to_owned()], "standby, receiving".to_owned())
    );
    sandbox.evidence_verifies();
}

/// P5 and P29: the source swallows every packet, its control too, and the plan accepts no silence.
#[test]
fn without_the_plans_word_nothing_is_promoted_beside_a_source_that_only_swallows_packets() {
    if !can_drop_packets() {
        return;
    }
    let sandbox = Sandbox::up();
    let undisturbed = sandbox.world();
    let clients = Clients::begin(&sandbox, "swallowed");
    sandbox.serves();
    sandbox.sandbox(&["partition", "source"]).ends(0);
    sandbox.dr(&["failover", "--yes"]).ends(20).tells("dr resume");
    assert_eq!(sandbox.world().target_role.split(',').next(), Some("standby"));
    sandbox.sandbox(&["heal"]).ends(0);
    sandbox.dr(&["abort", "--reason", "it is back"]).ends(14);
    until("the standby back", || (sandbox.world() == undisturbed).then_some(()));
    clients.nobody_wrote_on(TARGET);
    clients.lost_nothing(&sandbox, SOURCE);
    sandbox.evidence_verifies();
}

/// P9: both sides promoted by hand.
#[test]
fn two_sides_that_were_promoted_by_hand_are_told_first_and_nothing_is_moved() {
    let sandbox = Sandbox::up();
    sandbox.asked(TARGET, "select pg_promote()");
    let said = sandbox.dr(&["status"]).ends(40);
    assert!(said.out.lines().next().unwrap().contains("TWO WRITABLE"), "{said:?}");
    for verb in ["switchover", "failback", "failover", "protect"] {
        let said = sandbox.dr(&[verb, "--yes"]);
        assert!([12, 13, 20].contains(&said.code), "{verb}: {said:?}");
        if sandbox.world().open_run {
            sandbox.dr(&["abort", "--reason", "by hand"]).ends(14);
        }
        let world = sandbox.world();
        assert_eq!((world.writers.len(), world.staff, world.claims), (2, HOME, 0), "{verb}: {said:?}");
    }
    sandbox.evidence_verifies();
}

/// P10 and P44: the process that rewinds the old primary is killed half-way, and whoever drove it too: nothing starts the
/// node, and a repeat finishes.
#[test]
fn a_rewind_that_is_killed_half_way_is_never_started_and_a_repeat_finishes() {
    let sandbox = Sandbox::up();
    // What the standby never receives is what the old primary alone has.
    let receiver = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("walreceiver"))
    };
    let receivers: Vec<u32> = servers(&sandbox, TARGET).into_iter().filter(receiver).collect();
    signal(&receivers, rustix::process::Signal::STOP);
    sandbox.serves();
    breaks(&sandbox);
    signal(&receivers, rustix::process::Signal::CONT);
    sandbox.dr(&["failover", "--yes"]).ends(11);

    let held = length_of_the_next_journal(&sandbox);
    let mut child = sandbox.begin(&["protect", "--yes"]);
    wait_for(&mut child, 1, held);
    let marker = || {
        let data = sandbox.state()["regions"][SOURCE]["home"].as_str().unwrap().to_owned();
        let marker = std::fs::read_to_string(format!("{data}/.pgdata.dr-following")).unwrap_or_default();
        marker.contains("rewind").then_some(())
    };
    until("the rewind's marker", || {
        assert!(child.try_wait().unwrap().is_none(), "it was over before");
        marker()
    });
    kill_at(child, 0, || 0);
    signal(&servers(&sandbox, SOURCE), rustix::process::Signal::KILL);
    let healed = sandbox.sandbox(&["heal"]).ends(0);
    assert!(healed.out.contains("stays down"), "{healed:?}");
    assert_eq!(sandbox.world().writers, [TARGET]);
    if has(&sandbox.events(), "started", "protect/follow:orders") {
        sandbox.dr(&["resume"]).ends(0);
    } else {
        sandbox.dr(&["resume"]);
    }
    let world = sandbox.world();
    assert_eq!(
        (world.writers, world.source_role),
        (vec![TARGET.to_owned()], "standby, receiving".to_owned())
    );
    sandbox.dr(&["failback", "--yes"]).ends(0);
    assert_eq!(sandbox.world(), served_by(SOURCE, HOME));
    sandbox.dr(&["switchover", "--yes"]).ends(0);
    assert_eq!(sandbox.world(), served_by(TARGET, AWAY));
    sandbox.evidence_verifies();
}
