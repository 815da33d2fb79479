//! The demos as they stand in the repository.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{DR, finish};

fn demo(script: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/demo").join(script);
    let mut command = Command::new(path);
    command.arg(DR).env("NO_COLOR", "1").env("USER", "tester");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = finish(command.spawn().unwrap()).ends(0);
    assert!(said.out.contains("Nothing is left running"), "{said:?}");
}

#[test]
fn the_demo_tells_its_story_to_the_end() {
    demo("demo.sh");
}

/// P7: the old primary comes back on the sandbox.
#[test]
fn the_hard_demo_tells_its_story_to_the_end() {
    let usable =
        Command::new("nft").args(["list", "tables"]).output().is_ok_and(|said| said.status.success());
    if !rustix::process::geteuid().is_root() || !usable {
        eprintln!("SKIPPED: dropping packets needs root and nftables, and this machine offers not both");
        return;
    }
    demo("demo-hard.sh");
}
