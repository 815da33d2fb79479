//! A second ledger that tries the fenced side.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout_at;

use super::bookkeeper::{Pace, cx};
use crate::env::Clock;
use crate::ids::{RunId, Side};
use crate::resource::{Cancel, Ledger, LedgerRow, Written};
use crate::time::Timestamp;

/// Tries to write to a side that must not take writes any more. One acknowledgement is a broken fence.
///
/// It writes to a book of its own, so that its rows are nobody's loss.
#[derive(Debug)]
pub struct FenceWatch {
    run: RunId,
    book: String,
    side: Side,
    via: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    every: Duration,
    within: Duration,
    watched: watch::Sender<FenceWatched>,
}

/// What became of the tries. A level, not an edge: whoever looks later sees a broken fence too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FenceWatched {
    /// How many writes were tried.
    pub tried: u64,
    /// How many were refused.
    pub refused: u64,
    /// Of how many nothing is known: no sign of a fence, and none against it.
    pub unknown: u64,
    /// The first acknowledged one.
    pub broken: Option<FenceBroken>,
}

/// A side that was fenced took a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceBroken {
    /// Which side.
    pub side: Side,
    /// When the write was sent.
    pub at: Timestamp,
    /// In which book.
    pub book: String,
    /// Which row.
    pub row: LedgerRow,
}

/// Under which name a fence watch's rows are kept.
pub fn fence_book_of(run: &RunId) -> String {
    format!("{run}-fence")
}

impl FenceWatch {
    /// A watch over `side`, and what it sees.
    pub fn new(
        run: &RunId,
        side: Side,
        via: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        every: Duration,
    ) -> (Self, watch::Receiver<FenceWatched>) {
        let (watched, receiver) = watch::channel(FenceWatched::default());
        let this = Self {
            run: run.clone(),
            book: fence_book_of(run),
            side,
            via,
            clock,
            every,
            within: Duration::from_secs(2),
            watched,
        };
        (this, receiver)
    }

    /// How long a try may take. Default: two seconds.
    #[must_use]
    pub fn patient_for(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Tries until it is told to stop or the fence is broken; returns how it was. A try on its way when it is told to
    /// stop still counts.
    pub async fn run(self, stop: Cancel) -> FenceWatched {
        let mut pace = Pace::new(self.every);
        // After a resume the numbers of the process before must not come again.
        let mut row = self.clock.now().as_micros();
        while self.watched.borrow().broken.is_none() && pace.next(&stop).await {
            let at = self.clock.now();
            let cx = cx(&self.run, &self.clock, self.within);
            let tried = timeout_at(cx.deadline, self.via.write_to(&cx, &self.side, &self.book, row)).await;
            self.watched.send_modify(|watched| {
                watched.tried += 1;
                match tried.unwrap_or(Written::Unknown) {
                    Written::Acked => {
                        watched.broken =
                            Some(FenceBroken { side: self.side.clone(), at, book: self.book.clone(), row });
                    }
                    Written::Refused => watched.refused += 1,
                    Written::Unknown => watched.unknown += 1,
                }
            });
            row += 1;
        }
        self.watched.borrow().clone()
    }
}
