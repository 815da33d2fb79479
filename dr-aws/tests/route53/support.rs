//! A zone on the simulator, looked at past the code under test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};
use aws_sdk_sts::config::{Credentials, Region};
use dr_aws::Route53Backend;
use dr_core::resource::{
    Before, Connect, Cx, Effect, Prepared, Redactor, Route, Routed, Routing, Secret, SecretRef, SecretSource,
    Urgency,
};
use dr_core::{Backend, Clock, Error, Resource, Result, SystemClock, async_trait};
use dr_testkit_aws::{Aws, Options, Record};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

pub(crate) const NAME: &str = "shop.example.test";
pub(crate) const EAST: &str = "192.0.2.10";
pub(crate) const WEST: &str = "198.51.100.10";
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

/// A world with one zone.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) aws: Aws,
    pub(crate) zone: String,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        Self::with(Options::new()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let aws = Aws::start(options).await.unwrap();
        let zone = aws.create_zone("example.test");
        Self { aws, zone }
    }

    /// With a simple record that leads east.
    pub(crate) async fn simple() -> Self {
        let ground = Self::new().await;
        ground.put(Record::simple(NAME, "A", 60, &[EAST]));
        ground
    }

    /// With a primary in the east, checked, and a secondary in the west; and the check's id.
    pub(crate) async fn failover() -> (Self, String) {
        let ground = Self::new().await;
        let check = ground.endpoint_check(EAST).await;
        ground.put(Record::simple(NAME, "A", 60, &[EAST]).failover("Primary", true).checked_by(&check));
        ground.put(Record::simple(NAME, "A", 60, &[WEST]).failover("Secondary", false));
        (ground, check)
    }

    /// As [`Ground::failover`], with a calculated check over the endpoint's; the calculated one's id, then the endpoint's.
    pub(crate) async fn calculated() -> (Self, String, String) {
        let ground = Self::new().await;
        let child = ground.endpoint_check(EAST).await;
        let config = HealthCheckConfig::builder()
            .r#type(HealthCheckType::Calculated)
            .child_health_checks(&child)
            .health_threshold(1)
            .build()
            .unwrap();
        let check = ground.check(config).await;
        ground.put(Record::simple(NAME, "A", 60, &[EAST]).failover("Primary", true).checked_by(&check));
        ground.put(Record::simple(NAME, "A", 60, &[WEST]).failover("Secondary", false));
        (ground, check, child)
    }

    /// A configuration of kind `route53-health-check`, with what `more` adds to it.
    pub(crate) fn check_config(&self, check: &str, more: Value) -> Value {
        let mut config = self.config(json!({
            "primary": "east", "mode": "invert", "health_check": check,
            "set_identifiers": { "east": "Primary", "west": "Secondary" },
        }));
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        config
    }

    /// Awaits that a check says so, after its endpoint in the east does.
    pub(crate) async fn endpoint_is(&self, check: &str, healthy: bool) {
        self.aws.set_endpoint_health(EAST.parse().unwrap(), healthy);
        eventually("the check follows its endpoint", async || self.aws.is_healthy(check) == healthy).await;
    }

    /// With all weight in the east.
    pub(crate) async fn weighted() -> Self {
        let ground = Self::new().await;
        ground.put(Record::simple(NAME, "A", 60, &[EAST]).weighted("east", 100));
        ground.put(Record::simple(NAME, "A", 60, &[WEST]).weighted("west", 0));
        ground
    }

    pub(crate) fn put(&self, record: Record) {
        self.aws.put_record(&self.zone, record).unwrap();
    }

    pub(crate) fn reached(&self) -> Value {
        json!({ "endpoint": self.aws.endpoint(), "keys": { "id": "AKIATESTTESTTESTTEST", "secret": "${test:secret}" } })
    }

    /// A configuration of kind `route53`, with what `more` adds to it.
    pub(crate) fn config(&self, more: Value) -> Value {
        let servers: Vec<String> = self.aws.name_servers().iter().map(ToString::to_string).collect();
        let mut config = json!({
            "zone": self.zone, "record": NAME, "type": "A", "ttl": "60s",
            "values": { "east": EAST, "west": WEST },
            "sides": { "east": "us-east-1", "west": "eu-central-1" },
            "name_servers": servers,
            "aws": self.reached(),
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        config
    }

    pub(crate) fn failover_config(&self, check: &str) -> Value {
        self.config(json!({
            "routing": "failover", "primary": "east",
            "set_identifiers": { "east": "Primary", "west": "Secondary" },
            "health_checks": { "east": check },
        }))
    }

    pub(crate) async fn entry(&self, more: Value) -> Entry {
        Entry::of(&Route53Backend, self.config(more)).await
    }

    /// The SDK, for hands that are not ours.
    pub(crate) fn client(&self) -> Client {
        let config = aws_sdk_route53::Config::builder()
            .behavior_version(aws_sdk_route53::config::BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.aws.endpoint())
            .credentials_provider(Credentials::new("AKIATESTTESTTESTTEST", "other", None, None, "test"))
            .build();
        Client::from_conf(config)
    }

    pub(crate) async fn endpoint_check(&self, address: &str) -> String {
        let config = HealthCheckConfig::builder()
            .r#type(HealthCheckType::Http)
            .ip_address(address)
            .port(80)
            .resource_path("/health")
            .request_interval(10)
            .failure_threshold(1)
            .build()
            .unwrap();
        self.check(config).await
    }

    pub(crate) async fn check(&self, config: HealthCheckConfig) -> String {
        let reference = format!("{:?}", std::time::SystemTime::now());
        let made =
            self.client().create_health_check().caller_reference(reference).health_check_config(config);
        made.send().await.unwrap().health_check.unwrap().id
    }

    /// The record sets of the name, as the API lists them, and what each name server answers.
    pub(crate) async fn look(&self) -> String {
        let mut text = self.aws.snapshot();
        for server in self.aws.name_servers() {
            text.push_str(&format!("{server} {:?}\n", dig(server).await));
        }
        text
    }

    /// What each name server answers, once.
    pub(crate) async fn answers(&self) -> Vec<Vec<String>> {
        let mut answers = Vec::new();
        for server in self.aws.name_servers() {
            answers.push(dig(server).await);
        }
        answers
    }

    /// Awaits that every server answers so.
    pub(crate) async fn answers_become(&self, value: &str) {
        eventually(&format!("everybody answers {value}"), async || {
            self.answers().await.iter().all(|answer| answer == &[value])
        })
        .await;
    }

    pub(crate) fn calls(&self, action: &str) -> usize {
        self.aws.calls().iter().filter(|call| call.action == action).count()
    }
}

/// A connected resource, spoken to as the engine does.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) resource: Resource,
    pub(crate) urgency: Urgency,
}

