//! What can be done with a server whose machine we can reach: look at its files, stop, bar, start, rewind, copy.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::{ControlConfig, Through};
use crate::control_data::Files;
use crate::error::Trouble;
use crate::runner::{ByCommand, Local, Output, Runner};

const SCRIPT: &str = include_str!("shell/control.sh");

/// The control of one server. Every operation is convergent and ends with its call.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    runner: Arc<dyn Runner>,
    pub(crate) at: ControlConfig,
}

/// How hard a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Clean: writes a shutdown checkpoint and waits for its receivers.
    Fast,
    /// Without a checkpoint: the next start recovers.
    Immediate,
    /// Every process of it killed.
    Kill,
}

impl Stop {
    fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
            Self::Kill => "KILL",
        }
    }
}

impl Control {
    /// From its configuration.
    pub(crate) fn new(config: &ControlConfig) -> Self {
        let runner: Arc<dyn Runner> = match &config.through {
            Through::Local { user } => Arc::new(Local { user: user.clone(), data: config.data.clone() }),
            Through::Command { prefix, shell } => {
                Arc::new(ByCommand { prefix: prefix.clone(), shell: *shell })
            }
        };
        Self { runner, at: config.clone() }
    }

    /// What is on the disk, and which processes live.
    pub(crate) async fn files(&self, deadline: Instant) -> Result<Files, Trouble> {
        self.status("status", &[], deadline).await
    }

    /// Bars it, then stops it. The bar stands first, so that whatever starts it again starts a standby.
    pub(crate) async fn fence(
        &self,
        bar: [&str; 3],
        how: Stop,
        within: Duration,
        deadline: Instant,
    ) -> Result<Files, Trouble> {
        let [run, side, since] = bar;
        self.status("fence", &[run, side, since, how.signal(), &millis(within)], deadline).await
    }

    /// Stops it.
    pub(crate) async fn stop(
        &self,
        how: Stop,
        within: Duration,
        deadline: Instant,
    ) -> Result<Files, Trouble> {
        self.status("stop", &[how.signal(), &millis(within)], deadline).await
    }

    /// Takes the bar away.
    pub(crate) async fn unbar(&self, deadline: Instant) -> Result<Files, Trouble> {
        self.status("unbar", &[], deadline).await
    }

    /// Starts it, if the start gate lets it. Returns before it accepts sessions.
    pub(crate) async fn start(&self, deadline: Instant) -> Result<(), Trouble> {
        let log = self.at.log.clone().unwrap_or_else(|| format!("{}.log", self.at.data));
        let config = self.at.config_file.clone().unwrap_or_default();
        self.operation("start", &[&log, &config], "", deadline).await.map(drop)
    }

    /// Forgets a promotion that was asked for and not begun. Only while it is stopped.
    pub(crate) async fn forget_promotion(&self, deadline: Instant) -> Result<(), Trouble> {
        self.operation("forget_promotion", &[], "", deadline).await.map(drop)
    }

    /// Keeps a whole copy of the data directory, and its configuration beside it.
    pub(crate) async fn keep_copy(&self, kept: &str, deadline: Instant) -> Result<(), Trouble> {
        self.operation("keep", &[kept], "", deadline).await.map(drop)
    }

    /// Marks it as half-way: no start gate lets it start until `done`.
    pub(crate) async fn mark(&self, lines: &[String], deadline: Instant) -> Result<(), Trouble> {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.operation("mark", &lines, "", deadline).await.map(drop)
    }

    /// Recovers it alone, without network or socket, and returns what a query says. It is cleanly stopped then.
    pub(crate) async fn recover(
        &self,
        database: &str,
        query: &str,
        deadline: Instant,
    ) -> Result<String, Trouble> {
        self.operation("recover", &[database, query], "", deadline).await.map(|output| output.stdout)
    }

    /// Takes it back to the fork.
    pub(crate) async fn rewind(
        &self,
        from: &str,
        password: &str,
        deadline: Instant,
    ) -> Result<String, Trouble> {
        self.operation("rewind", &[from], &format!("{password}\n"), deadline)
            .await
            .map(|output| output.stderr)
    }

    /// Copies it anew. What is in the data directory's place is removed first.
    pub(crate) async fn reseed(
        &self,
        from: &str,
        password: &str,
        slot: &str,
        deadline: Instant,
    ) -> Result<(), Trouble> {
        self.operation("reseed", &[from, slot], &format!("{password}\n"), deadline).await.map(drop)
    }

    /// Makes it a standby of a server.
    pub(crate) async fn attach(&self, conninfo: &str, slot: &str, deadline: Instant) -> Result<(), Trouble> {
        self.operation("attach", &[slot], &format!("{conninfo}\n"), deadline).await.map(drop)
    }

    /// Takes the marks away.
    pub(crate) async fn done(&self, deadline: Instant) -> Result<(), Trouble> {
        self.operation("done", &[], "", deadline).await.map(drop)
    }

    async fn status(&self, operation: &str, arguments: &[&str], deadline: Instant) -> Result<Files, Trouble> {
        let output = self.operation(operation, arguments, "", deadline).await?;
        Files::parse(&output.stdout)
            .ok_or_else(|| Trouble::Nonsense(format!("the node's answer to `{operation}` makes no sense")))
    }

    async fn operation(
        &self,
        operation: &str,
        arguments: &[&str],
        stdin: &str,
        deadline: Instant,
    ) -> Result<Output, Trouble> {
        let words: Vec<String> = ["sh", "-c", SCRIPT, "dr-postgres", &self.at.data, &self.at.bin, operation]
            .iter()
            .chain(arguments)
            .map(|word| (*word).to_owned())
            .collect();
        let output = self.runner.run(&words, stdin, deadline).await?;
        if output.code == Some(0) {
            return Ok(output);
        }
        let code = output.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let said = output.stderr.lines().rev().take(4).collect::<Vec<_>>();
        let said = said.into_iter().rev().collect::<Vec<_>>().join("; ");
        Err(Trouble::Command { operation: operation.to_owned(), code, said })
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}
