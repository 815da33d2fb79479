//! Kind `s3-replication`.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, DeleteMarkerReplication,
    DeleteMarkerReplicationStatus, Destination, ExpirationStatus, LifecycleRule, LifecycleRuleFilter,
    NoncurrentVersionExpiration, ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter,
    ReplicationRuleStatus, VersioningConfiguration,
};
use dr_aws::{Marker, S3ReplicationBackend};
use dr_core::resource::{At, Copies, Point, Replication, Restore, Restored, Role};
use dr_core::{ErrorKind, Happened, Resource, Result, Side, Timestamp, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use serde_json::json;

use crate::ground::Ground;
use crate::support::{EAST, SECOND, WEST, connected, cx, effect};

const BUCKETS: [(&str, &str); 2] = [(EAST, "orders-east"), (WEST, "orders-west")];

fn bucket(region: &str) -> &'static str {
    BUCKETS.iter().find(|(of, _)| *of == region).unwrap().1
}

/// Both buckets, keeping versions.
async fn world() -> Ground {
    let ground = Ground::new().await;
    for (region, name) in BUCKETS {
        ground.create_bucket(region, name).await;
        versioning(&ground, region, BucketVersioningStatus::Enabled).await;
    }
    ground
}

async fn versioning(ground: &Ground, region: &str, status: BucketVersioningStatus) {
    let versioning = VersioningConfiguration::builder().status(status).build();
    let put = ground.s3(region).put_bucket_versioning().bucket(bucket(region));
    put.versioning_configuration(versioning).send().await.unwrap();
}

async fn buckets(ground: &Ground) -> Resource {
    let sides: serde_json::Map<_, _> =
        BUCKETS.iter().map(|(side, name)| ((*side).to_owned(), json!({ "bucket": name }))).collect();
    connected(&S3ReplicationBackend, json!({ "sides": sides, "aws": ground.reached() })).await
}

async fn put(s3: &Client, bucket: &str, key: &str, text: &str) {
    let body = ByteStream::from(text.as_bytes().to_vec());
    s3.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
}

async fn delete(s3: &Client, bucket: &str, key: &str) {
    s3.delete_object().bucket(bucket).key(key).send().await.unwrap();
}

/// What is current, but for our own lists.
async fn current(s3: &Client, bucket: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = s3.list_objects_v2().bucket(bucket).set_start_after(after.clone()).send().await.unwrap();
        for object in page.contents() {
            let key = object.key().unwrap().to_owned();
            after = Some(key.clone());
            if !key.starts_with(".dr-") {
                let got = s3.get_object().bucket(bucket).key(&key).send().await.unwrap();
                let bytes = got.body.collect().await.unwrap().to_vec();
                all.insert(key, String::from_utf8(bytes).unwrap());
            }
        }
        if !page.is_truncated().unwrap_or(false) {
            return all;
        }
    }
}

