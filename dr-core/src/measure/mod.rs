//! What callers went through: outage, lost writes, lag, and the verdict.

mod measurement;

pub use measurement::{Basis, Figure, Gap, LossMeasured, Measurement, OutageMeasured, RtoParts};
