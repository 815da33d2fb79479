//! Where a side's callers have to go, read from what runs there instead of from the plan.

use std::fmt;

use async_trait::async_trait;

use super::cx::Cx;
use crate::error::Result;
use crate::ids::Side;

/// Knows the addresses at which a side is entered: a load balancer's, a service's.
#[async_trait]
pub trait Addresses: fmt::Debug + Send + Sync {
    /// The addresses, sorted, at least one. `NotReady` while there is none yet.
    async fn addresses(&self, cx: &Cx, side: &Side) -> Result<Vec<String>>;
}
