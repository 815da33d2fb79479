use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, Delete, DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination,
    ObjectIdentifier, ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter,
    ReplicationRuleStatus, ReplicationStatus, VersioningConfiguration,
};
use dr_testkit_aws::{Aws, Fault};

use crate::support::{config, refusal, until, world};

fn client(aws: &Aws, region: &str) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&config(aws, region)).force_path_style(true).build();
    Client::from_conf(config)
}

fn bytes(text: &str) -> ByteStream {
    ByteStream::from(text.as_bytes().to_vec())
}

async fn put(client: &Client, bucket: &str, key: &str, text: &str) -> Option<String> {
    let put = client.put_object().bucket(bucket).key(key).body(bytes(text)).send().await.unwrap();
    put.version_id().map(str::to_owned)
}

async fn read(client: &Client, bucket: &str, key: &str) -> String {
    let got = client.get_object().bucket(bucket).key(key).send().await.unwrap();
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_object_is_read_back_whole_and_in_part() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", false);
    let client = client(&aws, "us-west-2");
    let sent = client.put_object().bucket("data").key("a/b c+d").body(bytes("hello world"));
    let sent = sent.content_type("text/plain").metadata("run", "7").send().await.unwrap();
    assert_eq!(sent.e_tag(), Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));
    assert!(sent.checksum_crc32().is_some());
    assert_eq!(read(&client, "data", "a/b c+d").await, "hello world");
    let part = client.get_object().bucket("data").key("a/b c+d").range("bytes=6-8").send().await.unwrap();
    assert_eq!(part.content_range(), Some("bytes 6-8/11"));
    assert_eq!(&part.body.collect().await.unwrap().to_vec()[..], b"wor");
    let head = client.head_object().bucket("data").key("a/b c+d").send().await.unwrap();
    assert_eq!((head.content_length(), head.content_type()), (Some(11), Some("text/plain")));
    assert_eq!(head.metadata().unwrap()["run"], "7");
    assert!(head.last_modified().is_some());
    let missing = client.get_object().bucket("data").key("nothing").send().await.unwrap_err();
    assert_eq!(refusal(missing).0, "NoSuchKey");
    let missing = client.get_object().bucket("nowhere").key("x").send().await.unwrap_err();
    assert_eq!(refusal(missing).0, "NoSuchBucket");
}

#[tokio::test]
async fn a_stream_of_unknown_checksum_comes_in_chunks_with_a_trailer() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", false);
    let client = client(&aws, "us-west-2");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![b'x'; 200_000]).unwrap();
    let body = ByteStream::from_path(file.path()).await.unwrap();
    client.put_object().bucket("data").key("large").body(body).send().await.unwrap();
    assert_eq!(aws.object("data", "large").unwrap().len(), 200_000);
}

#[tokio::test]
async fn a_wrong_checksum_is_refused() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", false);
    let client = client(&aws, "us-west-2");
    let wrong = client.put_object().bucket("data").key("x").body(bytes("x")).checksum_crc32("AAAAAA==");
    assert_eq!(refusal(wrong.send().await.unwrap_err()).0, "BadDigest");
    assert!(aws.keys("data").is_empty());
}

#[tokio::test]
async fn a_write_is_made_only_on_its_condition() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", false);
    let client = client(&aws, "us-west-2");
    let fresh =
        || client.put_object().bucket("data").key("lock").body(bytes("one")).if_none_match("*").send();
    let etag = fresh().await.unwrap().e_tag().unwrap().to_owned();
    assert_eq!(refusal(fresh().await.unwrap_err()).0, "PreconditionFailed");
    let over = |etag: String| {
        client.put_object().bucket("data").key("lock").body(bytes("two")).if_match(etag).send()
    };
    over(etag.clone()).await.unwrap();
    assert_eq!(refusal(over(etag).await.unwrap_err()).0, "PreconditionFailed");
    assert_eq!(read(&client, "data", "lock").await, "two");
    let gone = client.put_object().bucket("data").key("gone").body(bytes("x")).if_match("\"0\"").send().await;
    assert_eq!(refusal(gone.unwrap_err()).0, "NoSuchKey");
}

