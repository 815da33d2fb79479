//! The tie between a process and whoever started it: a word when it is ready, and an end when the other is gone.

use std::io::Write;
use std::os::fd::OwnedFd;

use dr_core::Result;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::fault;

/// The word on standard output that says that a role serves.
pub(crate) const READY: &str = "ready";

/// The child's end. Standard input is a pipe from the supervisor: however that one dies, the pipe ends.
#[derive(Debug)]
pub(crate) struct Leash(OwnedFd);

impl Leash {
    /// Takes standard input.
    pub(crate) fn take() -> Result<Self> {
        rustix::io::dup(rustix::stdio::stdin())
            .map(Self)
            .map_err(|error| fault::io("take standard input")(error.into()))
    }

    /// Tells the supervisor that it serves.
    pub(crate) fn say_ready(&self) -> Result<()> {
        say_ready()
    }

    /// Returns when the supervisor is gone, or at once where there is none.
    pub(crate) async fn cut(self) {
        let Ok(mut pipe) = pipe::Receiver::from_owned_fd(self.0) else { return };
        let mut nothing = [0; 16];
        while let Ok(1..) = pipe.read(&mut nothing).await {}
    }
}

/// Says that this process serves. Nothing else is ever written to its standard output.
pub(crate) fn say_ready() -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{READY}").and_then(|()| out.flush()).map_err(fault::io("say that it is ready"))
}
