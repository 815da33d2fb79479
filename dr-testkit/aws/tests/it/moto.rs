//! The same calls on moto and here: where both know a call they answer alike, in status, code and shape.

use std::process::Stdio;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_rds::types::Tag;
use aws_sdk_route53::types::ChangeAction;
use dr_testkit_aws::{Aws, Options};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::route53::{a, batch};
use crate::support::{config_at, refusal};

/// A moto of its own, which ends with the test.
struct Moto {
    endpoint: String,
    _server: Child,
}

impl Moto {
    async fn start() -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/moto/bin/moto_server");
        let program = std::env::var("DR_TEST_MOTO").unwrap_or_else(|_| root.to_owned());
        // Killed with its test, whatever ends that.
        let mut server = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", &program])
            .args(["--host", "127.0.0.1", "--port", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv: {error}; `make test-deps` installs it and moto"));
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let said = tokio::time::timeout(Duration::from_secs(60), async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.split_once("Running on ") {
                    return address.trim().to_owned();
                }
            }
            panic!(
                "{program} ended before it listened; scripts/moto.sh installs it, DR_TEST_MOTO names another"
            );
        });
        let endpoint = said.await.unwrap_or_else(|_| panic!("{program} does not come up"));
        // Its log is read to the end, or it would block.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { endpoint, _server: server }
    }
}

/// What calls came to, with nothing in it that each server makes up for itself.
async fn story(endpoint: &str) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    sts(endpoint, &mut told).await;
    route53(endpoint, &mut told).await;
    rds(endpoint, &mut told).await;
    s3(endpoint, &mut told).await;
    told
}

/// moto takes its time for the first call of a service.
fn patient(endpoint: &str, region: &str) -> aws_config::SdkConfig {
    let within = TimeoutConfig::builder().operation_timeout(Duration::from_secs(60)).build();
    config_at(endpoint, region).into_builder().timeout_config(within).build()
}