fn shown(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

/// S3 gives times in whole seconds: what is written from now on is later than what was.
async fn next_second() {
    let into = u64::try_from(Timestamp::system().as_millis().rem_euclid(1_000)).unwrap();
    tokio::time::sleep(Duration::from_millis(1_050 - into)).await;
}

/// Three orders, and what an accident made of them: one overwritten, one deleted, one new. The moment between.
async fn accident(ground: &Ground, region: &str) -> Timestamp {
    let (s3, name) = (ground.s3(region), bucket(region));
    for key in ["orders/1", "orders/2", "orders/same"] {
        put(&s3, name, key, "good").await;
    }
    put(&s3, name, "invoices/1", "good").await;
    next_second().await;
    let moment = Timestamp::system();
    next_second().await;
    put(&s3, name, "orders/1", "bad!").await;
    delete(&s3, name, "orders/2").await;
    put(&s3, name, "orders/3", "new").await;
    put(&s3, name, "invoices/1", "newer").await;
    moment
}

fn restore(side: &str, point: Point) -> Restore {
    Restore { side: At::Named(Side::new(side)), point, into: None, only: Some("orders/".to_owned()) }
}

async fn restored(resource: &Resource, call: &Restore) -> Result<Restored> {
    let effect = effect::<Restore>(resource);
    let was = effect.prepare(&cx("test", 20 * SECOND), call).await?;
    effect.apply(&cx("test", 20 * SECOND), call, &was).await
}

#[derive(Debug)]
struct Accident;

#[derive(Debug)]
struct Hands(Ground);

thread_local! {
    static MOMENT: std::cell::Cell<Option<Timestamp>> = const { std::cell::Cell::new(None) };
}

#[async_trait]
impl Fixture for Accident {
    async fn fresh(&self) -> Result<Subject> {
        let ground = world().await;
        let moment = accident(&ground, WEST).await;
        MOMENT.set(Some(moment));
        let resource = buckets(&ground).await;
        Ok(Subject::new(resource, EAST, WEST, Hands(ground)))
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) | Lever::Hang(side) => return self.0.silence(side.as_str()),
            Lever::Heal(_) => self.0.heal(),
            Lever::Forbid(permission) => match self.0.simulator() {
                Some(aws) => aws.deny(permission),
                None => return false,
            },
            Lever::Meddle("restore") => put(&self.0.s3(WEST), bucket(WEST), "orders/1", "theirs").await,
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        self.0.heal();
        Some(format!("{:?}", current(&self.0.s3(WEST), bucket(WEST)).await))
    }
}

#[tokio::test]
async fn a_restore_keeps_every_promise_of_an_effect() {
    let report = suite::effect::<Restore>(
        &Accident,
        |subject| subject.target.clone(),
        async |_| Ok(restore(WEST, Point::At(MOMENT.get().unwrap()))),
    )
    .await;
    println!("{report}");
    report.assert(10);
}

#[tokio::test]
async fn what_was_current_is_current_again_and_nothing_is_removed() {
    let ground = world().await;
    let moment = accident(&ground, EAST).await;
    let resource = buckets(&ground).await;
    let left = restored(&resource, &restore(EAST, Point::At(moment))).await.unwrap();
    assert_eq!(left.what, "2 objects, and 1 covered that did not exist, below s3://orders-east/orders/");
    let s3 = ground.s3(EAST);
    let good = [("invoices/1", "newer"), ("orders/1", "good"), ("orders/2", "good"), ("orders/same", "good")];
    assert_eq!(current(&s3, bucket(EAST)).await, shown(&good));
    let versions = s3.list_object_versions().bucket(bucket(EAST)).prefix("orders/").send().await.unwrap();
    let of = |key: &str| versions.versions().iter().filter(|version| version.key() == Some(key)).count();
    assert_eq!([of("orders/1"), of("orders/2"), of("orders/3"), of("orders/same")], [3, 2, 1, 1]);
}

#[tokio::test]
async fn objects_come_from_the_other_sides_bucket_as_it_is_and_as_it_was() {
    let ground = world().await;
    let moment = accident(&ground, WEST).await;
    put(&ground.s3(EAST), bucket(EAST), "orders/stray", "stray").await;
    let resource = buckets(&ground).await;
    next_second().await;
    restored(&resource, &restore(EAST, Point::Copy(WEST.to_owned()))).await.unwrap();
    let now = [("orders/1", "bad!"), ("orders/3", "new"), ("orders/same", "good")];
    assert_eq!(current(&ground.s3(EAST), bucket(EAST)).await, shown(&now));
    let call = Restore { only: None, ..restore(EAST, Point::Copy(format!("{WEST}@{moment}"))) };
    let effect = effect::<Restore>(&resource);
    let was = effect.prepare(&cx("then", 20 * SECOND), &call).await.unwrap();
    effect.apply(&cx("then", 20 * SECOND), &call, &was).await.unwrap();
    let then = [("invoices/1", "good"), ("orders/1", "good"), ("orders/2", "good"), ("orders/same", "good")];
    assert_eq!(current(&ground.s3(EAST), bucket(EAST)).await, shown(&then));
    effect.undo(&cx("then", 20 * SECOND), &call, &was.before).await.unwrap();
    assert_eq!(current(&ground.s3(EAST), bucket(EAST)).await, shown(&now));
}

