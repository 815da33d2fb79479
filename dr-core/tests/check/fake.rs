//! Configurations without anything behind them.

use std::collections::BTreeMap;
use std::time::Duration;

use dr_core::plan::RtoRpoBudget;
use dr_core::resource::{Class, ConfigError, Connect, Needs, Plane, Roles, Scale, understood};
use dr_core::time::parse_duration;
use dr_core::{Backend, Backends, Configured, Error, Identity, Region, Resource, Side, async_trait};
use serde_json::{Value, json};

/// A kind with its verbs.
#[derive(Debug)]
struct Fake(&'static str, &'static [&'static str]);

pub(crate) fn backends() -> Backends {
    Backends::new()
        .with(Fake("store", &["observe", "fence", "unfence", "promote", "follow"]))
        .with(Fake("workloads", &["observe", "scale", "fence"]))
        .with(Fake("traffic", &["observe", "route"]))
        .with(Fake("weighted", &["observe", "route"]))
        .with(Fake("global-store", &["observe", "promote", "follow", "restore"]))
        .with(Fake("door", &["probe"]))
        .with(Fake("cache", &["fake.flush", "fake.gone"]))
}

impl Backend for Fake {
    fn kind(&self) -> &str {
        self.0
    }

    fn schema(&self) -> Value {
        json!({ "type": "object", "properties": { "identity": { "type": "string" } } })
    }

    fn configure(&self, config: Value) -> Result<Box<dyn Configured>, Vec<ConfigError>> {
        if let Some(identity) = config.get("identity")
            && !identity.is_string()
        {
            return Err(vec![ConfigError::new("/identity", "expected a text")]);
        }
        if let Some(limits) = config.get("limits")
            && let Err(error) = serde_json::from_value::<RtoRpoBudget>(limits.clone())
        {
            return Err(vec![ConfigError::new("/limits", error.to_string())]);
        }
        Ok(Box::new(FakeConfigured { kind: self.0, config, verbs: self.1 }))
    }
}

#[derive(Debug)]
struct FakeConfigured {
    kind: &'static str,
    config: Value,
    verbs: &'static [&'static str],
}

#[async_trait]
impl Configured for FakeConfigured {
    fn identities(&self) -> Vec<Identity> {
        let own = format!("{:p}", self);
        self.config["identity"].as_str().unwrap_or(&own).split(' ').map(Identity::new).collect()
    }

    fn sides(&self) -> BTreeMap<Side, Region> {
        let side = |name: &String| (Side::new(name.as_str()), Region::new(name.as_str()));
        match self.config.get("sides") {
            Some(Value::Object(sides)) => sides.keys().map(side).collect(),
            Some(_) | None if self.verbs == ["probe"] => BTreeMap::new(),
            Some(_) | None => ["us", "eu"].map(str::to_owned).iter().map(side).collect(),
        }
    }

    fn verbs(&self) -> Vec<&str> {
        self.verbs.to_vec()
    }

    fn needs(&self, _verb: &str, _on: Option<&Side>) -> Needs {
        let needs = match self.config["control"].as_str() {
            Some(region) => Needs::default().and_control("dns", region),
            None => Needs::default(),
        };
        match self.config["data"].as_str() {
            Some(region) => needs.and_data("an image registry", region),
            None => needs,
        }
    }

    fn connecting(&self) -> Needs {
        match self.config["sts"].as_str() {
            Some(region) => Needs::default().and_control_plane(
                Plane::new("the global STS endpoint", region)
                    .without("no credentials are to be had")
                    .instead("regional STS endpoints"),
            ),
            None => Needs::default(),
        }
    }

    fn own_call(
        &self,
        verb: &str,
        call: Value,
        roles: &Roles,
    ) -> Option<Result<(Value, Class), serde_json::Error>> {
        (verb == "fake.flush").then(|| understood::<Scale>(call, roles))
    }

    fn names_are_regional(&self) -> bool {
        self.config["regional"] == true
    }

    fn fences_itself_when_planned(&self) -> bool {
        self.kind == "global-store"
    }

    fn splits_traffic(&self) -> bool {
        self.kind == "weighted"
    }

    fn knows_addresses(&self) -> bool {
        self.config["service"].is_string()
    }

    fn measures_room(&self) -> bool {
        self.config["room"] == true
    }

    fn ttl(&self) -> Option<Duration> {
        self.config["ttl"].as_str().and_then(|ttl| parse_duration(ttl).ok())
    }

    fn takes_writes(&self) -> Option<bool> {
        self.config["writes"].as_bool()
    }

    async fn connect(&self, _connect: &Connect<'_>) -> dr_core::Result<Resource> {
        Err(Error::unsupported("nothing is behind it"))
    }
}
