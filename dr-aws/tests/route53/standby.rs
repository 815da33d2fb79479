//! Kind `route53-health-check`, mode `standby-takes-over`: callers moved by an object, without a control plane.

use std::net::SocketAddr;

use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckType};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sts::config::{Credentials, Region};
use dr_aws::HealthCheckBackend;
use dr_core::resource::Route;
use dr_core::{Backend, ErrorKind, Result, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Failure, Fault, Record, Service};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::{EAST, Entry, Ground, NAME, SECOND, WEST, connected};

const BUCKET: &str = "dr-switch";
const KEY: &str = "failover/shop";

/// A zone whose primary answers while the object is not there, and what the checkers ask.
#[derive(Debug)]
struct Switchyard {
    ground: Ground,
    check: String,
    s3: aws_sdk_s3::Client,
    public: JoinHandle<()>,
}

impl Switchyard {
    async fn new() -> Self {
        let ground = Ground::new().await;
        let s3 = aws_sdk_s3::Client::from_conf(
            aws_sdk_s3::Config::builder()
                .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .endpoint_url(ground.aws.endpoint())
                .force_path_style(true)
                .credentials_provider(Credentials::new("AKIATESTTESTTESTTEST", "other", None, None, "test"))
                .build(),
        );
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::from("eu-central-1"))
            .build();
        s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
        let (address, public) = public(s3.clone()).await;
        let config = HealthCheckConfig::builder()
            .r#type(HealthCheckType::Http)
            .ip_address(address.ip().to_string())
            .port(address.port().into())
            .resource_path(format!("/{BUCKET}/{KEY}"))
            .request_interval(10)
            .failure_threshold(1)
            .inverted(true)
            .build()
            .unwrap();
        let check = ground.check(config).await;
        ground.put(Record::simple(NAME, "A", 60, &[EAST]).failover("Primary", true).checked_by(&check));
        ground.put(Record::simple(NAME, "A", 60, &[WEST]).failover("Secondary", false));
        Self { ground, check, s3, public }
    }

    fn config(&self) -> Value {
        let more = json!({ "mode": "standby-takes-over", "object": { "bucket": BUCKET, "key": KEY } });
        self.ground.check_config(&self.check, more)
    }

    async fn entry(&self) -> Entry {
        self.ground.answers_become(EAST).await;
        Entry::of(&HealthCheckBackend, self.config()).await
    }

    async fn put(&self, body: &'static str) {
        let put = self.s3.put_object().bucket(BUCKET).key(KEY).body(ByteStream::from_static(body.as_bytes()));
        put.send().await.unwrap();
    }

    async fn is_there(&self) -> bool {
        self.s3.head_object().bucket(BUCKET).key(KEY).send().await.is_ok()
    }
}

impl Drop for Switchyard {
    fn drop(&mut self) {
        self.public.abort();
    }
}

/// The bucket's public address, which needs no signature: found or not found.
async fn public(s3: aws_sdk_s3::Client) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let there = s3.head_object().bucket(BUCKET).key(KEY).send().await.is_ok();
            let status = if there { "200 OK" } else { "404 Not Found" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, serving)
}

/// P35: the alternative, with Route 53's API gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_moves_callers_without_any_control_plane() {
    let yard = Switchyard::new().await;
    let needs = HealthCheckBackend.configure(yard.config()).unwrap().needs("route", None);
    assert!(needs.control_planes.is_empty(), "{needs:?}");
    assert_eq!(needs.data_planes[0].region.as_str(), "eu-central-1");
    let entry = yard.entry().await;
    // Nothing of us-east-1 answers, and nothing of it is asked.
    yard.ground.aws.fail(Failure::new(Fault::BlackHole).service(Service::Route53));
    let call = Route::to("west");
    let (was, _) = entry.route(&call).await.unwrap();
    yard.ground.answers_become(WEST).await;
    assert!(entry.prepare(&call).await.unwrap().is_already());
    entry.undo(&call, &was.before).await.unwrap();
    yard.ground.answers_become(EAST).await;
    assert!(!yard.is_there().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn failback_takes_the_object_away_and_only_the_one_that_was_seen() {
    let yard = Switchyard::new().await;
    let entry = yard.entry().await;
    entry.route(&Route::to("west")).await.unwrap();
    let home = Route::to("east");
    let was = entry.prepare(&home).await.unwrap();
    yard.put("somebody else holds callers here").await;
    let error = entry.apply(&home, &was).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(yard.is_there().await, "theirs is gone");
    entry.route(&home).await.unwrap();
    yard.ground.answers_become(EAST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_somebody_else_is_joined_and_not_taken_away_by_an_undo() {
    let yard = Switchyard::new().await;
    let entry = yard.entry().await;
    let call = Route::to("west");
    let was = entry.prepare(&call).await.unwrap();
    yard.put("somebody was faster").await;
    entry.apply(&call, &was).await.unwrap();
    let error = entry.undo(&call, &was.before).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(yard.is_there().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_is_found_in_the_bucket() {
    let yard = Switchyard::new().await;
    let entry = yard.entry().await;
    yard.ground.aws.fail(Failure::new(Fault::LostReply).service(Service::S3).action("PutObject").times(1));
    entry.route(&Route::to("west")).await.unwrap();
    assert_eq!(yard.ground.calls("PutObject"), 1);
}

#[derive(Debug)]
struct Standby;

#[async_trait]
impl Fixture for Standby {
    async fn fresh(&self) -> Result<Subject> {
        let yard = Switchyard::new().await;
        let end = Instant::now() + 10 * SECOND;
        while yard.ground.answers().await.iter().any(|answer| answer != &[EAST]) && Instant::now() < end {
            tokio::time::sleep(SECOND / 50).await;
        }
        let resource = connected(&HealthCheckBackend, yard.config()).await;
        let mut subject = Subject::new(resource, "east", "west", Hands(yard));
        subject.patience = 5 * SECOND;
        Ok(subject)
    }
}

#[derive(Debug)]
struct Hands(Switchyard);

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        let aws = &self.0.ground.aws;
        match lever {
            // The bucket's public address goes on as it last was: only our own calls vanish.
            Lever::Silence(_) => {
                for action in ["GetObject", "PutObject", "DeleteObject"] {
                    aws.fail(Failure::new(Fault::BlackHole).service(Service::S3).action(action));
                }
            }
            Lever::Heal(_) => aws.heal_all(),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        let there = self.0.is_there().await;
        Some(format!("{there} {:?}", self.0.ground.answers().await))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_over_keeps_every_promise_of_traffic() {
    let report = suite::traffic(&Standby).await;
    println!("{report}");
    report.assert(14);
}
