//! Running a program in a region: both ends.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use dr_core::Result;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::client::{Agent, read_reply};
use super::frame::{Channel, receive, send};
use super::{Ask, Reply, error_from, nonsense};
use crate::fault;

/// How long a program may run in all.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long the output of a program that has ended is awaited: a server that it left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long a caller may take to hang up once it has the exit code.
const HANG_UP: Duration = Duration::from_secs(2);
/// How long an agent may take to start a program.
const START: Duration = Duration::from_secs(5);

/// Runs a program in a region, with this process's standard input, output and error. Returns its exit code.
pub(crate) async fn exec(agent: &Agent, argv: Vec<String>) -> Result<u8> {
    let mut stream = agent.open(&Ask::Exec { argv }, START).await?;
    match timeout(START, read_reply(&mut stream)).await {
        Ok(Ok(Reply::Started)) => {}
        Ok(Ok(Reply::Failed(failure))) => return Err(error_from(&failure)),
        Ok(Ok(Reply::Done(_))) => return Err(nonsense("answer")),
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            return Err(dr_core::Error::new(
                dr_core::ErrorKind::Hung,
                "the agent accepts and does not answer",
            ));
        }
    }
    let (mut from, mut to) = tokio::io::split(stream);
    let mut input = standard_input();
    let forward = tokio::spawn(async move {
        while let Some(bytes) = input.recv().await {
            if send(&mut to, Channel::Input, &bytes).await.is_err() {
                break;
            }
        }
        // The writing half is kept: closing it would say that the caller is gone.
        std::future::pending::<()>().await;
    });
    let code = relay(&mut from).await;
    forward.abort();
    code
}

/// Standard input, its end as an empty piece. A thread of its own waits for it, and ends with the process: the
/// runtime's threads would keep the process from ending until somebody types.
fn standard_input() -> mpsc::Receiver<Vec<u8>> {
    let (pieces, queue) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = std::io::stdin().read(&mut buffer).unwrap_or(0);
            if pieces.blocking_send(buffer[..length].to_vec()).is_err() || length == 0 {
                return;
            }
        }
    });
    queue
}

async fn relay(from: &mut (impl AsyncRead + Unpin)) -> Result<u8> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    loop {
        let (channel, bytes) = receive(from).await.map_err(fault::io("read the program's output"))?;
        match channel {
            Channel::Output => {
                out.write_all(&bytes).await.map_err(fault::io("write output"))?;
                out.flush().await.map_err(fault::io("write output"))?;
            }
            Channel::Error => {
                err.write_all(&bytes).await.map_err(fault::io("write output"))?;
                err.flush().await.map_err(fault::io("write output"))?;
            }
            Channel::Exit => return Ok(bytes.first().copied().unwrap_or(255)),
            Channel::Input => return Err(nonsense("output")),
        }
    }
}

/// The agent's end: runs the program until it ends or its caller is gone, and then kills its whole group.
pub(super) async fn run(mut stream: BufReader<TcpStream>, mut command: Command) -> Result<()> {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let reply = match &started {
        Ok(_) => Reply::Started,
        Err(error) => Reply::Failed(
            dr_core::Error::new(fault::kind_of(error), format!("the program does not start: {error}"))
                .not_happened()
                .to_failure(),
        ),
    };
    super::server::reply(stream.get_mut(), &reply).await?;
    let Ok(mut child) = started else { return Ok(()) };
    let group = Group(child.id());
    let (mut from, mut to) = tokio::io::split(stream);
    let (pieces, mut queue) = mpsc::channel::<(Channel, Vec<u8>)>(16);
    let pumps = [
        child.stdout.take().map(|pipe| tokio::spawn(pump(pipe, Channel::Output, pieces.clone()))),
        child.stderr.take().map(|pipe| tokio::spawn(pump(pipe, Channel::Error, pieces.clone()))),
    ];
    let mut input = child.stdin.take();
    let caller = async move {
        // An error here is the caller's end.
        while let Ok((Channel::Input, bytes)) = receive(&mut from).await {
            if bytes.is_empty() {
                input = None;
            } else if let Some(pipe) = &mut input
                && pipe.write_all(&bytes).await.is_err()
            {
                input = None;
            }
        }
    };
    let program = async move {
        let status = {
            let sending = async {
                while let Some((channel, bytes)) = queue.recv().await {
                    if send(&mut to, channel, &bytes).await.is_err() {
                        break;
                    }
                }
            };
            tokio::pin!(sending);
            let (status, heard) = tokio::select! {
                status = child.wait() => (status, true),
                () = &mut sending => (child.wait().await, false),
            };
            drop(pieces);
            if heard {
                // Whether it came to its end or not, nothing more is waited for.
                let _ = timeout(LAST_WORDS, sending).await;
            }
            status
        };
        for pump in pumps.into_iter().flatten() {
            pump.abort();
        }
        let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
        // A caller that hung up has no use for the code.
        let _ = send(&mut to, Channel::Exit, &[code.unwrap_or(255)]).await;
        let _ = to.shutdown().await;
    };
    tokio::pin!(caller);
    tokio::select! {
        _ = timeout(LONGEST, &mut caller) => {}
        () = program => {
            group.keep_what_it_left();
            // A socket that is closed with unread input is reset, and the code would be lost with it: what the caller
            // still says is read until it hangs up.
            let _ = timeout(HANG_UP, caller).await;
        }
    }
    Ok(())
}

async fn pump(mut pipe: impl AsyncRead + Unpin, channel: Channel, to: mpsc::Sender<(Channel, Vec<u8>)>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        if to.send((channel, buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}

/// A program with its children. Dropped, it kills them all: a child must not live on when its caller is gone.
struct Group(Option<u32>);

impl Group {
    /// The program ended by itself; what it put into the background on purpose stays.
    fn keep_what_it_left(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            // Gone already is what was wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}