impl Entry {
    pub(crate) async fn of(backend: &dyn Backend, config: Value) -> Self {
        Self { resource: connected(backend, config).await, urgency: Urgency::Planned }
    }

    pub(crate) fn unplanned(self) -> Self {
        Self { urgency: Urgency::Unplanned, ..self }
    }

    pub(crate) fn cx(&self, within: Duration) -> Cx {
        let mut cx = Cx::new("20270115T080000Z-route".into(), "dns/route:entry".into(), within);
        cx.urgency = self.urgency;
        cx
    }

    fn effect(&self) -> Arc<dyn Effect<Route>> {
        self.resource.effect::<Route>().unwrap()
    }

    pub(crate) async fn observe(&self) -> Result<Routing> {
        self.resource.observer::<Routing>().unwrap().observe(&self.cx(5 * SECOND)).await
    }

    pub(crate) async fn prepare(&self, call: &Route) -> Result<Prepared> {
        self.effect().prepare(&self.cx(15 * SECOND), call).await
    }

    pub(crate) async fn apply(&self, call: &Route, was: &Prepared) -> Result<Routed> {
        self.effect().apply(&self.cx(15 * SECOND), call, was).await
    }

    pub(crate) async fn undo(&self, call: &Route, was: &Before) -> Result<()> {
        self.effect().undo(&self.cx(15 * SECOND), call, was).await
    }

    /// Both, as a step does.
    pub(crate) async fn route(&self, call: &Route) -> Result<(Prepared, Routed)> {
        let was = self.prepare(call).await?;
        let routed = self.apply(call, &was).await?;
        Ok((was, routed))
    }
}

pub(crate) async fn connected(backend: &dyn Backend, config: Value) -> Resource {
    let configured = backend.configure(config).expect("the configuration makes sense");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    configured.connect(&Connect::new(&Literal, &Redactor::default(), &clock)).await.expect("it connects")
}

/// What one name server answers for the name.
pub(crate) async fn dig(server: SocketAddr) -> Vec<String> {
    let mut name: Name = NAME.parse().unwrap();
    name.set_fqdn(true);
    let mut question = Message::query();
    question.add_query(Query::query(name, RecordType::A));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = [0; 4096];
    let length = tokio::time::timeout(5 * SECOND, socket.recv(&mut buffer)).await.unwrap().unwrap();
    let answer = Message::from_vec(&buffer[..length]).unwrap();
    let mut values: Vec<String> = answer.answers.iter().map(|record| record.data.to_string()).collect();
    values.sort();
    values
}

/// Awaits a condition, but not for ever.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + 20 * SECOND;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The error's text, for what it has to say.
pub(crate) fn text(error: &Error) -> String {
    format!("{error:?}")
}
