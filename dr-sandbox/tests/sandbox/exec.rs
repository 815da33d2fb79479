//! A region's control: programs on its machine, through its network.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Sandbox, broken, processes, wait_until};
use dr_sandbox::{Command, Up};

async fn quiet() -> Sandbox {
    Sandbox::with(Up { load: 0, ..Up::default() }).await
}

#[tokio::test]
async fn a_program_gets_its_input_and_gives_its_output_and_exit_code() {
    let sandbox = quiet().await;
    let mut child = sandbox
        .exec("target", &["sh", "-c", "cat; echo \"$0\" >&2; exit 7", "it's \"quoted\" $HOME"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let long = "all of it\n".repeat(100_000);
    child.stdin.take().unwrap().write_all(long.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(output.stdout.len(), long.len());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "it's \"quoted\" $HOME\n");
}

/// P44: SIGKILL of the process that started them.
#[tokio::test]
async fn a_program_is_killed_with_its_children_when_its_caller_dies() {
    let sandbox = quiet().await;
    let mut child = sandbox
        .exec("source", &["sh", "-c", "sleep 987.1 & sleep 987.1"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the program", || {
        processes("sleep 987.1").iter().filter(|line| line.starts_with("sleep")).count() == 2
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("its end", || processes("sleep 987.1").is_empty()).await;
}

#[tokio::test]
async fn a_server_that_is_left_in_the_background_stays() {
    let sandbox = quiet().await;
    sandbox.run(broken("source")).await;
    let state = sandbox.state();
    let (bin, home) =
        (state["bin"].as_str().unwrap(), state["regions"]["us-east-1"]["home"].as_str().unwrap());
    let output = sandbox
        .exec("source", &[&format!("{bin}/pg_ctl"), "-D", &format!("{home}/pgdata"), "-w", "start"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(sandbox.status().await["sides"]["us-east-1"]["role"], "primary");
}

#[tokio::test]
async fn a_broken_region_keeps_its_control_and_a_fenced_server_stays_down() {
    let sandbox = quiet().await;
    sandbox.run(broken("source")).await;
    let state = sandbox.state();
    let home = state["regions"]["us-east-1"]["home"].as_str().unwrap();
    let barred = format!("{home}/.pgdata.dr-barred");
    assert_eq!(sandbox.exec("source", &["touch", &barred]).status().unwrap().code(), Some(0));
    let report = sandbox.run(Command::Heal).await;
    assert!(report.text.contains("PostgreSQL stays down"), "{}", report.text);
    let role = sandbox.status().await["sides"]["us-east-1"]["role"].to_string();
    assert!(role.contains("unknown"), "{role}");
}

#[tokio::test]
async fn without_the_token_nothing_is_done() {
    let sandbox = quiet().await;
    std::fs::write(sandbox.dir().join("secrets/agent"), "wrong").unwrap();
    let output = sandbox.exec("source", &["true"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&output.stderr).contains("token"), "{output:?}");
}
