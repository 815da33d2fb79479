//! A canary in every place where a secret can stand, servers that repeat all of them in their errors, and nothing of any
//! in what any command says or leaves.

mod echo;
mod places;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Said, dr, finish, run, until};
use echo::{Echo, Kind};
use places::{
    AWS_KEY, AWS_TOKEN, HTTP, KUBE_PLUG_IN, KUBE_SECRET, KUBE_TOKEN, MARK, PG_ADMIN, PG_APP, PLAN_KEY,
    PLAN_TOKEN, TSIG, found, search,
};

/// Every resource that takes a secret. `denies`, `answers` and `http` are the servers' addresses.
const PLAN: &str = r#"schema: dr/v1
name: canaries
source: here
target: there
budget: { rto: 1m, rpo: 10s }
state: { at: state, local: true }
resources:
  orders:
    kind: postgres
    application: { user: app, password: "${file:pg-app}" }
    connect_timeout: 500ms
    sides:
      here: { url: "postgres://dr@{denies}/orders", password: "${env:CANARY_PG}" }
      there: { url: "postgres://dr@{answers}/orders", password: "${env:CANARY_PG}" }
  entry:
    kind: dns
    zone: example.test
    record: shop.example.test
    type: A
    ttl: 1s
    values: { here: 127.0.0.1, there: 127.0.0.2 }
    servers: ["127.0.0.1:3"]
    update: { server: "127.0.0.1:3", key: { name: k, algorithm: hmac-sha256, secret: "${env:CANARY_TSIG}" } }
  shop: { kind: http, url: "http://{http}/well", served_by: { header: x-region } }
  sick:
    kind: http
    url: "http://{http}/sick"
    headers: { authorization: "Bearer ${file:http}" }
    served_by: { header: x-region }
  services:
    kind: kubernetes
    namespace: shop
    kubeconfig: kubeconfig
    contexts: { here: token, there: plug-in }
    secrets: { db: "${env:CANARY_KUBE}" }
  database:
    kind: rds
    sides: { here: { instance: one, region: us-east-1 }, there: { instance: two, region: eu-central-1 } }
    aws:
      endpoint: "http://{http}"
      keys: { id: AKIAPLAN, secret: "${env:CANARY_PLAN_KEY}", token: "${env:CANARY_PLAN_TOKEN}" }
  copies:
    kind: rds
    sides: { here: { instance: three, region: us-east-1 }, there: { instance: four, region: eu-central-1 } }
    aws: { endpoint: "http://{http}" }
acknowledge:
  - { code: no-ledger, reason: a test }
  - { code: weak-verification, reason: a test }
  - { code: target-not-seen-ready, reason: a test }
measure:
  outage:
    - { probe: shop, every: 50ms, recovered_after: 2 }
    - { probe: sick, every: 50ms, recovered_after: 2 }
phases:
"#;

/// A step that lets others look at the open run, and one that fails.
const ASKS: &str = r#"  - name: ask
    within: 20s
    steps:
      - { approve: "go on?" }
  - name: verify
    within: 2s
    steps:
      - { probe: sick, served_by: target, healthy_for: 100ms }
"#;

/// Steps of which each fails on its server's words.
const FAILS: &str = r#"  - name: promote
    within: 4s
    steps:
      - { scale: services, in: there, replicas: 3 }
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
  - name: send
    within: 2s
    steps:
      - { route: entry, to: target }
  - name: verify
    within: 2s
    steps:
      - { probe: shop, served_by: target, healthy_for: 100ms }
"#;

/// Steps that succeed.
const SUCCEEDS: &str = r#"  - name: verify
    within: 10s
    steps:
      - { probe: shop, served_by: target, healthy_for: 300ms }
"#;

const KUBECONFIG: &str = r#"apiVersion: v1
kind: Config
contexts:
- { name: token, context: { cluster: c, user: token } }
- { name: plug-in, context: { cluster: c, user: plug-in } }
clusters:
- { name: c, cluster: { server: "http://{http}" } }
users:
- { name: token, user: { token: "{token}" } }
- name: plug-in
  user:
    exec: { apiVersion: client.authentication.k8s.io/v1, command: sh, args: [plug-in], interactiveMode: Never }
"#;

/// A plan among servers that say too much.
struct Desk {
    folder: TempDir,
    denies: Echo,
    answers: Echo,
    http: Echo,
}

