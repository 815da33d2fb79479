//! Whether there is room for what a run is going to scale: asked before anything is touched.

use std::fmt;

use async_trait::async_trait;

use super::cx::Cx;
use super::replication::Hazard;
use super::workloads::Scale;
use crate::error::Result;

/// Compares what a scale will need with what the side can give: quota, capacity, images.
#[async_trait]
pub trait Room: fmt::Debug + Send + Sync {
    /// What would keep that very scale from succeeding. Reads only. A hazard that
    /// [blocks](Hazard::blocks) stops the run before its first effect; an override names its code. Asked for `before`
    /// where nobody has noted anything yet, it counts what runs now: the run itself may scale that side first.
    ///
    /// # Errors
    /// If it cannot be learnt: the run stops as well, for unknown is not room.
    async fn room(&self, cx: &Cx, call: &Scale) -> Result<Vec<Hazard>>;
}