#[tokio::test]
async fn restored_beside_nothing_else_is_touched() {
    let ground = world().await;
    let moment = accident(&ground, EAST).await;
    put(&ground.s3(EAST), bucket(EAST), "again/kept", "kept").await;
    let call = Restore { into: Some("again/".to_owned()), ..restore(EAST, Point::At(moment)) };
    restored(&buckets(&ground).await, &call).await.unwrap();
    let mut seen = current(&ground.s3(EAST), bucket(EAST)).await;
    seen.retain(|key, _| key.starts_with("again/") || key == "orders/1");
    let wanted = [
        ("again/1", "good"),
        ("again/2", "good"),
        ("again/kept", "kept"),
        ("again/same", "good"),
        ("orders/1", "bad!"),
    ];
    assert_eq!(seen, shown(&wanted));
}

#[tokio::test]
async fn a_thousand_keys_and_more_are_all_restored_and_all_put_back() {
    let ground = world().await;
    let (s3, name) = (ground.s3(EAST), bucket(EAST));
    let keys: Vec<String> = (0..1_100).map(|number| format!("orders/{number:05}")).collect();
    let writing = async |text: &str| {
        for some in keys.chunks(50) {
            futures_util::future::join_all(some.iter().map(|key| put(&s3, name, key, text))).await;
        }
    };
    writing("good").await;
    next_second().await;
    let moment = Timestamp::system();
    next_second().await;
    writing("bad!").await;
    let (resource, call) = (buckets(&ground).await, restore(EAST, Point::At(moment)));
    let (effect, within) = (effect::<Restore>(&resource), 120 * SECOND);
    let was = effect.prepare(&cx("many", within), &call).await.unwrap();
    let left = effect.apply(&cx("many", within), &call, &was).await.unwrap();
    assert!(left.what.starts_with("1100 objects"), "{}", left.what);
    let good = current(&s3, name).await;
    assert_eq!((good.len(), good.values().filter(|text| *text == "good").count()), (1_100, 1_100));
    effect.undo(&cx("many", within), &call, &was.before).await.unwrap();
    assert_eq!(current(&s3, name).await.values().filter(|text| *text == "bad!").count(), 1_100);
    let ours = s3.list_object_versions().bucket(name).prefix(".dr-").send().await.unwrap();
    assert_eq!(
        (ours.versions().len(), ours.delete_markers().len()),
        (0, 0),
        "the list is gone with every version"
    );
}

#[tokio::test]
async fn objects_that_changed_since_they_were_looked_at_are_a_conflict_and_nothing_is_done() {
    let ground = world().await;
    let moment = accident(&ground, EAST).await;
    let (resource, call) = (buckets(&ground).await, restore(EAST, Point::At(moment)));
    let effect = effect::<Restore>(&resource);
    let was = effect.prepare(&cx("test", 10 * SECOND), &call).await.unwrap();
    put(&ground.s3(EAST), bucket(EAST), "orders/1", "theirs").await;
    let before = current(&ground.s3(EAST), bucket(EAST)).await;
    let error = effect.apply(&cx("test", 10 * SECOND), &call, &was).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Conflict, Happened::No), "{error:?}");
    assert_eq!(current(&ground.s3(EAST), bucket(EAST)).await, before);
}