impl Desk {
    fn with(phases: &str) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            denies: Echo::that(Kind::Denies),
            answers: Echo::that(Kind::Answers),
            http: Echo::that(Kind::Http),
        };
        desk.write("dr.yaml", &format!("{PLAN}{phases}"));
        desk.write("kubeconfig", KUBECONFIG);
        desk.write("pg-app", &format!("{}\n", PG_APP.secret));
        desk.write("http", &format!("{}\n", HTTP.secret));
        let credential = format!(
            "'{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{{\"token\":\"{}\"}}}}'",
            KUBE_PLUG_IN.secret
        );
        desk.write("plug-in", &format!("echo {credential}\n"));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let mut text = text.replace("{token}", KUBE_TOKEN.secret);
        for (slot, server) in
            [("{denies}", &self.denies), ("{answers}", &self.answers), ("{http}", &self.http)]
        {
            text = text.replace(slot, &server.at.to_string());
        }
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = dr();
        command.args(arguments).current_dir(self.folder.path());
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").env("HOME", self.folder.path());
        for (name, place) in [
            ("CANARY_PG", PG_ADMIN),
            ("CANARY_TSIG", TSIG),
            ("CANARY_KUBE", KUBE_SECRET),
            ("CANARY_PLAN_KEY", PLAN_KEY),
            ("CANARY_PLAN_TOKEN", PLAN_TOKEN),
            ("AWS_SECRET_ACCESS_KEY", AWS_KEY),
            ("AWS_SESSION_TOKEN", AWS_TOKEN),
        ] {
            command.env(name, place.secret);
        }
        command.env("AWS_ACCESS_KEY_ID", "AKIAENV");
        command
    }

    /// Runs it; it shows nothing.
    #[track_caller]
    fn dr(&self, arguments: &[&str]) -> Said {
        shows_nothing(arguments, run(&mut self.command(arguments)))
    }

    fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The newest run's events.
    fn events(&self) -> Vec<Value> {
        let Ok(runs) = std::fs::read_dir(self.path("state/runs")) else { return Vec::new() };
        let newest = runs.map(|run| run.unwrap().path()).max();
        let text = newest
            .and_then(|run| std::fs::read_to_string(run.join("journal.ndjson")).ok())
            .unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn waits_for_approval(&self, runs: usize) {
        until("an approval that is waited for", || {
            let all = std::fs::read_dir(self.path("state/runs")).map_or(0, Iterator::count);
            let waits = |event: &Value| event["event"] == "started" && event["step"] == "ask/approve";
            (all == runs && self.events().iter().any(waits)).then_some(())
        });
    }

    /// Nothing that lies below holds a canary; says in how many files it was looked for.
    fn left(&self) -> usize {
        ["state", "evidence", "saved"]
            .iter()
            .map(|name| self.path(name))
            .filter(|path| path.exists())
            .map(|path| search(&path))
            .sum()
    }
}

#[track_caller]
fn shows_nothing(arguments: &[&str], said: Said) -> Said {
    for text in [&said.out, &said.err] {
        assert!(found(text).is_none(), "`dr {}` shows {:?}", arguments.join(" "), found(text));
    }
    said
}

/// What each server's words begin with.
const WORDS: [&str; 4] = ["the database says", "the cluster says", "the cloud says", "the shop for"];

