use aws_sdk_route53::Client;
use aws_sdk_route53::types::{
    AlarmIdentifier, AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, CloudWatchRegion,
    HealthCheckConfig, HealthCheckType, InsufficientDataHealthStatus, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType, Tag, TagResourceType,
};
use dr_testkit_aws::{Aws, Failure, Fault, Options, Record};

use crate::support::{config, refusal, until, world};

pub(crate) fn client(aws: &Aws) -> Client {
    Client::new(&config(aws, "us-east-1"))
}

pub(crate) fn a(
    name: &str,
    ttl: i64,
    value: &str,
) -> aws_sdk_route53::types::builders::ResourceRecordSetBuilder {
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .ttl(ttl)
        .resource_records(ResourceRecord::builder().value(value).build().unwrap())
}

pub(crate) fn batch(changes: impl IntoIterator<Item = (ChangeAction, ResourceRecordSet)>) -> ChangeBatch {
    let changes = changes
        .into_iter()
        .map(|(action, set)| Change::builder().action(action).resource_record_set(set).build().unwrap());
    ChangeBatch::builder().set_changes(Some(changes.collect())).build().unwrap()
}

async fn apply(
    client: &Client,
    zone: &str,
    action: ChangeAction,
    set: aws_sdk_route53::types::builders::ResourceRecordSetBuilder,
) -> Result<String, (String, String)> {
    let set = set.build().unwrap();
    let sent = client.change_resource_record_sets().hosted_zone_id(zone);
    match sent.change_batch(batch([(action, set)])).send().await {
        Ok(done) => Ok(done.change_info().unwrap().id().to_owned()),
        Err(error) => Err(refusal(error)),
    }
}

#[tokio::test]
async fn a_zone_is_made_and_its_change_is_pending_before_it_is_in_sync() {
    let aws = Aws::start(Options::new().pace(300.0).route53_rate(None)).await.unwrap();
    let client = client(&aws);
    let made = client.create_hosted_zone().name("example.com").caller_reference("one").send().await.unwrap();
    let zone = made.hosted_zone().unwrap();
    assert_eq!(zone.name(), "example.com.");
    assert_eq!(made.delegation_set().unwrap().name_servers().len(), 4);
    let change = made.change_info().unwrap();
    assert_eq!(change.status(), &ChangeStatus::Pending);
    let id = change.id().to_owned();
    let status = || async {
        let change = client.get_change().id(&id).send().await.unwrap();
        change.change_info().unwrap().status().clone()
    };
    assert_eq!(status().await, ChangeStatus::Pending);
    until("the change is in sync", || async { status().await == ChangeStatus::Insync }).await;
    let again = client.create_hosted_zone().name("example.com").caller_reference("one").send().await;
    assert_eq!(refusal(again.unwrap_err()).0, "HostedZoneAlreadyExists");
    assert_eq!(refusal(client.get_change().id("C0").send().await.unwrap_err()).0, "NoSuchChange");
    assert_eq!(refusal(client.get_hosted_zone().id("Z0").send().await.unwrap_err()).0, "NoSuchHostedZone");
}

#[tokio::test]
async fn zones_are_listed_from_a_name_on_in_the_order_of_reversed_labels() {
    let aws = world().await;
    for name in ["b.example.com", "example.com", "example.org"] {
        aws.create_zone(name);
    }
    let client = client(&aws);
    let listed =
        client.list_hosted_zones_by_name().dns_name("example.com").max_items(2).send().await.unwrap();
    let names: Vec<&str> = listed.hosted_zones().iter().map(|zone| zone.name()).collect();
    assert_eq!(names, ["example.com.", "b.example.com."]);
    assert!(listed.is_truncated());
    assert_eq!(listed.next_dns_name(), Some("example.org."));
}

