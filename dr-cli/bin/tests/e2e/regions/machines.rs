//! What machines read: every line is JSON, and all the ways to tell the end agree.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::switchovers::served_by;
use crate::support::{SOURCE, Said, Sandbox, TARGET};

/// The exit code, the first and the last line, the figures and the journal say the same.
#[track_caller]
fn agree(sandbox: &Sandbox, said: &Said, code: i32, end: &str) {
    let lines = said.lines();
    assert_eq!(said.code, code, "{said:?}");
    assert_eq!(lines.first().expect("a line")["type"], "version");
    assert!(lines[1..lines.len() - 1].iter().all(|line| line["type"] == "event"), "{said:?}");
    let summary = said.summary();
    assert_eq!(
        (&summary["type"], &summary["end"], &summary["exit"]),
        (&"summary".into(), &end.into(), &code.into())
    );
    let (metrics, last) = (sandbox.metrics(), sandbox.last_event());
    let of_metrics = if metrics["ending"].is_null() { &metrics["suspended"] } else { &metrics["ending"] };
    let of_journal = if last["event"] == "ended" { &last["ending"] } else { &last["why"] };
    assert_eq!((of_metrics, of_journal), (&Value::from(end), &Value::from(end)), "{metrics:#} {last:#}");
    assert_eq!((&metrics["run"], &summary["run"]), (&summary["run"], &metrics["run"]));
    assert_eq!(summary["events"], last["seq"]);
    sandbox.evidence_verifies();
}

/// A plan that is the sandbox's with one text in another's place.
fn changed(sandbox: &Sandbox, from: &str, to: &str) -> String {
    let plan = std::fs::read_to_string(sandbox.plan()).unwrap();
    assert!(plan.contains(from), "`{from}` is not in {plan}");
    let path = sandbox.beside("changed.yaml");
    std::fs::write(&path, plan.replacen(from, to, 1)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// P14: exit code, last line of JSON, metrics and summary of one run agree.
#[test]
fn a_success_a_refusal_a_roll_back_and_nothing_to_do_are_told_alike_everywhere() {
    let sandbox = Sandbox::up();
    let undisturbed = sandbox.world();

    let observe = "{ observe: services, in: target, expect: { ready: all } }";
    let refused = changed(&sandbox, observe, "{ probe: shop, served_by: target, within: 1s }");
    agree(&sandbox, &sandbox.dr(&["switchover", "--yes", "--json", &refused]), 12, "refused");
    assert_eq!(sandbox.world(), undisturbed);

    let doomed = "  - name: doomed\n    within: 2s\n    after: [scale_up]\n    steps:\n      - { probe: shop, served_by: target }\n";
    let promote = "  - name: promote\n    within: 15s\n";
    let rolled_back = changed(&sandbox, promote, &format!("{doomed}{promote}    after: [doomed]\n"));
    let plan = std::fs::read_to_string(&rolled_back).unwrap().replace("rto: 1m", "rto: 2m");
    std::fs::write(&rolled_back, plan).unwrap();
    agree(&sandbox, &sandbox.dr(&["switchover", "--yes", "--json", &rolled_back]), 13, "rolled_back");
    assert_eq!(sandbox.world(), undisturbed);

    agree(&sandbox, &sandbox.dr(&["switchover", "--yes", "--json"]), 0, "succeeded");
    assert_eq!(sandbox.world(), served_by(TARGET, [(1, 1), (3, 3)]));

    agree(&sandbox, &sandbox.dr(&["switchover", "--yes", "--json"]), 0, "nothing_to_do");
    assert_eq!(sandbox.world(), served_by(TARGET, [(1, 1), (3, 3)]));

    let said = sandbox.dr(&["failback", "--yes", "--json", "/nowhere"]).ends(3);
    assert_eq!((&said.lines()[0]["type"], &said.summary()["exit"]), (&"version".into(), &3.into()));
    let history = sandbox.dr(&["history"]).ends(0).out;
    for end in ["refused", "rolled back", "succeeded", "nothing to do"] {
        assert!(history.contains(end), "{history}");
    }
}

/// P14: the same past the point of no return.
#[test]
fn a_failure_past_the_point_of_no_return_is_held_and_told_alike_everywhere() {
    let sandbox = Sandbox::up();
    sandbox.sandbox(&["break", "source"]).ends(0);
    let world = sandbox.dir().join("pids/world");
    let world: Value = serde_json::from_slice(&std::fs::read(world).unwrap()).unwrap();
    let pid = Pid::from_raw(i32::try_from(world["pid"].as_i64().unwrap()).unwrap()).unwrap();
    // Nobody answers for the name any more, and callers cannot be sent anywhere.
    kill_process(pid, Signal::STOP).unwrap();
    let said = sandbox.dr(&["failover", "--yes", "--json"]);
    kill_process(pid, Signal::CONT).unwrap();
    agree(&sandbox, &said, 20, "held");
    assert_eq!(said.summary()["past_no_return"], true);
    let held = sandbox.world();
    assert!(held.open_run && held.claims > 0, "{held:?}");
    assert_eq!(held.writers, [TARGET]);

    agree(&sandbox, &sandbox.dr(&["resume", "--json"]), 11, "recovered");
    let world = sandbox.world();
    assert_eq!((world.routed.as_str(), world.claims, world.open_run), (TARGET, 0, false));
    sandbox.serves();

    sandbox.sandbox(&["heal"]).ends(0);
    agree(&sandbox, &sandbox.dr(&["protect", "--yes", "--json"]), 0, "succeeded");
    sandbox.dr(&["failback", "--yes"]).ends(0);
    assert_eq!(sandbox.world(), served_by(SOURCE, [(3, 3), (1, 1)]));
}

#[test]
fn a_full_disk_under_the_journal_ends_a_run_before_anything_is_touched() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: a small disk of one's own needs root");
        return;
    }
    let sandbox = Sandbox::up();
    let undisturbed = sandbox.world();
    let disk = sandbox.beside("disk");
    std::fs::create_dir(&disk).unwrap();
    // In a mount namespace of its own: the disk goes with the command.
    let script =
        r#"mount -t tmpfs -o size=64k none "$0" && head -c 60000 /dev/zero >"$0/ballast" && exec "$@""#;
    let dr = sandbox.command(&["switchover", "--yes", "--json", "--state"]);
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .arg(&disk)
        .arg(dr.get_program())
        .args(dr.get_args())
        .arg(&disk);
    for (name, value) in dr.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(sandbox.beside(""));
    let said = crate::support::run(&mut command).ends(24).tells("o space left");
    assert_eq!(said.summary()["exit"], 24, "{said:?}");
    assert_eq!(sandbox.world(), undisturbed);
    sandbox.serves();
}
