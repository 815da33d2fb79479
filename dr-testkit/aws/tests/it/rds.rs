use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_rds::primitives::DateTime;
use dr_testkit_aws::{Aws, Fault, Instance, Options};

use crate::support::{config, refusal, until, world};

fn client(aws: &Aws, region: &str) -> Client {
    Client::new(&config(aws, region))
}

fn pair(aws: &Aws) -> (Instance<'_>, Instance<'_>) {
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    let copy = aws.rds("us-west-2").replicate("orders-dr", &orders).unwrap();
    (orders, copy)
}

async fn available(instance: &Instance<'_>) {
    until("the instance is available", || async { instance.status() == Some("available") }).await;
}

#[tokio::test]
async fn a_replica_shows_its_source_by_arn_and_the_source_its_replica() {
    let aws = world().await;
    let (orders, copy) = pair(&aws);
    let west = client(&aws, "us-west-2");
    let seen = west.describe_db_instances().db_instance_identifier(copy.arn()).send().await.unwrap();
    let seen = &seen.db_instances()[0];
    assert_eq!(seen.read_replica_source_db_instance_identifier(), Some(orders.arn().as_str()));
    assert_eq!(seen.status_infos()[0].status(), Some("replicating"));
    assert_eq!(seen.latest_restorable_time(), None);
    let east = client(&aws, "us-east-1");
    let seen = east.describe_db_instances().db_instance_identifier("orders").send().await.unwrap();
    assert_eq!(seen.db_instances()[0].read_replica_db_instance_identifiers(), [copy.arn()]);
    let gone = east.describe_db_instances().db_instance_identifier("nothing").send().await.unwrap_err();
    assert_eq!(refusal(gone).0, "DBInstanceNotFound");
}

#[tokio::test]
async fn a_promotion_goes_through_its_states_and_is_done_when_the_source_is_gone() {
    let aws = Aws::start(Options::new().pace(300.0)).await.unwrap();
    let (orders, copy) = pair(&aws);
    orders.write("book", 1);
    until("the row is copied", || async { copy.rows().len() == 1 }).await;
    let west = client(&aws, "us-west-2");
    let asked = west.promote_read_replica().db_instance_identifier("orders-dr").send().await.unwrap();
    assert_eq!(asked.db_instance().unwrap().db_instance_status(), Some("available"));
    let again = west.promote_read_replica().db_instance_identifier("orders-dr").send().await.unwrap_err();
    assert_eq!(refusal(again).0, "InvalidDBInstanceState");
    until("it is promoted", || async { copy.is_replica() == Some(false) }).await;
    available(&copy).await;
    assert!(copy.write("book", 2));
    let seen = west.describe_db_instances().db_instance_identifier("orders-dr").send().await.unwrap();
    let seen = &seen.db_instances()[0];
    assert_eq!(seen.read_replica_source_db_instance_identifier(), None);
    assert_eq!(seen.backup_retention_period(), Some(1));
    assert!(seen.latest_restorable_time().is_some());
    let east = client(&aws, "us-east-1");
    let seen = east.describe_db_instances().db_instance_identifier("orders").send().await.unwrap();
    assert!(seen.db_instances()[0].read_replica_db_instance_identifiers().is_empty());
    let again = west.promote_read_replica().db_instance_identifier("orders-dr").send().await.unwrap_err();
    assert!(refusal(again).1.contains("is not a read replica"));
}