/// P28: canaries in environment variables, files, headers, a kubeconfig, a plug-in's output and AWS credentials; servers
/// that repeat them all in 17 forms; and every command that looks and does not act.
#[test]
fn no_command_that_looks_shows_a_secret_that_a_server_repeats() {
    let desk = Desk::with(FAILS);
    std::fs::create_dir(desk.path("saved")).unwrap();
    let mut told = String::new();
    for arguments in [
        &["check"][..],
        &["runbook"],
        &["schema"],
        &["status"],
        &["status", "--json"],
        &["ready"],
        &["ready", "--json"],
        &["ready", "--with-source", "--json"],
        &["plan"],
        &["plan", "--json", "--verbose"],
        &["plan", "--unplanned", "-o", "saved/plan.json"],
        &["failover", "--dry-run"],
        &["switchover", "--dry-run", "--json"],
        &["measure", "--for", "200ms"],
        &["measure", "--for", "200ms", "--json"],
        &["measure", "--keep", "--samples", "--for", "1500ms", "--every", "200ms"],
        &["protect", "--yes"],
        &["protect", "--yes", "--json"],
        &["claims", "--json"],
        &["history", "--json"],
        &["abort"],
        &["resume", "--json"],
        &["failover", "--yes", "--json", "--verbose"],
        &["switchover", "--yes"],
        &["history"],
        &["evidence", "verify", "evidence"],
    ] {
        let said = desk.dr(arguments);
        told.push_str(&said.out);
        told.push_str(&said.err);
    }
    for words in WORDS {
        assert!(told.contains(words), "nobody heard `{words}` in {told}");
    }
    assert!(told.contains("•••"), "{told}");
    assert!(desk.left() >= 8, "only {} files", desk.left());
    // Each was really used.
    let password = |server: &Echo| server.heard(PG_ADMIN.secret);
    assert!(password(&desk.denies), "the password");
    for place in [HTTP, KUBE_TOKEN, KUBE_PLUG_IN, AWS_TOKEN, PLAN_TOKEN] {
        assert!(place.sent && desk.http.heard(place.secret), "{} was not sent", place.name);
    }
    for (name, place) in [("CANARY_TSIG", TSIG), ("CANARY_KUBE", KUBE_SECRET), ("CANARY_PLAN_KEY", PLAN_KEY)]
    {
        let said = run(desk.command(&["failover", "--yes"]).env_remove(name));
        assert!(said.code == 12 && said.err.contains(name), "{} is not used: {said:?}", place.name);
    }
}

/// P28: a run that fails on what servers say, looked at, killed, resumed and ended by others; and what it leaves.
#[test]
fn no_run_that_fails_leaves_a_secret() {
    let desk = Desk::with(ASKS);
    let first = ["failover", "--yes", "--json", "--verbose", "--reason", "a test"];
    let mut child = desk.begin(&first);
    desk.waits_for_approval(1);
    desk.dr(&["status"]).ends(0);
    desk.dr(&["status", "--json"]).ends(0);
    child.kill().unwrap();
    shows_nothing(&first, finish(child));

    let again = ["resume", "--take-over", "--reason", "a test", "--verbose"];
    let child = desk.begin(&again);
    until("a second owner", || {
        let driven = desk.events().iter().filter(|event| event["event"] == "driven").count();
        (driven == 2).then_some(())
    });
    desk.dr(&["approve", "ask/approve", "--reason", "a test"]).ends(0);
    let said = shows_nothing(&again, finish(child));
    assert!(said.code != 0 && WORDS.iter().any(|words| said.err.contains(words)), "{said:?}");

    let third = ["failover", "--yes"];
    let child = desk.begin(&third);
    desk.waits_for_approval(2);
    desk.dr(&["abort", "--reason", "a test", "--json"]);
    shows_nothing(&third, finish(child));
    desk.dr(&["history"]).ends(0);
    desk.dr(&["evidence", "verify", "evidence", "--json"]);
    for bundle in std::fs::read_dir(desk.path("evidence")).unwrap() {
        desk.dr(&["evidence", "show", bundle.unwrap().path().to_str().unwrap()]);
    }
    let journal = std::fs::read_to_string(journal_of(&desk.path("state"))).unwrap();
    assert!(journal.contains("•••"), "{journal}");
    assert!(desk.left() >= 8, "only {} files", desk.left());
}

/// P28: samples of a service that repeats what it was asked with, from the first one on.
///
/// Found: they lay on the disk as the service said them.
#[test]
fn no_run_that_succeeds_leaves_a_secret() {
    let desk = Desk::with(SUCCEEDS);
    let said = desk.dr(&["failover", "--yes"]);
    assert!(said.err.contains("SUCCEEDED"), "{said:?}");
    desk.dr(&["history", "--json"]).ends(0);
    desk.dr(&["evidence", "verify", "evidence"]).ends(0);
    let samples =
        std::fs::read_to_string(journal_of(&desk.path("state")).with_file_name("probes-2.ndjson")).unwrap();
    assert!(samples.contains("the shop for Bearer •••") && desk.http.heard(HTTP.secret), "{samples}");
    assert!(desk.left() >= 8, "only {} files", desk.left());
}

fn journal_of(state: &Path) -> PathBuf {
    let runs = std::fs::read_dir(state.join("runs")).unwrap();
    runs.map(|run| run.unwrap().path()).min().unwrap().join("journal.ndjson")
}

