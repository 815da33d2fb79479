//! Those who measure all the time: one outside both regions, and one beside the target. They end with their test.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use dr_testkit_aws::Aws;

use crate::cloud::STATE;
use crate::support::until;

pub(crate) struct Probers(Vec<Child>);

impl Probers {
    /// Begins both and waits until each has said that it lives. `command` makes `dr` with these arguments; what they say
    /// goes to files of the folder.
    pub(crate) fn begin(
        aws: &Aws,
        folder: &Path,
        plan: &Path,
        target: &str,
        command: impl Fn(&[&str]) -> Command,
    ) -> Self {
        let plan = plan.to_str().unwrap();
        let mut probers = Self(Vec::new());
        for (name, seat, more) in
            [("outside", "outside", &["--samples", "--ledger"][..]), ("beside", target, &[])]
        {
            let keep = ["measure", plan, "--keep", "--name", name, "--seat", seat, "--every", "250ms"];
            let log = std::fs::File::create(folder.join(format!("measure-{name}.log"))).unwrap();
            let mut command = command(&[&keep[..], more].concat());
            probers.0.push(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        }
        until("heartbeats of both probers", || {
            let beats = aws.keys(STATE).into_iter().filter(|key| key.contains("heartbeat")).count();
            (beats >= 2).then_some(())
        });
        probers
    }
}

impl Drop for Probers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