#[tokio::test]
async fn the_status_of_a_promotion_is_available_modifying_rebooting_available() {
    let aws = Aws::start(Options::new().pace(200.0)).await.unwrap();
    let (_, copy) = pair(&aws);
    let west = client(&aws, "us-west-2");
    west.promote_read_replica().db_instance_identifier("orders-dr").send().await.unwrap();
    let mut seen = vec![copy.status().unwrap()];
    while copy.is_replica() == Some(true) || copy.status() != Some("available") {
        let status = copy.status().unwrap();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    seen.push(copy.status().unwrap());
    assert_eq!(seen, ["available", "modifying", "rebooting", "available"]);
}

#[tokio::test]
async fn a_replica_takes_no_write_and_nothing_more_comes_from_a_lost_region() {
    let aws = world().await;
    let (orders, copy) = pair(&aws);
    assert!(!copy.write("book", 1));
    copy.set_lag(Duration::from_millis(1));
    assert!(orders.write("book", 1));
    until("the row is copied", || async { copy.rows().len() == 1 }).await;
    copy.set_lag(Duration::from_secs(60));
    assert!(orders.write("book", 2));
    aws.lose_region("us-east-1", Fault::BlackHole);
    assert!(!orders.write("book", 3), "what is lost runs no more");
    assert_eq!(copy.rows().len(), 1);
    assert_eq!(orders.rows().len(), 2);
}

#[tokio::test]
async fn a_replica_needs_backups_on_its_source_and_a_source_region_that_answers() {
    let aws = world().await;
    let (orders, copy) = pair(&aws);
    let west = client(&aws, "us-west-2");
    let of = |source: String| {
        let west = west.clone();
        async move {
            west.create_db_instance_read_replica()
                .db_instance_identifier("third")
                .source_db_instance_identifier(source)
                .send()
                .await
        }
    };
    let refused = refusal(of(copy.arn()).await.unwrap_err());
    assert_eq!(refused.0, "InvalidDBInstanceState");
    assert!(refused.1.contains("Automated backups are not enabled"), "{refused:?}");
    of(orders.arn()).await.unwrap();
    let third = aws.rds("us-west-2").instance("third");
    assert_eq!(third.status(), Some("creating"));
    orders.write("book", 1);
    available(&third).await;
    until("it has caught up", || async { third.rows().len() == 1 }).await;
    assert_eq!(refusal(of(orders.arn()).await.unwrap_err()).0, "DBInstanceAlreadyExists");
}

#[tokio::test]
async fn a_swapped_security_group_keeps_sessions_until_the_restart() {
    let aws = world().await;
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    let service = aws.start_service("us-east-1", &orders).await.unwrap();
    aws.rds("us-east-1").close_group("sg-nobody");
    let touch = || http(service.address(), "POST", "/touch");
    assert!(touch().await.starts_with("HTTP/1.1 200"));
    let east = client(&aws, "us-east-1");
    let modify =
        east.modify_db_instance().db_instance_identifier("orders").vpc_security_group_ids("sg-nobody");
    let seen = modify.send().await.unwrap();
    let groups = seen.db_instance().unwrap().vpc_security_groups();
    let states: Vec<_> = groups.iter().map(|group| group.status().unwrap()).collect();
    assert_eq!(states, ["removing", "adding"]);
    assert!(orders.takes_connections(), "the old group is still in force");
    until("the group is in force", || async { !orders.takes_connections() }).await;
    assert!(touch().await.starts_with("HTTP/1.1 200"), "the session that was open lives on");
    east.reboot_db_instance().db_instance_identifier("orders").send().await.unwrap();
    available(&orders).await;
    let refused = touch().await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("x-not-written: 1"), "{refused}");
    let events = east.describe_events().send().await.unwrap();
    let told: Vec<_> = events.events().iter().filter_map(|event| event.message()).collect();
    assert!(told.contains(&"DB instance restarted"), "{told:?}");
}

/// One request and its whole answer.
pub(crate) async fn http(address: std::net::SocketAddr, method: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_service_writes_where_its_database_url_says() {
    let aws = world().await;
    let (orders, copy) = pair(&aws);
    let west = aws.start_service("us-west-2", &copy).await.unwrap();
    let health = http(west.address(), "GET", "/health").await;
    assert!(health.contains("x-region: us-west-2") && health.contains(r#""writable":false"#), "{health}");
    let refused = http(west.address(), "POST", "/ledger/b/7").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("x-not-written: 1"), "{refused}");
    west.set_database(&orders);
    assert!(http(west.address(), "POST", "/ledger/b/7").await.starts_with("HTTP/1.1 200"));
    assert_eq!((orders.rows()[0].book.as_str(), orders.rows()[0].row), ("b", 7));
}

#[tokio::test]
async fn stopping_is_refused_for_what_has_a_replica_or_is_one() {
    let aws = world().await;
    let (_, _) = pair(&aws);
    let (east, west) = (client(&aws, "us-east-1"), client(&aws, "us-west-2"));
    let refused = east.stop_db_instance().db_instance_identifier("orders").send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "InvalidDBInstanceState");
    let refused = west.stop_db_instance().db_instance_identifier("orders-dr").send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "InvalidDBInstanceState");
    let alone = aws.rds("us-east-1").create("alone").unwrap();
    east.stop_db_instance().db_instance_identifier("alone").send().await.unwrap();
    until("it is stopped", || async { alone.status() == Some("stopped") }).await;
    east.start_db_instance().db_instance_identifier("alone").send().await.unwrap();
    available(&alone).await;
}

#[tokio::test]
async fn deleting_asks_for_a_last_snapshot_and_respects_protection() {
    let aws = world().await;
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    let east = client(&aws, "us-east-1");
    let refused = east.delete_db_instance().db_instance_identifier("orders").send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "InvalidParameterCombination");
    let protect = |yes: bool| {
        east.modify_db_instance().db_instance_identifier("orders").deletion_protection(yes).send()
    };
    protect(true).await.unwrap();
    let delete = || {
        east.delete_db_instance().db_instance_identifier("orders").final_db_snapshot_identifier("last").send()
    };
    assert!(refusal(delete().await.unwrap_err()).1.contains("Cannot delete protected DB Instance"));
    protect(false).await.unwrap();
    delete().await.unwrap();
    until("it is gone", || async { orders.status().is_none() }).await;
    let last = east.describe_db_snapshots().db_snapshot_identifier("last").send().await.unwrap();
    assert_eq!(last.db_snapshots()[0].db_instance_identifier(), Some("orders"));
}

