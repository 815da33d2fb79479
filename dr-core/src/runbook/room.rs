//! The core's own step `check-room`: whether the target can take what the run is going to scale, before anything is
//! touched.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::resource::{Before, Call, Class, Cx, Diff, Effect, Hazard, Prepared, Room, Scale};

/// Asks a resource whether there is room for these scales.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRoom {
    /// The scales that the run is going to make, their sides by name.
    pub scales: Vec<Scale>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomFound {
    /// Hazards that do not block, or were overridden.
    pub remarks: Vec<String>,
}

impl fmt::Display for RoomFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is room")?;
        self.remarks.iter().try_for_each(|remark| write!(f, "; {remark}"))
    }
}

impl Call for CheckRoom {
    const VERB: &'static str = "check-room";
    type Outcome = RoomFound;

    fn class(&self) -> Class {
        Class::Read
    }
}

#[derive(Debug)]
pub(super) struct RoomCheck(pub(super) Arc<dyn Room>);

#[async_trait]
impl Effect<CheckRoom> for RoomCheck {
    /// There is nothing to put back: it looks once, in `apply`.
    async fn prepare(&self, _cx: &Cx, _call: &CheckRoom) -> Result<Prepared> {
        Ok(Prepared::would(Diff::default(), Before::nothing()))
    }

    async fn apply(&self, cx: &Cx, call: &CheckRoom, _was: &Prepared) -> Result<RoomFound> {
        let mut hazards = Vec::new();
        for scale in &call.scales {
            let found = self.0.room(cx, scale).await.map_err(Error::not_happened)?;
            hazards.extend(found.into_iter().map(|hazard| (scale.side.clone(), hazard)));
        }
        let overridden: &BTreeSet<String> = &cx.overrides;
        let blocks = |hazard: &Hazard| hazard.blocks && !overridden.contains(&hazard.code);
        let blocking: Vec<String> = hazards
            .iter()
            .filter(|(_, hazard)| blocks(hazard))
            .map(|(side, hazard)| format!("{side}: {} (--override {})", hazard.message, hazard.code))
            .collect();
        if blocking.is_empty() {
            let told = hazards.iter().map(|(side, hazard)| format!("{side}: {}", hazard.message));
            return Ok(RoomFound { remarks: told.collect() });
        }
        Err(Error::refused(format!(
            "there is no room for what the run is going to scale: {}",
            blocking.join("; ")
        )))
    }
}
