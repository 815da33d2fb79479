//! Bad input: the place, the way out, the right exit code, and nothing touched.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Said, dr, run};

const PLAN: &str = r#"schema: dr/v1
name: orders
source: here
target: there
budget: { rto: 1m, rpo: 10s }
state: { at: .dr, local: true }
resources:
  orders:
    kind: postgres
    application: { user: app, password: "${env:DR_E2E_APP}" }
    connect_timeout: 500ms
    sides:
      here: { url: "postgres://dr@127.0.0.1:1/orders", password: "${env:DR_E2E_PASSWORD}" }
      there: { url: "postgres://dr@127.0.0.1:2/orders", password: "${env:DR_E2E_PASSWORD}" }
  entry:
    kind: dns
    zone: example.test
    record: shop.example.test
    type: A
    ttl: 1s
    values: { here: 127.0.0.1, there: 127.0.0.2 }
    servers: ["127.0.0.1:3"]
    update: { server: "127.0.0.1:3", key: { name: k, algorithm: hmac-sha256, secret: "${env:DR_E2E_KEY}" } }
  shop: { kind: http, url: "http://127.0.0.1:4/health", served_by: { header: x-region } }
acknowledge:
  - { code: no-ledger, reason: a test }
  - { code: target-not-seen-ready, reason: a test }
  - { code: weak-verification, reason: a test }
measure:
  outage: { probe: shop, every: 100ms, recovered_after: 3 }
phases:
  - name: promote
    within: 10s
    steps:
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
  - name: send
    within: 5s
    steps:
      - { route: entry, to: target }
  - name: verify
    within: 10s
    steps:
      - { probe: shop, served_by: target, healthy_for: 1s }
"#;

/// A plan in a folder of its own, with its secrets in the environment.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn with(plan: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("dr.yaml"), plan).unwrap();
        Self { folder }
    }

    /// The plan with one text in another's place.
    fn changed(from: &str, to: &str) -> Self {
        assert!(PLAN.contains(from), "`{from}` is not in the plan");
        Self::with(PLAN.replacen(from, to, 1).as_bytes())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = dr();
        command.args(arguments).current_dir(self.path());
        for name in ["DR_E2E_APP", "DR_E2E_PASSWORD", "DR_E2E_KEY"] {
            command.env(name, "Y2FuYXJ5LW9mLWEtc2VjcmV0");
        }
        command
    }

    #[track_caller]
    fn dr(&self, arguments: &[&str]) -> Said {
        let said = run(&mut self.command(arguments));
        assert!(!format!("{said:?}").contains("Y2FuYXJ5"), "a secret in {said:?}");
        said
    }

    /// No run was begun, nothing is claimed, and there is no evidence.
    #[track_caller]
    fn is_untouched(&self) {
        let left: Vec<_> =
            std::fs::read_dir(self.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["dr.yaml"]);
    }

    /// The check refuses it and says why; so does a live run.
    #[track_caller]
    fn is_refused(&self, code: i32, tells: &[&str]) {
        for arguments in [&["check"][..], &["failover", "--yes"]] {
            let mut said = self.dr(arguments).ends(code);
            for text in tells {
                said = said.tells(text);
            }
        }
        self.is_untouched();
    }
}

#[test]
fn a_good_plan_passes() {
    Desk::with(PLAN.as_bytes()).dr(&["check"]).ends(0);
}

#[test]
fn a_plan_that_is_not_there_is_named() {
    let desk = Desk::with(PLAN.as_bytes());
    desk.dr(&["check", "elsewhere.yaml"]).ends(3).tells("elsewhere.yaml").tells("DR_PLAN");
    desk.dr(&["failover", "--yes", "."]).ends(3).tells("directory");
}

#[test]
fn an_empty_plan_says_what_to_begin_with() {
    Desk::with(b"").is_refused(3, &["the plan is empty", "schema: dr/v1"]);
    Desk::with(b"# nothing\n").is_refused(3, &["the plan is empty"]);
}