#[tokio::test]
async fn a_snapshot_is_copied_to_another_region_and_restored_there_with_its_rows() {
    let aws = world().await;
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    orders.write("book", 1);
    let (east, west) = (client(&aws, "us-east-1"), client(&aws, "us-west-2"));
    let create = east.create_db_snapshot().db_instance_identifier("orders").db_snapshot_identifier("before");
    let made = create.send().await.unwrap();
    let arn = made.db_snapshot().unwrap().db_snapshot_arn().unwrap().to_owned();
    assert_eq!(made.db_snapshot().unwrap().status(), Some("creating"));
    assert_eq!(orders.status(), Some("backing-up"));
    orders.write("book", 2);
    let copy = || {
        west.copy_db_snapshot()
            .source_db_snapshot_identifier(&arn)
            .target_db_snapshot_identifier("before")
            .send()
    };
    assert_eq!(refusal(copy().await.unwrap_err()).0, "InvalidDBSnapshotState");
    let status = |client: Client| async move {
        let seen = client.describe_db_snapshots().db_snapshot_identifier("before").send().await.unwrap();
        seen.db_snapshots()[0].status().unwrap().to_owned()
    };
    until("it is complete", || async { status(east.clone()).await == "available" }).await;
    let copied = copy().await.unwrap();
    assert_eq!(copied.db_snapshot().unwrap().source_region(), Some("us-east-1"));
    until("the copy is complete", || async { status(west.clone()).await == "available" }).await;
    let restore = west.restore_db_instance_from_db_snapshot().db_instance_identifier("restored");
    restore.db_snapshot_identifier("before").send().await.unwrap();
    let restored = aws.rds("us-west-2").instance("restored");
    available(&restored).await;
    assert_eq!(restored.rows().iter().map(|row| row.row).collect::<Vec<_>>(), [1]);
    let manual = west.describe_db_snapshots().snapshot_type("automated").send().await.unwrap();
    assert!(manual.db_snapshots().iter().all(|snapshot| snapshot.snapshot_type() == Some("automated")));
    let missing = west.delete_db_snapshot().db_snapshot_identifier("nothing").send().await.unwrap_err();
    assert_eq!(refusal(missing).0, "DBSnapshotNotFound");
}

#[tokio::test]
async fn a_restore_to_a_moment_brings_the_rows_until_then_and_no_later_than_the_last_upload() {
    let aws = Aws::start(Options::new().pace(3_000.0)).await.unwrap();
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    orders.write("book", 1);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let between = DateTime::from_millis(orders.rows()[0].committed.as_millis() + 10);
    orders.write("book", 2);
    let east = client(&aws, "us-east-1");
    let restore = |name: &str, at: DateTime| {
        east.restore_db_instance_to_point_in_time()
            .source_db_instance_identifier("orders")
            .target_db_instance_identifier(name)
            .restore_time(at)
            .send()
    };
    let far = DateTime::from_millis(orders.rows()[1].committed.as_millis() + 3_600_000);
    let refused = refusal(restore("later", far).await.unwrap_err());
    assert!(refused.1.contains("cannot be restored to a time later than"), "{refused:?}");
    until("the logs are uploaded", || async { restore("restored", between).await.is_ok() }).await;
    let restored = aws.rds("us-east-1").instance("restored");
    available(&restored).await;
    assert_eq!(restored.rows().iter().map(|row| row.row).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn quotas_are_kept() {
    let aws = world().await;
    aws.rds("us-east-1").create("orders").unwrap();
    aws.rds("us-east-1").set_instance_quota(1);
    aws.rds("us-east-1").set_snapshot_quota(0);
    let east = client(&aws, "us-east-1");
    let create = east
        .create_db_instance()
        .db_instance_identifier("more")
        .engine("postgres")
        .db_instance_class("db.r6g.large")
        .allocated_storage(20)
        .master_username("root")
        .master_user_password("secret123");
    assert_eq!(refusal(create.send().await.unwrap_err()).0, "InstanceQuotaExceeded");
    let snapshot = east.create_db_snapshot().db_instance_identifier("orders").db_snapshot_identifier("one");
    assert_eq!(refusal(snapshot.send().await.unwrap_err()).0, "SnapshotQuotaExceeded");
}

#[tokio::test]
async fn instances_are_tagged_by_arn_and_listed_in_pages() {
    let aws = world().await;
    let region = aws.rds("us-east-1");
    for number in 0..25 {
        region.create(&format!("db-{number:02}")).unwrap();
    }
    let east = client(&aws, "us-east-1");
    let page = east.describe_db_instances().max_records(20).send().await.unwrap();
    assert_eq!(page.db_instances().len(), 20);
    let rest = east.describe_db_instances().marker(page.marker().unwrap()).send().await.unwrap();
    assert_eq!(rest.db_instances().len(), 5);
    let arn = region.instance("db-00").arn();
    let tag = aws_sdk_rds::types::Tag::builder().key("tier").value("critical").build();
    east.add_tags_to_resource().resource_name(&arn).tags(tag).send().await.unwrap();
    let listed = east.list_tags_for_resource().resource_name(&arn).send().await.unwrap();
    assert_eq!(listed.tag_list()[0].value(), Some("critical"));
    east.remove_tags_from_resource().resource_name(&arn).tag_keys("tier").send().await.unwrap();
    let listed = east.list_tags_for_resource().resource_name(&arn).send().await.unwrap();
    assert!(listed.tag_list().is_empty());
}