/// P28: a secret that somebody wrote into the plan itself, in each place that might take it. The plan is refused, and the
/// line is not shown.
///
/// Found: header values and URLs with tokens were taken, and lay in journals' plans and bundles; a text where a table was
/// meant was quoted, and so was its line.
#[test]
fn a_secret_in_the_plan_is_refused_and_not_shown() {
    let desk = Desk::with(FAILS);
    let good = std::fs::read_to_string(desk.path("dr.yaml")).unwrap();
    for (from, to) in [
        ("\"Bearer ${file:http}\"", "Bearer canary-1"),
        ("headers: { authorization: \"Bearer ${file:http}\" }", "headers: { x-shop-token: 'canary-1' }"),
        (
            "headers: { authorization: \"Bearer ${file:http}\" }",
            "headers: { authorization: \"${canary-1}\" }",
        ),
        ("/sick\"", "/sick?access_token=canary-1\""),
        ("/sick\"", "/sick?x=${canary-1}\""),
        ("url: \"http://", "url: \"http://canary-1@"),
        ("url: \"http://", "url: \"http://dr:canary-1@"),
        ("\"${env:CANARY_PG}\"", "canary-1"),
        ("\"${env:CANARY_PG}\"", "\"$env:canary-1\""),
        ("postgres://dr@", "postgres://dr:canary-1@"),
        ("\"${file:pg-app}\"", ">-\n        canary-1\n     "),
        ("\"${env:CANARY_TSIG}\"", "canary-1"),
        ("{ name: k, algorithm: hmac-sha256, secret: \"${env:CANARY_TSIG}\" }", "canary-1"),
        (
            "keys: { id: AKIAPLAN, secret: \"${env:CANARY_PLAN_KEY}\", token: \"${env:CANARY_PLAN_TOKEN}\" }",
            "keys: canary-1",
        ),
        ("secret: \"${env:CANARY_PLAN_KEY}\"", "secret: canary-1"),
        ("token: \"${env:CANARY_PLAN_TOKEN}\"", "token: [canary-1]"),
        ("secrets: { db: \"${env:CANARY_KUBE}\" }", "secrets: { db: canary-1 }"),
        ("secrets: { db: \"${env:CANARY_KUBE}\" }", "secrets: canary-1"),
        ("endpoint: \"http://", "endpoint: \"http://dr:canary-1@"),
        ("endpoint: \"http://", "endpiont: \"http://dr:canary-1@"),
        ("{ user: app, password: \"${file:pg-app}\" }", "{ user: app, Password: canary-1 }"),
        ("{ user: app, password: \"${file:pg-app}\" }", "{ user: app, passwrd: 1, password: canary-1 }"),
    ] {
        assert!(good.contains(from), "`{from}` is not in the plan");
        std::fs::write(desk.path("dr.yaml"), good.replacen(from, to, 1)).unwrap();
        for arguments in [&["check"][..], &["failover", "--yes", "--json"]] {
            let said = run(&mut desk.command(arguments));
            let shown = format!("{}{}", said.out, said.err);
            assert!(!shown.contains(MARK), "`{to}` is shown: {shown}");
            assert_eq!(said.code, 3, "`{to}` is taken: {shown}");
        }
    }
    assert!(!desk.path("state").exists() && !desk.path("evidence").exists());
}

/// P28: a plug-in that writes its token and then fails, and a proxy before an API server that repeats what it was sent.
///
/// Found: all that the plug-in wrote was told, and the beginning of a token that the error was cut in.
#[test]
fn a_plug_in_that_fails_and_a_proxy_that_repeats_show_nothing() {
    let desk = Desk::with(FAILS);
    desk.write("plug-in", "echo canary-1\necho expired >&2\nexit 3\n");
    let said = desk.dr(&["ready"]);
    assert!(said.out.contains("it said: expired"), "{said:?}");

    let desk = Desk::with(FAILS);
    let kubeconfig = KUBECONFIG.replace("http://{http}", "http://{http}/proxy");
    desk.write("kubeconfig", &kubeconfig);
    let said = desk.dr(&["ready"]);
    assert!(said.out.contains("the proxy was sent authorization: Bearer •••"), "{said:?}");
    assert!(desk.http.heard(KUBE_PLUG_IN.secret));
}
