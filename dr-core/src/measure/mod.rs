//! What callers went through: outage, lost writes, lag, and the verdict.
//!
//! Instruments write samples, pure functions read them:
//!
//! | instrument | writes | read by | becomes |
//! |---|---|---|---|
//! | [`ProbeLoop`] over a [`crate::resource::Prober`] | [`Sample`]s | [`measure_outage`] | [`OutageMeasured`] |
//! | [`Bookkeeper`] over a [`crate::resource::Ledger`] | [`LedgerSample`]s | [`reconcile`] | [`LossMeasured`] |
//! | [`FenceWatch`] over the same | – | the engine, before a promotion | [`FenceWatched`] |
//! | [`Keeper`] over stores and probers | [`Heartbeat`]s | [`silence`], detection | [`Silence`] |
//!
//! [`measure`] puts their findings and a run's events together, [`judge`] holds the figures against the budget. What
//! was not measured is `None` everywhere; every figure says what it rests on and how far it may be off.
//!
//! The instruments are loops to be awaited, with a [`crate::resource::Cancel`] to stop them. They write to disk by
//! blocking, so they belong on a thread with a runtime of its own. What they know meanwhile is on watch channels.
//!
//! ```
//! use std::time::Duration;
//! use dr_core::Timestamp;
//! use dr_core::measure::{Acceptance, ProbeLog, Sample, SampleSink, Sitting, measure_outage};
//! use dr_core::resource::{Answer, SeatKind};
//!
//! let accept = Acceptance { recovered_after: 2, served_by: None, write: false, binds_from: None };
//! let begun = Timestamp::from_millis(0);
//! let mut log = ProbeLog::default();
//! log.begin(&Sitting { begun, of: "shop".into(), every: Duration::from_millis(250) })?;
//! for (slot, letter) in (0..).zip("good bad. bad. good good".split(' ')) {
//!     let took = Duration::from_millis(4);
//!     let answer = if letter == "good" { Answer::good(None, false, took) } else { Answer::none("refused", took) };
//!     let due = Duration::from_millis(250 * slot);
//!     log.put(&Sample::new(begun.plus(due), 250 * slot, SeatKind::Caching, answer))?;
//! }
//! let measured = measure_outage(&"shop".into(), &log, &accept).ok_or("nothing was asked")?;
//! assert_eq!((measured.gaps[0].at_least, measured.gaps[0].at_most), (0.25, Some(0.754)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acceptance;
mod bookkeeper;
mod fence_watch;
mod hearing;
mod heartbeat;
mod keeper;
mod log;
mod measurement;
mod outage;
mod probe_loop;
mod reconcile;
mod sample;
mod sample_file;
mod silence;
mod tracker;
mod verdict;

pub use acceptance::Acceptance;
pub use bookkeeper::{Bookkeeper, LedgerLive, LedgerSpec, book_of, next_row};
pub use fence_watch::{FenceBroken, FenceWatch, FenceWatched, fence_book_of};
pub use heartbeat::{HEARTBEAT_FORMAT, Heartbeat, OutageNow, SideHeard, SignOfLife, Vantage};
pub use keeper::{Keeper, KeeperLive, KeeperSpec, Publish};
pub use log::{LedgerLog, ProbeLog, SAMPLE_FORMAT, SampleLog, Sitting};
pub use measurement::{Basis, Figure, Gap, LossMeasured, Measurement, OutageMeasured, RtoParts};
pub use outage::measure_outage;
pub use probe_loop::{ProbeLive, ProbeLoop, ProbeSpec, ProbeWatch};
pub use reconcile::reconcile;
pub use sample::{LedgerSample, RowState, Sample};
pub use sample_file::{RowSink, SampleFile, SampleMark, SampleSink};
pub use silence::{Silence, silence};
pub use verdict::{Estimate, Findings, Judgement, LagBound, cut, judge, measure};
