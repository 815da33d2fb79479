//! A few sessions with the region's own database, opened when they are needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dr_core::Result;
use tokio::sync::Mutex;
use tokio_postgres::Client;

use crate::wire::Database;

const SESSIONS: usize = 2;

/// The sessions.
pub(super) struct Pool {
    database: Database,
    sessions: [Mutex<Option<Arc<Client>>>; SESSIONS],
    next: AtomicUsize,
}

impl Pool {
    pub(super) fn new(database: Database) -> Self {
        Self { database, sessions: Default::default(), next: AtomicUsize::new(0) }
    }

    /// A session that was open a moment ago, or a new one.
    pub(super) async fn session(&self) -> Result<Arc<Client>> {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % SESSIONS;
        let mut session = self.sessions[index].lock().await;
        if let Some(client) = session.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        *session = None;
        let client = Arc::new(self.database.connect().await?);
        *session = Some(Arc::clone(&client));
        Ok(client)
    }

    /// Gives up a session that does not answer.
    pub(super) async fn discard(&self, bad: &Arc<Client>) {
        for session in &self.sessions {
            let mut session = session.lock().await;
            if session.as_ref().is_some_and(|client| Arc::ptr_eq(client, bad)) {
                *session = None;
            }
        }
    }
}
