//! Buckets to try S3 on: the strict simulator's; or those of moto, which is another's idea of S3, if `DR_TEST_MOTO`
//! names its server. (moto 5.2 answers GetBucketVersioning under a root element that is not S3's; the SDK does not take
//! that, so its answers have to be put right on the way.)

use std::process::{Child, Command, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use dr_testkit_aws::{Aws, Fault, Options};
use serde_json::{Value, json};

use crate::support::EAST;

/// Where the buckets are. What it started ends with it.
#[derive(Debug)]
pub(crate) enum Ground {
    Simulator(Aws),
    Moto { server: Child, endpoint: String },
}

impl Ground {
    pub(crate) async fn new() -> Self {
        match std::env::var("DR_TEST_MOTO") {
            Ok(server) => Self::moto(&server).await,
            Err(_) => Self::Simulator(Aws::start(Options::new()).await.unwrap()),
        }
    }

    async fn moto(server: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let server = Command::new(server)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Self::Moto { server, endpoint: format!("http://{address}") }
    }

    fn endpoint(&self) -> String {
        match self {
            Self::Simulator(aws) => aws.endpoint(),
            Self::Moto { endpoint, .. } => endpoint.clone(),
        }
    }

    pub(crate) fn reached(&self) -> Value {
        json!({ "endpoint": self.endpoint(), "keys": { "id": "AKIATESTTESTTESTTEST", "secret": "${test:secret}" } })
    }

    /// The SDK, for hands that are not ours.
    pub(crate) fn s3(&self, region: &str) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new(region.to_owned()))
            .endpoint_url(self.endpoint())
            .force_path_style(true)
            .credentials_provider(aws_sdk_s3::config::Credentials::new(
                "AKIATESTTESTTESTTEST",
                "other",
                None,
                None,
                "test",
            ));
        Client::from_conf(config.build())
    }

    pub(crate) async fn create_bucket(&self, region: &str, name: &str) {
        let place = BucketLocationConstraint::from(region);
        let config = CreateBucketConfiguration::builder().location_constraint(place).build();
        let config = (region != EAST).then_some(config);
        let create = self.s3(region).create_bucket().bucket(name).set_create_bucket_configuration(config);
        create.send().await.unwrap();
    }

    /// A region falls silent, where that can be done.
    pub(crate) fn silence(&self, region: &str) -> bool {
        match self {
            Self::Simulator(aws) => {
                aws.lose_region(region, Fault::BlackHole);
                true
            }
            Self::Moto { .. } => false,
        }
    }

    /// Everything answers again.
    pub(crate) fn heal(&self) {
        if let Self::Simulator(aws) = self {
            aws.heal_all();
        }
    }

    /// The simulator, for what only it can do.
    pub(crate) fn simulator(&self) -> Option<&Aws> {
        match self {
            Self::Simulator(aws) => Some(aws),
            Self::Moto { .. } => None,
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Self::Moto { server, .. } = self {
            // It may have ended by itself; then there is nothing to end.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