#[tokio::test]
async fn create_fails_over_what_exists_and_delete_takes_the_very_values() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let www = "www.example.com";
    apply(&client, &zone, ChangeAction::Create, a(www, 60, "192.0.2.1")).await.unwrap();
    let refused = apply(&client, &zone, ChangeAction::Create, a(www, 60, "192.0.2.1")).await.unwrap_err();
    assert_eq!(refused.0, "InvalidChangeBatch");
    assert_eq!(
        refused.1,
        "[Tried to create resource record set [name='www.example.com.', type='A'] but it already exists]"
    );
    let refused = apply(&client, &zone, ChangeAction::Delete, a(www, 60, "192.0.2.2")).await.unwrap_err();
    assert!(refused.1.contains("the values provided do not match the current values"), "{refused:?}");
    let refused = apply(&client, &zone, ChangeAction::Delete, a("x.example.com", 60, "192.0.2.2")).await;
    assert!(refused.unwrap_err().1.contains("but it was not found"));
    apply(&client, &zone, ChangeAction::Upsert, a(www, 30, "192.0.2.2")).await.unwrap();
    apply(&client, &zone, ChangeAction::Delete, a(www, 30, "192.0.2.2")).await.unwrap();
}

#[tokio::test]
async fn a_batch_with_one_flaw_changes_nothing() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let before = aws.snapshot();
    let good = a("a.example.com", 60, "192.0.2.1").build().unwrap();
    let foreign = a("a.example.org", 60, "192.0.2.1").build().unwrap();
    let changes = batch([(ChangeAction::Create, good), (ChangeAction::Create, foreign)]);
    let sent = client.change_resource_record_sets().hosted_zone_id(&zone).change_batch(changes).send().await;
    let refused = refusal(sent.unwrap_err());
    assert_eq!(refused.1, "[RRSet with DNS name a.example.org. is not permitted in zone example.com.]");
    assert_eq!(aws.snapshot(), before);
}

#[tokio::test]
async fn policies_do_not_mix_under_one_name() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let name = "shop.example.com";
    apply(&client, &zone, ChangeAction::Create, a(name, 60, "192.0.2.1")).await.unwrap();
    let weighted = |id: &str, ttl: i64| a(name, ttl, "192.0.2.2").set_identifier(id).weight(10);
    let refused = apply(&client, &zone, ChangeAction::Create, weighted("us", 60)).await.unwrap_err();
    assert_eq!(
        refused.1,
        "[RRSet with DNS name shop.example.com., type A, SetIdentifier us cannot be created as a non-weighted set exists with the same name and type.]"
    );
    apply(&client, &zone, ChangeAction::Delete, a(name, 60, "192.0.2.1")).await.unwrap();
    apply(&client, &zone, ChangeAction::Create, weighted("us", 60)).await.unwrap();
    let refused = apply(&client, &zone, ChangeAction::Create, weighted("eu", 30)).await.unwrap_err();
    assert!(refused.1.contains("weighted sets must contain the same TTL"), "{refused:?}");
    apply(&client, &zone, ChangeAction::Create, weighted("eu", 60)).await.unwrap();
    let refused = apply(&client, &zone, ChangeAction::Upsert, a(name, 60, "192.0.2.1")).await.unwrap_err();
    assert!(refused.1.contains("other RRSets exist with the same name and type"), "{refused:?}");
}

#[tokio::test]
async fn every_policy_but_the_simple_one_asks_for_an_identifier() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let bare = a("x.example.com", 60, "192.0.2.1").weight(1);
    let refused = apply(&client, &zone, ChangeAction::Upsert, bare).await.unwrap_err();
    assert_eq!(refused.0, "InvalidInput");
    assert_eq!(
        refused.1,
        "Invalid request: Missing field 'SetIdentifier' in Change with [Action=UPSERT, Name=x.example.com., Type=A, SetIdentifier=null]"
    );
    let idle = a("x.example.com", 60, "192.0.2.1").set_identifier("one");
    assert!(
        apply(&client, &zone, ChangeAction::Upsert, idle).await.unwrap_err().1.contains("but found none")
    );
    let primary = |id: &str| {
        a("f.example.com", 60, "192.0.2.1").set_identifier(id).failover(ResourceRecordSetFailover::Primary)
    };
    apply(&client, &zone, ChangeAction::Upsert, primary("one")).await.unwrap();
    let second = apply(&client, &zone, ChangeAction::Upsert, primary("two")).await.unwrap_err();
    assert!(second.1.contains("primary failover set"), "{second:?}");
}

