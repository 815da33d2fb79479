//! Numbered rows through the application's own write path.

use std::sync::{Arc, Mutex, PoisonError};

use dr_core::resource::{Cx, Ledger, LedgerRow, Survivors, Written};
use dr_core::{Error, ErrorKind, Result, Side, async_trait};
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use crate::error::Trouble;
use crate::node::Node;
use crate::session::{Login, Session, literal, name};
use crate::store::Store;

/// The ledger of a store: one kept session, to whoever is the writer now.
#[derive(Debug)]
pub(crate) struct Book {
    store: Arc<Store>,
    writer: Mutex<Option<Session>>,
}

impl Book {
    /// Opens nothing.
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store, writer: Mutex::new(None) }
    }

    fn take(&self) -> Option<Session> {
        let kept = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.filter(|session| !session.is_closed())
    }

    fn keep(&self, session: Session) {
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// The first node, of any side, that is not in recovery, as the application sees it.
    async fn find(&self, deadline: Instant) -> Option<Session> {
        let mut looking: FuturesUnordered<_> =
            self.store.nodes().map(|node| writable(node, deadline)).collect();
        while let Some(found) = looking.next().await {
            if found.is_some() {
                return found;
            }
        }
        None
    }

    async fn primary(&self, deadline: Instant) -> Result<&Node> {
        let mut failure = None;
        let primaries = self.store.sides.values().map(|side| side.primary(deadline));
        for found in join_all(primaries).await {
            match found {
                Ok(Some(node)) => return Ok(node),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        Err(failure
            .unwrap_or_else(|| Error::new(ErrorKind::NotReady, "no side has a primary").not_happened()))
    }
}

#[async_trait]
impl Ledger for Book {
    async fn open(&self, cx: &Cx, book: &str) -> Result<()> {
        let node = self.primary(cx.deadline).await?;
        ready(node, cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
        let session =
            node.endpoint.open(&caller(node), cx.deadline).await.map_err(|trouble| node.failed(trouble))?;
        let trial = format!("begin; {}; rollback", insert(book, LedgerRow::MIN));
        session.rows(&trial, cx.deadline).await.map_err(|trouble| {
            Error::new(ErrorKind::Refused, "the application's role cannot write the ledger")
                .because(Error::from(trouble))
                .not_happened()
                .on(node.name.clone())
        })?;
        self.keep(session);
        Ok(())
    }

    async fn write(&self, cx: &Cx, book: &str, row: LedgerRow) -> Written {
        let session = match self.take() {
            Some(session) => session,
            None => match self.find(cx.deadline).await {
                Some(session) => session,
                // Nothing was sent.
                None => return Written::Refused,
            },
        };
        let written = send(&session, book, row, cx.deadline).await;
        if written == Written::Acked {
            self.keep(session);
        }
        written
    }

    async fn write_to(&self, cx: &Cx, side: &Side, book: &str, row: LedgerRow) -> Written {
        let Ok(servers) = self.store.side(side) else { return Written::Refused };
        let tries = join_all(servers.nodes.iter().map(|node| async move {
            match node.endpoint.open(&caller(node), cx.deadline).await {
                Ok(session) => send(&session, book, row, cx.deadline).await,
                Err(_) => Written::Refused,
            }
        }))
        .await;
        [Written::Acked, Written::Unknown]
            .into_iter()
            .find(|outcome| tries.contains(outcome))
            .unwrap_or(Written::Refused)
    }

    async fn survivors(
        &self,
        cx: &Cx,
        side: &Side,
        book: &str,
        first: LedgerRow,
        last: LedgerRow,
    ) -> Result<Survivors> {
        let servers = self.store.side(side)?;
        let node = match servers.primary(cx.deadline).await {
            Ok(Some(node)) => node,
            Ok(None) => &servers.nodes[0],
            Err(error) => return Err(error),
        };
        let sql = format!(
            "select row from public.dr_ledger where book = {} and row between {first} and {last}",
            literal(book)
        );
        match node.rows(&sql, cx.deadline).await {
            Ok(rows) => {
                let rows =
                    rows.iter().map(|row| row.value("row")).collect::<Option<_>>().ok_or_else(|| {
                        node.failed(Trouble::Nonsense("a row's number is no number".to_owned()))
                    })?;
                Ok(Survivors { side: side.clone(), rows })
            }
            Err(Trouble::Said(code, _)) if code == SqlState::UNDEFINED_TABLE => {
                Err(Error::new(ErrorKind::NotFound, "there is no ledger there").on(node.name.clone()))
            }
            Err(trouble) => Err(node.failed(trouble)),
        }
    }

    async fn close(&self, cx: &Cx, book: &str) -> Result<()> {
        self.take();
        let node = self.primary(cx.deadline).await?;
        let sql = format!("delete from public.dr_ledger where book = {}", literal(book));
        match node.write(&sql, cx.deadline).await {
            Ok(_) => Ok(()),
            Err(Trouble::Said(code, _)) if code == SqlState::UNDEFINED_TABLE => Ok(()),
            Err(trouble) => Err(node.failed(trouble)),
        }
    }
}

/// Makes the ledger's table, and gives the application's role the right to it. Convergent.
pub(crate) async fn ready(node: &Node, deadline: Instant) -> Result<(), Trouble> {
    let role = node.application.as_ref().map_or("current_user".to_owned(), |login| literal(&login.user));
    let state = format!(
        "select case when to_regclass('public.dr_ledger') is null then false
           else has_table_privilege({role}, 'public.dr_ledger', 'select')
            and has_table_privilege({role}, 'public.dr_ledger', 'insert')
            and has_table_privilege({role}, 'public.dr_ledger', 'delete') end as ready"
    );
    if node.row(&state, deadline).await?.flag("ready") == Some(true) {
        return Ok(());
    }
    let table = "create table if not exists public.dr_ledger (book text not null, row bigint not null, \
                 at timestamptz not null default clock_timestamp(), primary key (book, row))";
    node.write(table, deadline).await?;
    if let Some(application) = &node.application {
        let user = name(&application.user);
        node.write(&format!("grant select, insert, delete on public.dr_ledger to {user}"), deadline).await?;
    }
    Ok(())
}

/// Who callers are there: the application's role, else ours, with the server's own defaults.
fn caller(node: &Node) -> Login {
    Login { options: "", ..node.application.as_ref().unwrap_or(&node.admin).clone() }
}

async fn writable(node: &Node, deadline: Instant) -> Option<Session> {
    let session = node.endpoint.open(&caller(node), deadline).await.ok()?;
    let row = session.row("select pg_is_in_recovery() as recovering", deadline).await.ok()?;
    (row.flag("recovering") == Some(false)).then_some(session)
}

fn insert(book: &str, row: LedgerRow) -> String {
    format!(
        "insert into public.dr_ledger (book, row) values ({}, {row}) on conflict do nothing",
        literal(book)
    )
}

async fn send(session: &Session, book: &str, row: LedgerRow, deadline: Instant) -> Written {
    match session.rows(&insert(book, row), deadline).await {
        Ok(_) => Written::Acked,
        Err(Trouble::Said(code, _)) if is_unclear(&code) => Written::Unknown,
        Err(Trouble::Said(..)) => Written::Refused,
        Err(_) => Written::Unknown,
    }
}

/// A server that goes down says so, and the commit may stand all the same.
fn is_unclear(code: &SqlState) -> bool {
    *code == SqlState::ADMIN_SHUTDOWN
        || *code == SqlState::CRASH_SHUTDOWN
        || *code == SqlState::QUERY_CANCELED
}