type Told = Vec<(&'static str, String)>;

async fn sts(endpoint: &str, told: &mut Told) {
    let sts = aws_sdk_sts::Client::new(&patient(endpoint, "us-west-2"));
    let identity = sts.get_caller_identity().send().await.unwrap();
    told.push(("the account", identity.account().unwrap().to_owned()));
}

async fn route53(endpoint: &str, told: &mut Told) {
    let client = aws_sdk_route53::Client::new(&patient(endpoint, "us-east-1"));
    let made = client.create_hosted_zone().name("example.com").caller_reference("one").send().await.unwrap();
    let zone = made.hosted_zone().unwrap();
    told.push(("a new zone", format!("{} {:?}", zone.name(), zone.resource_record_set_count())));
    told.push(("the form of a zone's id", zone.id().starts_with("/hostedzone/").to_string()));
    let id = zone.id().trim_start_matches("/hostedzone/").to_owned();
    let missing = client.get_hosted_zone().id("Z0000000000000").send().await.unwrap_err();
    told.push(("a missing zone", format!("{:?} {}", status(&missing), refusal(missing).0)));
    let change = |action: ChangeAction, value: &'static str| {
        let set = a("shop.example.com", 60, value).set_identifier("us").weight(10).build().unwrap();
        client.change_resource_record_sets().hosted_zone_id(&id).change_batch(batch([(action, set)])).send()
    };
    change(ChangeAction::Create, "192.0.2.1").await.unwrap();
    let again = change(ChangeAction::Create, "192.0.2.1").await.unwrap_err();
    told.push(("a record that exists", format!("{:?} {}", status(&again), refusal(again).0)));
    change(ChangeAction::Upsert, "192.0.2.2").await.unwrap();
    let listed = client.list_resource_record_sets().hosted_zone_id(&id).send().await.unwrap();
    let record = |set: &aws_sdk_route53::types::ResourceRecordSet| {
        format!("{} {} {:?} {:?}", set.name(), set.r#type().as_str(), set.ttl(), set.weight())
    };
    told.push((
        "the records",
        format!("{:?}", listed.resource_record_sets().iter().map(record).collect::<Vec<_>>()),
    ));
    let set = a("nothing.example.com", 60, "192.0.2.1").build().unwrap();
    let delete = client.change_resource_record_sets().hosted_zone_id(&id);
    let gone = delete.change_batch(batch([(ChangeAction::Delete, set)])).send().await.unwrap_err();
    told.push(("a record that is not there", format!("{:?} {}", status(&gone), refusal(gone).0)));
}

async fn rds(endpoint: &str, told: &mut Told) {
    let client = aws_sdk_rds::Client::new(&patient(endpoint, "us-west-2"));
    let create = || {
        client
            .create_db_instance()
            .db_instance_identifier("orders")
            .engine("postgres")
            .db_instance_class("db.r6g.large")
            .allocated_storage(20)
            .master_username("root")
            .master_user_password("secret123")
            .send()
    };
    let made = create().await.unwrap();
    let instance = made.db_instance().unwrap();
    told.push(("a new instance", format!("{:?} {:?}", instance.db_instance_identifier(), instance.engine())));
    let arn = instance.db_instance_arn().unwrap().to_owned();
    told.push(("its ARN", arn.clone()));
    let again = create().await.unwrap_err();
    told.push(("an instance that exists", format!("{:?} {}", status(&again), refusal(again).0)));
    let missing = client.describe_db_instances().db_instance_identifier("nothing").send().await.unwrap_err();
    told.push(("a missing instance", format!("{:?} {}", status(&missing), refusal(missing).0)));
    let tag = Tag::builder().key("tier").value("critical").build();
    client.add_tags_to_resource().resource_name(&arn).tags(tag).send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_name(&arn).send().await.unwrap();
    told.push(("its tags", format!("{:?}", tags.tag_list())));
    let missing = client.describe_db_snapshots().db_snapshot_identifier("nothing").send().await.unwrap_err();
    told.push(("a missing snapshot", format!("{:?} {}", status(&missing), refusal(missing).0)));
}

async fn s3(endpoint: &str, told: &mut Told) {
    let config = patient(endpoint, "us-east-1");
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    client.create_bucket().bucket("dr-data").send().await.unwrap();
    let put = || {
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"hello");
        client.put_object().bucket("dr-data").key("a/b").body(body).if_none_match("*").send()
    };
    told.push(("an object", put().await.unwrap().e_tag().unwrap_or_default().to_owned()));
    let again = put().await.unwrap_err();
    told.push(("an object that exists", format!("{:?} {}", status(&again), refusal(again).0)));
    let part = client.get_object().bucket("dr-data").key("a/b").range("bytes=1-2").send().await.unwrap();
    told.push(("a part of it", format!("{:?} {:?}", part.content_range(), part.content_length())));
    let missing = client.get_object().bucket("dr-data").key("nothing").send().await.unwrap_err();
    told.push(("a missing object", format!("{:?} {}", status(&missing), refusal(missing).0)));
    let listed = client.list_objects_v2().bucket("dr-data").delimiter("/").send().await.unwrap();
    let prefixes: Vec<_> = listed.common_prefixes().iter().map(|prefix| prefix.prefix()).collect();
    told.push(("its prefixes", format!("{prefixes:?} {:?}", listed.key_count())));
    let missing = client.list_objects_v2().bucket("dr-nowhere").send().await.unwrap_err();
    told.push(("a missing bucket", format!("{:?} {}", status(&missing), refusal(missing).0)));
}

fn status<E>(error: &aws_sdk_rds::error::SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Where moto is known to answer otherwise than Route 53, what it says: an `InvalidChangeBatch` is documented for a record
/// set to delete that is not there.
///
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html#API_ChangeResourceRecordSets_Errors>
const MOTO_ALONE: (&str, &str, &str) =
    ("a record that is not there", "Some(400) InvalidInput", "Some(400) InvalidChangeBatch");

#[tokio::test]
async fn what_moto_knows_is_answered_alike() {
    let moto = Moto::start().await;
    let aws = Aws::start(Options::new().route53_rate(None)).await.unwrap();
    let (mut theirs, ours) = (story(&moto.endpoint).await, story(&aws.endpoint()).await);
    let (call, said, documented) = MOTO_ALONE;
    let otherwise = theirs.iter_mut().find(|(name, _)| *name == call).unwrap();
    assert_eq!(otherwise.1, said, "moto has changed its mind: strike the exception");
    otherwise.1 = documented.to_owned();
    assert!(ours.len() > 15);
    assert_eq!(ours, theirs);
}
