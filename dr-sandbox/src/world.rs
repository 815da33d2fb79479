//! What lies outside both regions: the name server, and the sandbox's end if nobody else brings it.

use dr_core::{Error, Result};

use crate::dns::Server;
use crate::down;
use crate::leash;
use crate::lifetime;
use crate::state::{KEY, Layout, State};

/// Answers for the zone until the sandbox ends; then takes everything down, if it still is there.
///
/// Standard input is the listener that holds the subnet: it is free again when this process is gone.
pub(crate) async fn run(layout: &Layout) -> Result<()> {
    let _ = rustix::process::setsid();
    let state = State::read(layout)?;
    let key = data_encoding::BASE64
        .decode(layout.read_secret("tsig")?.as_bytes())
        .map_err(|error| Error::invalid("the key is not base64").because(error))?;
    let server = Server::new(layout.zone(), KEY, key)?;
    let (udp, tcp) = Server::bind(state.dns).await?;
    leash::say_ready()?;
    tokio::select! {
        biased;
        () = lifetime::over(layout, &state) => down::end(layout, &state).await,
        result = server.serve(udp, tcp) => result.map_err(|error| error.during("serve the zone")),
    }
}
