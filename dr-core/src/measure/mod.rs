//! What callers went through: outage, lost writes, lag, and the verdict.

mod acceptance;
mod log;
mod measurement;
mod outage;
mod sample;
mod sample_file;

pub use acceptance::Acceptance;
pub use log::{LedgerLog, ProbeLog, SAMPLE_FORMAT, SampleLog, Sitting};
pub use measurement::{Basis, Figure, Gap, LossMeasured, Measurement, OutageMeasured, RtoParts};
pub use outage::measure_outage;
pub use sample::{LedgerSample, RowState, Sample};
pub use sample_file::{RowSink, SampleFile, SampleMark, SampleSink};
