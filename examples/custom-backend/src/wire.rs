//! The protocol of Redis, as far as it is needed here: commands in, replies out, every wait bounded.
//!
//! A session is opened for each look and closed after it. A kept one could not tell a server that hangs from a network that
//! went silent, and the two mean different things: what hangs is alive.

use std::time::Duration;

use dr_core::resource::Secret;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::error::Trouble;

/// No answer that is asked for here is longer.
const MOST: i64 = 64 << 20;

/// Who somebody is to a server.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
}

/// A command with its arguments.
pub(crate) type Command = Vec<String>;

/// A command whose words hold no spaces.
pub(crate) fn command(words: &str) -> Command {
    words.split(' ').map(str::to_owned).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Number(i64),
    Nothing,
    Error(String),
    List(Vec<Reply>),
}

impl Reply {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Nothing | Self::Error(_) | Self::List(_) => None,
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::List(all) => all.iter().filter_map(Self::text).collect(),
            Self::Text(_) | Self::Number(_) | Self::Nothing | Self::Error(_) => Vec::new(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    stream: BufReader<TcpStream>,
    deadline: Instant,
    patience: Duration,
}

impl Session {
    /// A session as somebody. `name` is what the server calls it in its list of clients.
    pub(crate) async fn open(
        address: &str,
        login: &Login,
        name: &str,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Self, Trouble> {
        let soon = deadline.min(Instant::now() + patience);
        let stream = match timeout_at(soon, TcpStream::connect(address)).await {
            Err(_) => return Err(Trouble::Silent),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(Trouble::Closed);
            }
            Ok(Err(_)) => return Err(Trouble::Silent),
            Ok(Ok(stream)) => stream,
        };
        let _ = stream.set_nodelay(true);
        let mut session = Self { stream: BufReader::new(stream), deadline, patience };
        let mut greeting = Vec::new();
        let password = login.password.as_ref().map(Secret::expose);
        if login.user != "default" || password.is_some() {
            greeting.push(vec!["AUTH".into(), login.user.clone(), password.unwrap_or_default().into()]);
        }
        // A user who may do nothing at all is in all the same: only AUTH and the word NOAUTH say otherwise.
        greeting.push(vec!["CLIENT".into(), "SETNAME".into(), name.into()]);
        for (index, reply) in session.send(&greeting).await?.into_iter().enumerate() {
            match reply {
                Reply::Error(said) if index + 1 < greeting.len() || !said.starts_with("NOPERM") => {
                    return Err(Trouble::Denied(said));
                }
                _ => {}
            }
        }
        Ok(session)
    }

    /// Asks for one thing.
    pub(crate) async fn ask(&mut self, words: &str) -> Result<Reply, Trouble> {
        let mut replies = self.ask_all(&[command(words)]).await?;
        replies.pop().ok_or(Trouble::Broken)
    }

    /// Asks for several things at once, in that order. One `no` fails them all.
    pub(crate) async fn ask_all(&mut self, commands: &[Command]) -> Result<Vec<Reply>, Trouble> {
        let replies = self.send(commands).await?;
        match replies.iter().find_map(|reply| if let Reply::Error(said) = reply { Some(said) } else { None })
        {
            Some(said) => Err(Trouble::Said(said.clone())),
            None => Ok(replies),
        }
    }

    /// Does several things as one: nobody's command comes between them.
    pub(crate) async fn at_once(&mut self, commands: &[Command]) -> Result<(), Trouble> {
        let mut all = vec![command("MULTI")];
        all.extend_from_slice(commands);
        all.push(command("EXEC"));
        match self.ask_all(&all).await?.pop() {
            Some(Reply::List(done)) => done.into_iter().try_for_each(|reply| match reply {
                Reply::Error(said) => Err(Trouble::Said(said)),
                _ => Ok(()),
            }),
            other => Err(Trouble::Nonsense(format!("{other:?} to EXEC"))),
        }
    }

    async fn send(&mut self, commands: &[Command]) -> Result<Vec<Reply>, Trouble> {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        let soon = self.deadline.min(Instant::now() + self.patience);
        timeout_at(soon, async {
            self.stream.write_all(&bytes).await.map_err(|_| Trouble::Broken)?;
            let mut replies = Vec::new();
            for _ in commands {
                replies.push(self.reply().await?);
            }
            Ok(replies)
        })
        .await
        .unwrap_or(Err(Trouble::Hung))
    }

    fn reply(&mut self) -> BoxFuture<'_, Result<Reply, Trouble>> {
        async move {
            let line = self.line().await?;
            let nonsense = || Trouble::Nonsense(line.clone());
            let (kind, rest) = line.split_at_checked(1).ok_or_else(nonsense)?;
            let number = || {
                rest.parse::<i64>().ok().filter(|number| kind == ":" || *number <= MOST).ok_or_else(nonsense)
            };
            Ok(match kind {
                "+" => Reply::Text(rest.to_owned()),
                "-" => Reply::Error(rest.to_owned()),
                ":" => Reply::Number(number()?),
                "$" | "*" if number()? < 0 => Reply::Nothing,
                "$" => {
                    let mut bytes = vec![0; usize::try_from(number()?).map_err(|_| nonsense())? + 2];
                    self.stream.read_exact(&mut bytes).await.map_err(|_| Trouble::Broken)?;
                    bytes.truncate(bytes.len() - 2);
                    Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
                }
                "*" => {
                    let mut all = Vec::new();
                    for _ in 0..number()? {
                        all.push(self.reply().await?);
                    }
                    Reply::List(all)
                }
                _ => return Err(nonsense()),
            })
        }
        .boxed()
    }

    async fn line(&mut self) -> Result<String, Trouble> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line).await.map_err(|_| Trouble::Broken)?;
        if read == 0 || !line.ends_with(b"\r\n") {
            return Err(Trouble::Broken);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
