//! How a command runs on a node: here, or behind another command.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use dr_core::async_trait;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout_at};

use crate::error::Trouble;

/// What a command left.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit status; `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs commands on a node. A command that outlives its deadline, or whose caller is dropped, is killed with its
/// children.
#[async_trait]
pub(crate) trait Runner: fmt::Debug + Send + Sync {
    /// Runs one command, with `stdin` as its input.
    async fn run(&self, words: &[String], stdin: &str, deadline: Instant) -> Result<Output, Trouble>;
}

/// On this machine. PostgreSQL refuses to run as root: then we become the data directory's owner, or `user`.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) user: Option<String>,
    pub(crate) data: String,
}

/// Behind a command: `ssh host`, `kubectl exec -i pod --`.
#[derive(Debug)]
pub(crate) struct ByCommand {
    pub(crate) prefix: Vec<String>,
    /// Whether the other end splits words as a shell does.
    pub(crate) shell: bool,
}

#[async_trait]
impl Runner for Local {
    async fn run(&self, words: &[String], stdin: &str, deadline: Instant) -> Result<Output, Trouble> {
        let mut all = vec!["setpriv".to_owned(), "--pdeathsig=KILL".to_owned()];
        if geteuid().is_root() {
            let (uid, gid) = self.owner()?;
            if uid != 0 {
                all.extend([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
            }
        }
        all.push("--".to_owned());
        all.extend_from_slice(words);
        finish(spawn(&all)?, stdin, deadline).await
    }
}

impl Local {
    fn owner(&self) -> Result<(u32, u32), Trouble> {
        if let Some(user) = &self.user {
            let users = std::fs::read_to_string("/etc/passwd").map_err(Trouble::NoCommand)?;
            let entry =
                users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|entry| entry[0] == user);
            return entry
                .and_then(|entry| Some((entry.get(2)?.parse().ok()?, entry.get(3)?.parse().ok()?)))
                .ok_or_else(|| Trouble::Nonsense(format!("there is no user `{user}`")));
        }
        let data = Path::new(&self.data);
        let found = data.metadata().or_else(|_| data.parent().unwrap_or(data).metadata());
        found.map(|found| (found.uid(), found.gid())).map_err(Trouble::NoCommand)
    }
}

#[async_trait]
impl Runner for ByCommand {
    async fn run(&self, words: &[String], stdin: &str, deadline: Instant) -> Result<Output, Trouble> {
        let mut all = self.prefix.clone();
        if self.shell {
            all.push(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "));
        } else {
            all.extend_from_slice(words);
        }
        finish(spawn(&all)?, stdin, deadline).await
    }
}

/// A process group that dies with its value.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader.filter(|_| self.child.id().is_some()) {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

fn spawn(words: &[String]) -> Result<Group, Trouble> {
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for name in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGPASSWORD", "PGOPTIONS", "PGSERVICE", "PGDATABASE"]
    {
        command.env_remove(name);
    }
    let child = command.spawn().map_err(Trouble::NoCommand)?;
    let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Ok(Group { child, leader })
}

async fn finish(mut group: Group, stdin: &str, deadline: Instant) -> Result<Output, Trouble> {
    let begun = Instant::now();
    let child = &mut group.child;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let work = async {
        let ((), stdout, stderr) = tokio::join!(
            async {
                if let Some(mut input) = input {
                    // A command that does not read its input closes it: no failure of its own.
                    let _ = input.write_all(stdin.as_bytes()).await;
                }
            },
            read(output),
            read(errors)
        );
        Ok((stdout?, stderr?, child.wait().await?))
    };
    match timeout_at(deadline, work).await {
        Err(_) => Err(Trouble::Silent(begun.elapsed())),
        Ok(Err(error)) => Err(Trouble::NoCommand(error)),
        Ok(Ok((stdout, stderr, status))) => Ok(Output { code: status.code(), stdout, stderr }),
    }
}

async fn read(from: Option<impl tokio::io::AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        tokio::io::AsyncReadExt::read_to_end(&mut from, &mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_shell_at_the_other_end_gets_each_word_whole() {
        let runner = ByCommand { prefix: words(&["sh", "-c"]), shell: true };
        let said = runner
            .run(&words(&["printf", "%s|", "it's", "a b"]), "", Instant::now() + Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(said.stdout, "it's|a b|");
    }

    #[tokio::test]
    async fn a_command_beyond_its_deadline_is_killed_with_its_children() {
        let runner = ByCommand { prefix: words(&["sh", "-c"]), shell: true };
        let marker = format!("31{}", std::process::id());
        let script = format!("sleep {marker} & sleep {marker}");
        let soon = Instant::now() + Duration::from_millis(200);
        let ended = runner.run(&words(&["sh", "-c", &script]), "", soon).await;
        assert!(matches!(ended, Err(Trouble::Silent(_))));
        tokio::time::sleep(Duration::from_millis(100)).await;
        let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            std::fs::read_to_string(entry.path().join("cmdline"))
                .is_ok_and(|line| line == format!("sleep\0{marker}\0"))
        });
        assert!(!left);
    }
}
