//! What an unplanned run is given.

use std::time::Duration;

use dr_core::Timestamp;
use dr_core::resource::{Basis, Cx, LossBound, Risk, Urgency};

use crate::support::{EAST, cx};

pub(crate) fn unplanned(within: Duration) -> Cx {
    let mut cx = cx(within);
    cx.urgency = Urgency::Unplanned;
    cx
}

/// A forced promotion on accepted silence.
pub(crate) fn silence() -> Basis {
    let now = Timestamp::system();
    let risk = Risk {
        side: EAST.into(),
        silent_since: now,
        accepted: now,
        vantage_points: vec!["a".into(), "b".into()],
    };
    Basis::Forced { fences: Vec::new(), risk: Some(risk), loss: LossBound::Unknown { why: "a test".into() } }
}
