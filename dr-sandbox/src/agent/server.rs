//! An agent's ear.

use std::sync::Arc;
use std::time::Duration;

use dr_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Ask, Reply, Request, exec};
use crate::fault;
use crate::region::Region;

/// How long a caller may take to ask.
const ASKING: Duration = Duration::from_secs(5);
/// The longest request.
const LONGEST: u64 = 1 << 20;

/// Answers every caller, until it is dropped.
pub(crate) async fn serve(listener: TcpListener, token: String, region: Arc<Region>) -> Result<()> {
    let token: Arc<str> = token.into();
    loop {
        let (stream, _) = listener.accept().await.map_err(fault::io("accept a caller"))?;
        let (region, token) = (Arc::clone(&region), Arc::clone(&token));
        tokio::spawn(async move {
            // The caller hears of an error by its own end of the connection.
            let _ = converse(stream, &token, &region).await;
        });
    }
}

async fn converse(stream: TcpStream, token: &str, region: &Region) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut limited = (&mut stream).take(LONGEST);
    timeout(ASKING, limited.read_until(b'\n', &mut line))
        .await
        .map_err(|_| Error::new(ErrorKind::Timeout, "the caller does not ask"))?
        .map_err(fault::io("read a request"))?;
    let asked = match serde_json::from_slice::<Request>(&line) {
        Ok(request) if request.token == token => Ok(request.ask),
        Ok(_) => Err(Error::new(ErrorKind::Unauthorized, "the token is not this region's").not_happened()),
        Err(error) => Err(Error::invalid("the request makes no sense").because(error)),
    };
    let done = match asked {
        Ok(Ask::Exec { argv }) => match region.command(&argv) {
            Ok(command) => return exec::run(stream, command).await,
            Err(error) => Err(error),
        },
        Ok(Ask::Observe) => Ok(region.staff()),
        Ok(Ask::Scale { count, within_ms }) => region.scale(count, Duration::from_millis(within_ms)).await,
        Ok(Ask::Break) => region.break_down().await,
        Ok(Ask::Heal) => region.heal().await,
        Err(error) => Err(error),
    };
    let answer = match done {
        Ok(staff) => Reply::Done(staff),
        Err(error) => Reply::Failed(error.to_failure()),
    };
    reply(stream.get_mut(), &answer).await
}

/// Sends the one line that answers.
pub(super) async fn reply(stream: &mut TcpStream, reply: &Reply) -> Result<()> {
    let mut line = serde_json::to_vec(reply).map_err(|error| Error::invalid("no answer").because(error))?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(fault::io("answer"))
}
