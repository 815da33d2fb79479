//! A world on the simulator, and a resource that is connected to it.

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Call, Connect, Cx, Effect, Redactor, Secret, SecretRef, SecretSource};
use dr_core::{Backend, Clock, Resource, Result, SystemClock, async_trait};
use dr_testkit_aws::Aws;
use serde_json::{Value, json};

pub(crate) const EAST: &str = "us-east-1";
pub(crate) const WEST: &str = "us-west-2";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Secrets by name: `${test:TEXT}` is TEXT.
#[derive(Debug)]
struct Literal;

#[async_trait]
impl SecretSource for Literal {
    async fn fetch(&self, reference: &SecretRef) -> Result<Secret> {
        Ok(Secret::new(reference.name()))
    }
}

pub(crate) fn reached(aws: &Aws) -> Value {
    json!({ "endpoint": aws.endpoint(), "keys": { "id": "AKIATESTTESTTESTTEST", "secret": "${test:secret}" } })
}

pub(crate) async fn connected(backend: &dyn Backend, config: Value) -> Resource {
    let configured = backend.configure(config).expect("the configuration makes sense");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    configured.connect(&Connect::new(&Literal, &Redactor::default(), &clock)).await.expect("it connects")
}

pub(crate) fn cx(run: &str, within: Duration) -> Cx {
    Cx::new(format!("20270115T080000000Z-{run}").as_str().into(), "phase/step".into(), within)
}

pub(crate) fn effect<C: Call>(resource: &Resource) -> Arc<dyn Effect<C>> {
    resource.effect::<C>().expect("it can do that")
}

/// The SDK's configuration for hands that are not ours.
macro_rules! sdk {
    ($sdk:ident, $aws:expr, $region:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new($region.to_owned()))
                .endpoint_url($aws.endpoint())
                .credentials_provider($sdk::config::Credentials::new(
                    "AKIATESTTESTTESTTEST",
                    "other",
                    None,
                    None,
                    "test",
                ))
                .build(),
        )
    };
}
pub(crate) use sdk;
