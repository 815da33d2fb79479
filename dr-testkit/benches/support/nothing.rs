//! A kind of resource that is scaled by nothing but words.

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::resource::{
    Backend, Before, Call as _, ConfigError, Configured, Connect, Cx, Diff, Effect, Prepared, Resource,
    Scale, Scaled,
};
use dr_core::{Identity, Region, Result, Side, async_trait};
use serde_json::{Value, json};

/// The backend of kind `nowhere`.
#[derive(Debug)]
pub(crate) struct Nowhere;

/// The resource, as if connected.
pub(crate) fn resource() -> Resource {
    Resource::new(Identity::new("nowhere")).with::<Scale>(Arc::new(Nowhere))
}

#[async_trait]
impl Effect<Scale> for Nowhere {
    async fn prepare(&self, _cx: &Cx, _call: &Scale) -> Result<Prepared> {
        Ok(Prepared::would(Diff::one("west thing", "0 of 0", "3"), Before::of(&json!({ "thing": 0 }))?))
    }

    async fn apply(&self, _cx: &Cx, call: &Scale, _was: &Prepared) -> Result<Scaled> {
        Ok(Scaled { side: call.side.side()?.clone(), workloads: Vec::new() })
    }
}

impl Backend for Nowhere {
    fn kind(&self) -> &str {
        "nowhere"
    }

    fn schema(&self) -> Value {
        json!({ "type": "object" })
    }

    fn configure(&self, _config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Configured for Nowhere {
    fn identities(&self) -> Vec<Identity> {
        vec![Identity::new("nowhere")]
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        ["east", "west"].map(|side| (side.into(), side.into())).into()
    }

    fn verbs(&self) -> Vec<&str> {
        vec![Scale::VERB]
    }

    async fn connect(&self, _connect: &Connect<'_>) -> Result<Resource> {
        Ok(resource())
    }
}
