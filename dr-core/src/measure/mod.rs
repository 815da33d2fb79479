//! What callers went through: outage, lost writes, lag, and the verdict.

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