#[tokio::test]
async fn an_alias_points_only_at_what_is_there() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let balancer = aws.create_load_balancer("us-west-2", "shop", &["192.0.2.9".parse().unwrap()]);
    let alias = |zone: &str, target: &str| {
        let target = AliasTarget::builder()
            .hosted_zone_id(zone)
            .dns_name(target)
            .evaluate_target_health(true)
            .build()
            .unwrap();
        ResourceRecordSet::builder().name("shop.example.com").r#type(RrType::A).alias_target(target)
    };
    apply(&client, &zone, ChangeAction::Upsert, alias(balancer.zone(), balancer.name())).await.unwrap();
    let gone = apply(&client, &zone, ChangeAction::Upsert, alias(&zone, "nothing.example.com")).await;
    assert!(gone.unwrap_err().1.contains("that target was not found"));
}

#[tokio::test]
async fn records_are_paged_by_name_type_and_identifier() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    for id in ["a", "b", "c"] {
        let record = Record::simple("w.example.com", "A", 60, &["192.0.2.1"]).weighted(id, 1);
        aws.put_record(&zone, record).unwrap();
    }
    let page = client.list_resource_record_sets().hosted_zone_id(&zone).max_items(4).send().await.unwrap();
    assert_eq!(page.resource_record_sets().len(), 4);
    assert!(page.is_truncated());
    assert_eq!(page.next_record_name(), Some("w.example.com."));
    assert_eq!(page.next_record_identifier(), Some("c"));
    let rest = client
        .list_resource_record_sets()
        .hosted_zone_id(&zone)
        .start_record_name("w.example.com")
        .start_record_type(RrType::A)
        .start_record_identifier("c")
        .send()
        .await
        .unwrap();
    assert_eq!(rest.resource_record_sets().len(), 1);
    assert!(!rest.is_truncated());
}

#[tokio::test]
async fn five_requests_a_second_are_allowed_and_no_more() {
    let aws = Aws::start(Options::new()).await.unwrap();
    let client = client(&aws);
    let asked = futures_util::future::join_all((0..10).map(|_| client.list_hosted_zones().send())).await;
    let refused: Vec<_> = asked.into_iter().filter_map(Result::err).map(refusal).collect();
    assert!((4..=5).contains(&refused.len()), "{refused:?}");
    assert!(refused.iter().all(|(code, words)| code == "Throttling" && words == "Rate exceeded"));
}

#[tokio::test]
async fn a_prior_request_that_is_not_complete_is_said_by_its_name() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    aws.fail(Failure::new(Fault::PriorRequestNotComplete).action("ChangeResourceRecordSets").times(1));
    let record = || a("a.example.com", 60, "192.0.2.1");
    let refused = apply(&client, &zone, ChangeAction::Upsert, record()).await.unwrap_err();
    assert_eq!(refused.0, "PriorRequestNotComplete");
    apply(&client, &zone, ChangeAction::Upsert, record()).await.unwrap();
}

async fn check(client: &Client, reference: &str, config: HealthCheckConfig) -> String {
    let made = client
        .create_health_check()
        .caller_reference(reference)
        .health_check_config(config)
        .send()
        .await
        .unwrap();
    made.health_check().unwrap().id().to_owned()
}

