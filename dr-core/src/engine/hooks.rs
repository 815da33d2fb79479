//! What a drive is given beside its runbook and journal: who speaks to it, and who listens.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use crate::env::Env;
use crate::event::{Actor, Entry, Event, Request, RunState};
use crate::journal::Journal;
use crate::measure::Measurement;
use crate::resource::Redactor;

/// What a drive works with.
#[derive(Debug)]
pub struct Means {
    /// The run's journal, owned.
    pub journal: Box<dyn Journal>,
    /// Clock and chance.
    pub env: Env,
    /// Masks secrets in everything that is written.
    pub redactor: Redactor,
    /// Who speaks and who listens.
    pub hooks: Hooks,
}

/// Something asked of a running run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What.
    pub request: Request,
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

/// Something that was seen beside the run.
#[derive(Debug)]
pub enum News {
    /// An event for the journal: an outage's transition, a sample file's hash.
    Seen(Event),
    /// A side that counts as fenced acknowledged a write. The run stops before it promotes.
    BrokenFence(String),
}

/// Ends the measuring of a run.
#[async_trait]
pub trait Finish: fmt::Debug + Send {
    /// Called once, when every step is over and before the run ends. Bounded by itself. `None`: nothing was measured.
    async fn finish(&mut self, state: &RunState) -> Option<Measurement>;
}

/// Who speaks to a drive and who listens to it. The default is nobody.
pub struct Hooks {
    pub(super) messages: mpsc::UnboundedReceiver<Message>,
    pub(super) news: mpsc::UnboundedReceiver<News>,
    pub(super) interrupts: watch::Receiver<u32>,
    pub(super) listener: Arc<dyn Fn(&Entry) + Send + Sync>,
    pub(super) finish: Option<Box<dyn Finish>>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            messages: mpsc::unbounded_channel().1,
            news: mpsc::unbounded_channel().1,
            interrupts: watch::channel(0).1,
            listener: Arc::new(|_| {}),
            finish: None,
        }
    }
}

impl Hooks {
    /// Requests to the run.
    #[must_use]
    pub fn with_messages(mut self, messages: mpsc::UnboundedReceiver<Message>) -> Self {
        self.messages = messages;
        self
    }

    /// What probers and ledgers see.
    #[must_use]
    pub fn with_news(mut self, news: mpsc::UnboundedReceiver<News>) -> Self {
        self.news = news;
        self
    }

    /// How many interrupts there were: the first lets what is in flight finish, the second does not.
    #[must_use]
    pub fn with_interrupts(mut self, interrupts: watch::Receiver<u32>) -> Self {
        self.interrupts = interrupts;
        self
    }

    /// Hears each event once it is written. It must not block.
    #[must_use]
    pub fn with_listener(mut self, listener: impl Fn(&Entry) + Send + Sync + 'static) -> Self {
        self.listener = Arc::new(listener);
        self
    }

    /// Ends the measuring.
    #[must_use]
    pub fn with_finish(mut self, finish: Box<dyn Finish>) -> Self {
        self.finish = Some(finish);
        self
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("finish", &self.finish).finish_non_exhaustive()
    }
}
