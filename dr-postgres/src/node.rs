//! One server of a side: its sessions and its control.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dr_core::{Error, Side};
use tokio::time::Instant;

use crate::control::Control;
use crate::error::Trouble;
use crate::session::{Endpoint, Login, Row, Session};

/// A server as the plan lists it.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its side.
    pub(crate) side: Side,
    /// `host:port`.
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) admin: Login,
    pub(crate) application: Option<Login>,
    pub(crate) control: Option<Control>,
    pub(crate) kept: Mutex<Option<Arc<Session>>>,
}

impl Node {
    /// The kept session of the side's own user, or a new one.
    pub(crate) async fn session(&self, deadline: Instant) -> Result<Arc<Session>, Trouble> {
        if let Some(session) = self.kept_session() {
            return Ok(session);
        }
        let session = Arc::new(self.endpoint.open(&self.admin, deadline).await?);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
        Ok(session)
    }

    fn kept_session(&self) -> Option<Arc<Session>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|session| !session.is_closed()).map(Arc::clone)
    }

    /// Forgets the kept session.
    pub(crate) fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Asks something that may be asked twice: where a kept session turns out to be dead, a new one is opened, and what
    /// that finds is the answer.
    pub(crate) async fn rows(&self, sql: &str, deadline: Instant) -> Result<Vec<Row>, Trouble> {
        let most = Instant::now() + self.endpoint.connect_timeout;
        if let Some(session) = self.kept_session() {
            let soon = deadline.min(Instant::now() + self.endpoint.connect_timeout / 2);
            match session.rows(sql, soon).await {
                Err(Trouble::Broken(_) | Trouble::Hung(_)) => self.forget(),
                answered => return self.noticing_an_end(answered),
            }
        }
        let session = self.session(deadline.min(most)).await?;
        let most = Instant::now() + self.endpoint.connect_timeout.max(Duration::from_secs(1));
        let answered = session.rows(sql, deadline.min(most)).await;
        self.noticing_an_end(answered)
    }

    /// Changes something, where a role's or a database's default forbids it too. It must be safe to repeat.
    pub(crate) async fn write(&self, sql: &str, deadline: Instant) -> Result<(), Trouble> {
        self.rows(&format!("set transaction_read_only = off; {sql}"), deadline).await.map(drop)
    }

    /// The last row of the answer.
    pub(crate) async fn row(&self, sql: &str, deadline: Instant) -> Result<Row, Trouble> {
        let mut rows = self.rows(sql, deadline).await?;
        rows.pop().ok_or_else(|| Trouble::Nonsense("the server returned no row".to_owned()))
    }

    fn noticing_an_end<T>(&self, answered: Result<T, Trouble>) -> Result<T, Trouble> {
        if matches!(answered, Err(Trouble::Broken(_) | Trouble::Hung(_))) {
            self.forget();
        }
        answered
    }

    /// The trouble as an error that names this node.
    pub(crate) fn failed(&self, trouble: Trouble) -> Error {
        Error::from(trouble).on(self.name.clone()).with("side", self.side.to_string())
    }
}