#[test]
fn a_plan_of_ten_megabytes_is_refused_at_once() {
    let began = Instant::now();
    Desk::with("# a comment that goes on\n".repeat(400_000).as_bytes())
        .is_refused(3, &["10000000 bytes", "is this the right file?"]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_file_that_never_ends_is_refused() {
    Desk::with(PLAN.as_bytes()).dr(&["failover", "--yes", "/dev/zero"]).ends(3).tells("right file?");
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    Desk::with(b"schema: dr/v1\nname: \xff\xfe\n").is_refused(3, &["not UTF-8", "dr.yaml:2:7"]);
}

#[test]
fn wrong_types_are_refused_with_their_place() {
    Desk::changed("rto: 1m", "rto: [1]").is_refused(3, &["`rto` is a list here", "dr.yaml:5:16"]);
    Desk::changed("name: orders", "name: { a: b }").is_refused(3, &["`name`", "dr.yaml:2:7"]);
    Desk::changed(
        "  - name: promote\n    within: 10s\n    steps:\n",
        "  - name: promote\n    steps: 7\n    x:\n",
    )
    .is_refused(3, &["`steps`", "dr.yaml:33:12"]);
}

#[test]
fn unknown_fields_are_refused_with_what_was_meant() {
    Desk::changed("budget:", "budgte:").is_refused(3, &["budgte", "did you mean `budget`?", "dr.yaml:5:1"]);
    Desk::changed("ttl: 1s", "tll: 1s").is_refused(3, &["tll", "did you mean `ttl`?", "dr.yaml:20:5"]);
    Desk::changed("{ fence: orders }", "{ fense: orders }").is_refused(3, &["did you mean `fence`?"]);
    Desk::changed("kind: postgres", "kind: postgers").is_refused(3, &["did you mean `postgres`?"]);
    Desk::changed("{ promote: orders,", "{ promote: order,").is_refused(3, &["did you mean `orders`?"]);
}

#[test]
fn a_cycle_is_refused_with_its_members() {
    Desk::changed("    within: 5s", "    within: 5s\n    after: [verify]")
        .is_refused(3, &["send/route:entry → verify/probe:shop → send/route:entry"]);
}

#[test]
fn duplicate_keys_are_refused_with_both_places() {
    Desk::changed("name: orders\n", "name: orders\nname: other\n").is_refused(3, &["at 2:1", "dr.yaml:3:1"]);
}

#[test]
fn absurd_durations_are_refused_with_their_place() {
    for absurd in ["99999999999999999999d", "-5s", "1e400s", "5", "\"1 fortnight\"", "0s", ".inf"] {
        let within = format!("within: {absurd}");
        Desk::changed("within: 5s", &within).is_refused(3, &["`within`", "dr.yaml:38:13", "10s"]);
    }
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    for (from, to) in [
        ("\"${env:DR_E2E_KEY}\"", "Y2FuYXJ5LW9mLWEtc2VjcmV0"),
        ("password: \"${env:DR_E2E_APP}\"", "password: Y2FuYXJ5LW9mLWEtc2VjcmV0"),
        ("postgres://dr@127.0.0.1:1/", "postgres://dr:Y2FuYXJ5LW9mLWEtc2VjcmV0@127.0.0.1:1/"),
    ] {
        Desk::changed(from, to).is_refused(3, &["${env:", "dr.yaml:"]);
    }
    // Another finding's line may hold one as well.
    Desk::changed("{ name: k, algorithm", "{ nam: k, secret: Y2FuYXJ5, algorithm").dr(&["check"]).ends(3);
}

#[test]
fn a_region_that_no_resource_knows_is_refused_with_those_that_are_known() {
    let desk = Desk::with(PLAN.as_bytes());
    for arguments in [
        &["failover", "--yes", "--from", "mars"][..],
        &["check", "--to", "mars"],
        &["status", "--from", "mars"],
    ] {
        let said = desk.dr(arguments);
        if said.code == 0 && arguments[0] == "status" {
            continue;
        }
        said.ends(2).tells("mars").tells("here, there");
    }
    desk.dr(&["failover", "--yes", "--to", "here"]).ends(2).tells("both `here`");
}

#[test]
fn a_secret_that_is_not_there_is_refused_by_its_name() {
    let desk = Desk::with(PLAN.as_bytes());
    for name in ["DR_E2E_APP", "DR_E2E_PASSWORD", "DR_E2E_KEY"] {
        let said =
            run(desk.command(&["failover", "--yes"]).env_remove(name)).ends(12).tells(name).tells("export");
        assert!(!said.err.contains("Y2FuYXJ5"), "{said:?}");
        run(desk.command(&["failover", "--yes"]).env(name, "")).ends(12).tells(name).tells("empty");
    }
    assert!(!desk.path().join(".dr/runs").exists() && !desk.path().join("evidence").exists());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let desk = Desk::with(PLAN.as_bytes());
    for verb in ["failover", "switchover", "failback", "drill"] {
        desk.dr(&[verb]).ends(12).tells("no terminal").tells("--yes");
    }
    assert!(!desk.path().join("evidence").exists());
}

#[test]
fn an_unknown_loss_is_not_covered_by_yes() {
    let plan = PLAN.replace("accept_loss: 10s", "accept_loss: unknown").replace("no-ledger", "loss-over-rpo");
    let desk =
        Desk::with(plan.replace(", rpo: 10s", ", rpo: unknown").replace(", rpo: unknown", "").as_bytes());
    desk.dr(&["failover", "--yes"]).ends(12).tells("unknown loss").tells("--override unknown-loss --reason");
}

#[test]
fn a_state_folder_that_cannot_be_is_refused_before_anything() {
    let desk = Desk::with(PLAN.as_bytes());
    let said = desk.dr(&["failover", "--yes", "--state", "/dev/null/x"]).ends(24).tells("/dev/null/x");
    said.tells("--state").tells("nothing was touched");
    desk.is_untouched();
}

#[test]
fn servers_that_refuse_connections_end_a_run_in_time_untouched() {
    let desk = Desk::with(PLAN.as_bytes());
    let began = Instant::now();
    let said = desk.dr(&["failover", "--yes"]).ends(12).tells("nothing touched");
    assert!(began.elapsed() < Duration::from_secs(60), "{said:?}");
    desk.dr(&["evidence", "verify", "evidence"]).ends(0);
    assert!(desk.dr(&["claims"]).ends(0).out.contains("no claims"));
}

/// P5: servers that accept and never answer.
#[test]
fn servers_that_take_connections_and_never_answer_end_a_run_in_time_untouched() {
    let black_holes: Vec<TcpListener> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let mut plan = PLAN.to_owned();
    for (listener, port) in black_holes.iter().zip(["127.0.0.1:1/", "127.0.0.1:2/", "127.0.0.1:4/"]) {
        plan = plan.replace(port, &format!("{}/", listener.local_addr().unwrap()));
    }
    let desk = Desk::with(plan.as_bytes());
    let began = Instant::now();
    let status = desk.dr(&["status"]).ends(0);
    assert!(began.elapsed() < Duration::from_secs(5), "{status:?}");
    assert!(status.out.contains("hung") && status.out.contains("not known"), "{status:?}");
    let said = desk.dr(&["failover", "--yes"]).ends(12).tells("nothing touched");
    assert!(began.elapsed() < Duration::from_secs(70), "{said:?}");
    desk.dr(&["evidence", "verify", "evidence"]).ends(0);
    assert!(desk.dr(&["claims"]).ends(0).out.contains("no claims"));
}