#[tokio::test]
async fn keys_are_listed_in_pages_and_by_common_prefix() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", false);
    let client = client(&aws, "us-west-2");
    for key in ["a/1", "a/2", "b", "c/1", "d"] {
        put(&client, "data", key, key).await;
    }
    let mut pages =
        client.list_objects_v2().bucket("data").delimiter("/").max_keys(2).into_paginator().send();
    let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= 2);
        keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        prefixes.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
    }
    assert_eq!((keys, prefixes), (vec!["b".into(), "d".into()], vec!["a/".to_owned(), "c/".into()]));
    let under = client.list_objects_v2().bucket("data").prefix("a/").start_after("a/1").send().await.unwrap();
    assert_eq!(under.contents()[0].key(), Some("a/2"));
}

#[tokio::test]
async fn versions_stay_below_a_delete_marker_and_are_restored_by_a_copy() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", true);
    let client = client(&aws, "us-west-2");
    let first = put(&client, "data", "order", "one").await.unwrap();
    put(&client, "data", "order", "two").await.unwrap();
    let deleted = client.delete_object().bucket("data").key("order").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let hidden = client.get_object().bucket("data").key("order").send().await.unwrap_err();
    assert_eq!(refusal(hidden).0, "NoSuchKey");
    let page = client.list_object_versions().bucket("data").max_keys(2).send().await.unwrap();
    assert_eq!((page.delete_markers().len(), page.versions().len()), (1, 1));
    assert_eq!(page.is_truncated(), Some(true));
    let next = client
        .list_object_versions()
        .bucket("data")
        .set_key_marker(page.next_key_marker().map(str::to_owned));
    let next =
        next.set_version_id_marker(page.next_version_id_marker().map(str::to_owned)).send().await.unwrap();
    assert_eq!(next.versions()[0].version_id(), Some(first.as_str()));
    let source = format!("data/order?versionId={first}");
    client.copy_object().bucket("data").key("order").copy_source(source).send().await.unwrap();
    assert_eq!(read(&client, "data", "order").await, "one");
    let gone = client.get_object().bucket("data").key("order").version_id("nothing").send().await;
    assert_eq!(refusal(gone.unwrap_err()).0, "NoSuchVersion");
}

#[tokio::test]
async fn a_copy_is_refused_where_its_source_is_not_what_was_looked_at() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", true);
    let client = client(&aws, "us-west-2");
    put(&client, "data", "order", "one").await;
    let head = client.head_object().bucket("data").key("order").send().await.unwrap();
    let looked_at = head.e_tag().unwrap();
    let copy = || client.copy_object().bucket("data").key("copy").copy_source("data/order");
    copy().copy_source_if_match(looked_at).send().await.unwrap();
    let same = copy().copy_source_if_none_match(looked_at).send().await.unwrap_err();
    assert_eq!(refusal(same).0, "PreconditionFailed");
    put(&client, "data", "order", "two").await;
    let changed = copy().copy_source_if_match(looked_at).send().await.unwrap_err();
    assert_eq!(refusal(changed).0, "PreconditionFailed");
    assert_eq!(read(&client, "data", "copy").await, "one");
    copy().copy_source_if_none_match(looked_at).send().await.unwrap();
    assert_eq!(read(&client, "data", "copy").await, "two");
}

#[tokio::test]
async fn many_are_deleted_at_once() {
    let aws = world().await;
    aws.create_bucket("us-west-2", "data", false);
    let client = client(&aws, "us-west-2");
    for key in ["a", "b", "c"] {
        put(&client, "data", key, key).await;
    }
    let named = ["a", "b", "nothing"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(named.to_vec())).build().unwrap();
    let deleted = client.delete_objects().bucket("data").delete(delete).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), 3);
    assert_eq!(aws.keys("data"), ["c"]);
}