#[tokio::test]
async fn what_the_versions_do_not_tell_is_refused() {
    let ground = world().await;
    let resource = buckets(&ground).await;
    put(&ground.s3(EAST), bucket(EAST), "orders/1", "good").await;
    let refused = async |point| restored(&resource, &restore(EAST, point)).await.unwrap_err().kind();
    assert_eq!(refused(Point::Latest).await, ErrorKind::Invalid);
    assert_eq!(refused(Point::Copy(EAST.to_owned())).await, ErrorKind::Invalid);
    assert_eq!(refused(Point::Copy("us-west-9".to_owned())).await, ErrorKind::Invalid);
    assert_eq!(refused(Point::At(Timestamp::system().plus(60 * SECOND))).await, ErrorKind::Invalid);
    let expires = NoncurrentVersionExpiration::builder().noncurrent_days(2).build();
    let rule = LifecycleRule::builder()
        .id("tidy")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("orders/").build())
        .noncurrent_version_expiration(expires)
        .build()
        .unwrap();
    let lifecycle = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let put_rules = ground.s3(EAST).put_bucket_lifecycle_configuration().bucket(bucket(EAST));
    put_rules.lifecycle_configuration(lifecycle).send().await.unwrap();
    let long_ago = Timestamp::system().minus(3 * 86_400 * SECOND);
    let error = restored(&resource, &restore(EAST, Point::At(long_ago))).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("2 days"), "{error}");
    versioning(&ground, EAST, BucketVersioningStatus::Suspended).await;
    let error = restored(&resource, &restore(EAST, Point::At(Timestamp::system()))).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("keeps no versions"), "{error}");
}

async fn replicate(ground: &Ground, status: ReplicationRuleStatus, prefix: &str) {
    let to = Destination::builder().bucket(format!("arn:aws:s3:::{}", bucket(WEST))).build().unwrap();
    let markers = DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Enabled).build();
    let rule = ReplicationRule::builder()
        .id("all")
        .priority(1)
        .status(status)
        .filter(ReplicationRuleFilter::builder().prefix(prefix).build())
        .destination(to)
        .delete_marker_replication(markers)
        .build()
        .unwrap();
    let config = ReplicationConfiguration::builder()
        .role("arn:aws:iam::123456789012:role/replication")
        .rules(rule)
        .build()
        .unwrap();
    let put = ground.s3(EAST).put_bucket_replication().bucket(bucket(EAST));
    put.replication_configuration(config).send().await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_the_replication_is_said_where_it_arrives() {
    let ground = world().await;
    let resource = buckets(&ground).await;
    let observe = async || {
        let seen =
            resource.observer::<Replication>().unwrap().observe(&cx("test", 5 * SECOND)).await.unwrap();
        let node = seen.leader(&Side::new(WEST)).unwrap().clone();
        let codes: Vec<String> = node.hazards.iter().map(|hazard| hazard.code.clone()).collect();
        (node.role, node.receiving, codes)
    };
    assert_eq!(observe().await, (Role::Unknown, Some(false), vec!["no-rule".to_owned()]));
    replicate(&ground, ReplicationRuleStatus::Disabled, "").await;
    assert_eq!(observe().await.2, ["rule-disabled"]);
    replicate(&ground, ReplicationRuleStatus::Enabled, "orders/").await;
    assert_eq!(observe().await.2, ["rule-filter"]);
    replicate(&ground, ReplicationRuleStatus::Enabled, "").await;
    assert_eq!(observe().await, (Role::Standby, Some(true), vec!["no-metrics".to_owned()]));
    let copies = resource.observer::<Copies>().unwrap().observe(&cx("test", 5 * SECOND)).await.unwrap();
    assert_eq!(copies.sides[&Side::new(EAST)].as_ref().unwrap().len(), 2);
    versioning(&ground, WEST, BucketVersioningStatus::Suspended).await;
    let (_, receiving, codes) = observe().await;
    assert_eq!(receiving, Some(false));
    assert!(codes.contains(&"versioning-off".to_owned()), "{codes:?}");
}

fn marker(within: Duration) -> Marker {
    serde_json::from_value(json!({
        "from": EAST, "to": WEST, "arrives_within": format!("{}ms", within.as_millis()),
    }))
    .unwrap()
}

