//! Words that people and shells rely on.

use crate::support::{dr, run};

#[test]
fn the_help_lists_every_command_and_every_exit_code() {
    let said = run(dr().arg("--help")).ends(0);
    insta::assert_snapshot!(said.out);
}

#[test]
fn the_schema_is_json_that_names_every_kind() {
    let said = run(dr().arg("schema")).ends(0);
    let schema: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert!(schema["$schema"].is_string());
    for kind in ["postgres", "http", "tcp", "dns", "sandbox-app"] {
        assert!(said.out.contains(&format!("\"{kind}\"")), "{kind}");
    }
}

#[test]
fn there_are_completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = run(dr().args(["completions", shell])).ends(0);
        assert!(said.out.contains("switchover") && said.out.contains("sandbox"), "{shell}");
    }
    run(dr().args(["completions", "tcsh"])).ends(2).tells("possible values");
}

#[test]
fn wrong_arguments_end_with_two_and_say_what_was_meant() {
    run(dr().arg("failovr")).ends(2).tells("failover");
    run(dr().args(["failover", "--overide", "lag"])).ends(2).tells("--override");
    run(dr().args(["failover", "--override", "lag"])).ends(2).tells("--reason");
}