#[tokio::test]
async fn a_bucket_belongs_to_the_region_it_was_made_in() {
    let aws = world().await;
    let west = client(&aws, "us-west-2");
    let constraint = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::UsWest2)
        .build();
    let refused = west.create_bucket().bucket("data").send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "IllegalLocationConstraintException");
    west.create_bucket().bucket("data").create_bucket_configuration(constraint).send().await.unwrap();
    let place = west.get_bucket_location().bucket("data").send().await.unwrap();
    assert_eq!(place.location_constraint().unwrap().as_str(), "us-west-2");
    let east = client(&aws, "us-east-1");
    let refused = east.list_objects_v2().bucket("data").send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "AuthorizationHeaderMalformed");
    assert_eq!(west.list_buckets().send().await.unwrap().buckets().len(), 1);
}

fn rule(to: &str) -> ReplicationConfiguration {
    let markers = DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Enabled).build();
    let rule = ReplicationRule::builder()
        .id("all")
        .priority(1)
        .status(ReplicationRuleStatus::Enabled)
        .filter(ReplicationRuleFilter::builder().prefix("orders/").build())
        .delete_marker_replication(markers)
        .destination(Destination::builder().bucket(format!("arn:aws:s3:::{to}")).build().unwrap())
        .build()
        .unwrap();
    ReplicationConfiguration::builder().role("arn:aws:iam::123456789012:role/s3").rules(rule).build().unwrap()
}

#[tokio::test]
async fn replication_needs_versions_on_both_sides() {
    let aws = world().await;
    aws.create_bucket("us-east-1", "source", false);
    aws.create_bucket("us-west-2", "target", true);
    let east = client(&aws, "us-east-1");
    let replicate =
        |to: &str| east.put_bucket_replication().bucket("source").replication_configuration(rule(to)).send();
    let (code, words) = refusal(replicate("target").await.unwrap_err());
    assert_eq!(code, "InvalidRequest");
    assert!(words.starts_with("Versioning must be 'Enabled'"), "{words}");
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    east.put_bucket_versioning().bucket("source").versioning_configuration(enabled).send().await.unwrap();
    assert_eq!(refusal(replicate("nowhere").await.unwrap_err()).1, "Destination bucket must exist.");
    let none = east.get_bucket_replication().bucket("source").send().await.unwrap_err();
    assert_eq!(refusal(none).0, "ReplicationConfigurationNotFoundError");
    replicate("target").await.unwrap();
    let seen = east.get_bucket_replication().bucket("source").send().await.unwrap();
    assert_eq!(seen.replication_configuration().unwrap().rules()[0].id(), Some("all"));
}

#[tokio::test]
async fn objects_and_delete_markers_arrive_after_a_while_and_not_while_a_region_is_lost() {
    let aws = world().await;
    aws.create_bucket("us-east-1", "source", true);
    aws.create_bucket("us-west-2", "target", true);
    let (east, west) = (client(&aws, "us-east-1"), client(&aws, "us-west-2"));
    put(&east, "source", "orders/before", "x").await;
    let config = east.put_bucket_replication().bucket("source").replication_configuration(rule("target"));
    config.send().await.unwrap();
    aws.set_replication_latency("source", "orders/", Duration::from_millis(60)).unwrap();
    let version = put(&east, "source", "orders/1", "one").await.unwrap();
    put(&east, "source", "other", "x").await;
    let status = |client: Client, bucket: &'static str| async move {
        let head = client.head_object().bucket(bucket).key("orders/1").send().await.unwrap();
        (head.replication_status().cloned(), head.version_id().map(str::to_owned))
    };
    assert_eq!(status(east.clone(), "source").await.0, Some(ReplicationStatus::Pending));
    assert!(aws.keys("target").is_empty());
    until("it has arrived", || async { aws.keys("target") == ["orders/1"] }).await;
    assert_eq!(status(west.clone(), "target").await, (Some(ReplicationStatus::Replica), Some(version)));
    assert_eq!(status(east.clone(), "source").await.0, Some(ReplicationStatus::Completed));
    aws.lose_region("us-west-2", Fault::BlackHole);
    east.delete_object().bucket("source").key("orders/1").send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(aws.keys("target"), ["orders/1"]);
    aws.restore_region("us-west-2");
    until("the marker has arrived", || async { aws.keys("target").is_empty() }).await;
}