fn http_check(address: std::net::SocketAddr) -> HealthCheckConfig {
    HealthCheckConfig::builder()
        .r#type(HealthCheckType::Http)
        .ip_address(address.ip().to_string())
        .port(i32::from(address.port()))
        .resource_path("/health")
        .request_interval(10)
        .failure_threshold(2)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_health_check_really_asks_its_endpoint() {
    let aws = world().await;
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    let service = aws.start_service("us-east-1", &orders).await.unwrap();
    let client = client(&aws);
    let id = check(&client, "one", http_check(service.address())).await;
    let words = || async {
        let status = client.get_health_check_status().health_check_id(&id).send().await.unwrap();
        let first = status.health_check_observations().first().cloned();
        first.and_then(|seen| seen.status_report().unwrap().status().map(str::to_owned)).unwrap_or_default()
    };
    until("it is healthy", || async { words().await == "Success: HTTP Status Code 200, OK" }).await;
    service.set_replicas(0);
    until("it is unhealthy", || async { !aws.is_healthy(&id) }).await;
    assert!(words().await.starts_with("Failure: Connection failed"), "{}", words().await);
    service.set_replicas(1);
    until("it is healthy again", || async { aws.is_healthy(&id) }).await;
}

#[tokio::test]
async fn a_disabled_check_counts_as_healthy_and_an_inverted_one_turns() {
    let aws = world().await;
    let client = client(&aws);
    let silent = HealthCheckConfig::builder()
        .r#type(HealthCheckType::Tcp)
        .ip_address("192.0.2.1")
        .port(443)
        .request_interval(10)
        .failure_threshold(1)
        .build()
        .unwrap();
    let id = check(&client, "one", silent).await;
    until("it is unhealthy", || async { !aws.is_healthy(&id) }).await;
    client
        .update_health_check()
        .health_check_id(&id)
        .health_check_version(1)
        .disabled(true)
        .send()
        .await
        .unwrap();
    assert!(aws.is_healthy(&id), "disabled is healthy");
    let stale =
        client.update_health_check().health_check_id(&id).health_check_version(1).inverted(true).send().await;
    assert_eq!(refusal(stale.unwrap_err()).0, "HealthCheckVersionMismatch");
    let update = client.update_health_check().health_check_id(&id).health_check_version(2);
    let updated = update.disabled(false).inverted(true).send().await.unwrap();
    assert_eq!(updated.health_check().unwrap().health_check_version(), 3);
    assert!(aws.is_healthy(&id), "an unhealthy endpoint, inverted");
    let gone = client.get_health_check().health_check_id("nope").send().await;
    assert_eq!(refusal(gone.unwrap_err()).0, "NoSuchHealthCheck");
}

#[tokio::test]
async fn a_calculated_check_counts_its_children_and_an_alarm_without_data_is_as_told() {
    let aws = world().await;
    let client = client(&aws);
    let alarm = |counts: InsufficientDataHealthStatus| {
        let alarm =
            AlarmIdentifier::builder().region(CloudWatchRegion::UsWest2).name("nobody").build().unwrap();
        HealthCheckConfig::builder()
            .r#type(HealthCheckType::CloudwatchMetric)
            .alarm_identifier(alarm)
            .insufficient_data_health_status(counts)
            .build()
            .unwrap()
    };
    let bad = check(&client, "bad", alarm(InsufficientDataHealthStatus::Unhealthy)).await;
    let good = check(&client, "good", alarm(InsufficientDataHealthStatus::Healthy)).await;
    assert!(!aws.is_healthy(&bad) && aws.is_healthy(&good));
    let both = |threshold: i32| {
        HealthCheckConfig::builder()
            .r#type(HealthCheckType::Calculated)
            .child_health_checks(&bad)
            .child_health_checks(&good)
            .health_threshold(threshold)
            .build()
            .unwrap()
    };
    let one = check(&client, "one of them", both(1)).await;
    let two = check(&client, "two of them", both(2)).await;
    assert!(aws.is_healthy(&one) && !aws.is_healthy(&two));
    assert_eq!(client.list_health_checks().send().await.unwrap().health_checks().len(), 4);
}

#[tokio::test]
async fn tags_are_kept_by_resource() {
    let aws = world().await;
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let tag = Tag::builder().key("owner").value("dr").build();
    let change = client.change_tags_for_resource().resource_type(TagResourceType::Hostedzone);
    change.resource_id(&zone).add_tags(tag).send().await.unwrap();
    let list = client.list_tags_for_resource().resource_type(TagResourceType::Hostedzone);
    let listed = list.resource_id(&zone).send().await.unwrap();
    assert_eq!(listed.resource_tag_set().unwrap().tags()[0].value(), Some("dr"));
}
