//! Numbered rows as callers write them: a sorted set for each book.

use dr_core::resource::{Cx, Ledger, LedgerRow, Survivors, Written};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::error::Trouble;
use crate::pair::{Pair, Server};
use crate::wire::Reply;

fn key(book: &str) -> String {
    format!("dr:ledger:{}", book.replace(' ', "_"))
}

impl Pair {
    async fn writer(&self, cx: &Cx) -> Result<&Server> {
        let looks = self.sides.values().map(|server| async move { (server, server.look(cx).await) });
        let mut failure = None;
        for (server, look) in join_all(looks).await {
            match look {
                Ok(look) if look.primary && self.takes_writes(&look) => return Ok(server),
                Ok(_) => {}
                Err(trouble) => failure = Some(server.failed(trouble)),
            }
        }
        let nobody = || Error::new(ErrorKind::NotReady, "no side takes writes");
        Err(failure.unwrap_or_else(nobody).not_happened())
    }
}

#[async_trait]
impl Ledger for Pair {
    /// A key needs no making: that callers may write it is asked, and nothing is written.
    async fn open(&self, cx: &Cx, book: &str) -> Result<()> {
        let server = self.writer(cx).await?;
        let failed = |trouble| server.failed(trouble).not_happened();
        let mut session = server.admin(cx).await.map_err(failed)?;
        let question = format!("ACL DRYRUN {} ZADD {} 1 1", self.theirs, key(book));
        match session.ask(&question).await.map_err(failed)? {
            Reply::Text(said) if said == "OK" => Ok(()),
            said => Err(Error::refused(format!("callers cannot write `{}`: {said:?}", key(book)))
                .on(server.address.clone())),
        }
    }

    async fn write(&self, cx: &Cx, book: &str, row: LedgerRow) -> Written {
        let sides = self.sides.values().map(|server| send(server, cx.deadline, book, row));
        let outcomes = join_all(sides).await;
        [Written::Acked, Written::Unknown]
            .into_iter()
            .find(|outcome| outcomes.contains(outcome))
            .unwrap_or(Written::Refused)
    }

    async fn write_to(&self, cx: &Cx, side: &Side, book: &str, row: LedgerRow) -> Written {
        match self.server(side) {
            Ok(server) => send(server, cx.deadline, book, row).await,
            Err(_) => Written::Refused,
        }
    }

    async fn survivors(
        &self,
        cx: &Cx,
        side: &Side,
        book: &str,
        first: LedgerRow,
        last: LedgerRow,
    ) -> Result<Survivors> {
        let server = self.server(side)?;
        let failed = |trouble| server.failed(trouble);
        let mut session = server.admin(cx).await.map_err(failed)?;
        let reply =
            session.ask(&format!("ZRANGEBYSCORE {} {first} {last}", key(book))).await.map_err(failed)?;
        let rows = reply.texts().into_iter().map(str::parse).collect::<Result<_, _>>();
        let rows = rows.map_err(|_| failed(Trouble::Nonsense("a row's number is none".to_owned())))?;
        Ok(Survivors { side: side.clone(), rows })
    }

    async fn close(&self, cx: &Cx, book: &str) -> Result<()> {
        let server = self.writer(cx).await?;
        let failed = |trouble| server.failed(trouble);
        let mut session = server.admin(cx).await.map_err(failed)?;
        session.ask(&format!("DEL {}", key(book))).await.map(drop).map_err(failed)
    }
}

async fn send(server: &Server, deadline: Instant, book: &str, row: LedgerRow) -> Written {
    let Ok(mut session) = server.caller(deadline).await else {
        // Nothing was sent.
        return Written::Refused;
    };
    match session.ask(&format!("ZADD {} {row} {row}", key(book))).await {
        Ok(_) => Written::Acked,
        Err(Trouble::Said(_)) => Written::Refused,
        Err(_) => Written::Unknown,
    }
}