#[tokio::test]
async fn a_marker_is_timed_end_to_end_and_leaves_nothing() {
    let ground = world().await;
    let Some(aws) = ground.simulator() else { return };
    let takes = Duration::from_millis(700);
    aws.set_replication_latency(bucket(EAST), "", takes).unwrap();
    replicate(&ground, ReplicationRuleStatus::Enabled, "").await;
    let resource = buckets(&ground).await;
    let (effect, call) = (effect::<Marker>(&resource), marker(8 * SECOND));
    let was = effect.prepare(&cx("test", 10 * SECOND), &call).await.unwrap();
    let left = effect.apply(&cx("test", 20 * SECOND), &call, &was).await.unwrap();
    assert!(left.took >= takes.mul_f64(0.9) && left.took < 8 * SECOND, "{left}");
    for (region, name) in BUCKETS {
        let versions = ground.s3(region).list_object_versions().bucket(name).send().await.unwrap();
        assert_eq!((versions.versions().len(), versions.delete_markers().len()), (0, 0), "{region}");
    }
}

#[tokio::test]
async fn an_object_that_waits_says_how_far_the_copy_is_behind() {
    let ground = world().await;
    let Some(aws) = ground.simulator() else { return };
    replicate(&ground, ReplicationRuleStatus::Enabled, "").await;
    aws.set_replication_latency(bucket(EAST), "", 3 * SECOND).unwrap();
    put(&ground.s3(EAST), bucket(EAST), "orders/1", "good").await;
    let resource = buckets(&ground).await;
    let lag = async || {
        let seen =
            resource.observer::<Replication>().unwrap().observe(&cx("test", 5 * SECOND)).await.unwrap();
        seen.leader(&Side::new(WEST)).unwrap().lag
    };
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(lag().await.is_some_and(|lag| lag >= SECOND), "it waits, and nobody says so");
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(lag().await, Some(Duration::ZERO));
}

#[derive(Debug)]
struct Replicated;

#[async_trait]
impl Fixture for Replicated {
    async fn fresh(&self) -> Result<Subject> {
        let ground = world().await;
        replicate(&ground, ReplicationRuleStatus::Enabled, "").await;
        put(&ground.s3(EAST), bucket(EAST), "orders/1", "good").await;
        for _ in 0..200 {
            if current(&ground.s3(WEST), bucket(WEST)).await.len() == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut subject = Subject::new(buckets(&ground).await, EAST, WEST, Hands(ground));
        subject.permissions = ["s3:ListBucketVersions", "s3:PutObject"].map(str::to_owned).into();
        Ok(subject)
    }
}

#[tokio::test]
async fn buckets_keep_every_promise_of_an_observation() {
    if Ground::new().await.simulator().is_none() {
        return;
    }
    let report = suite::observe(&Replicated).await;
    println!("{report}");
    report.assert(3);
}

#[tokio::test]
async fn buckets_keep_every_promise_of_proofs() {
    if Ground::new().await.simulator().is_none() {
        return;
    }
    let report = suite::proves(&Replicated).await;
    println!("{report}");
    report.assert(6);
}

#[tokio::test]
async fn a_marker_that_does_not_arrive_in_time_is_refused_and_without_a_rule_none_is_written() {
    let ground = world().await;
    let resource = buckets(&ground).await;
    let (effect, call) = (effect::<Marker>(&resource), marker(SECOND));
    let error = effect.prepare(&cx("test", 10 * SECOND), &call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    replicate(&ground, ReplicationRuleStatus::Enabled, "").await;
    if let Some(aws) = ground.simulator() {
        aws.set_replication_latency(bucket(EAST), "", 60 * SECOND).unwrap();
    }
    let was = effect.prepare(&cx("test", 10 * SECOND), &call).await.unwrap();
    let error = effect.apply(&cx("test", 10 * SECOND), &call, &was).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("within 1s"), "{error:?}");
    let left = ground.s3(EAST).list_object_versions().bucket(bucket(EAST)).send().await.unwrap();
    assert!(left.versions().is_empty(), "{left:?}");
}
