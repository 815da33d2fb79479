use std::time::Duration;

use aws_sdk_rds::Client;
use dr_testkit_aws::{Aws, Cluster, Fault};

use crate::support::{config, refusal, until, world};

fn client(aws: &Aws, region: &str) -> Client {
    Client::new(&config(aws, region))
}

fn global(aws: &Aws) -> (Cluster<'_>, Cluster<'_>) {
    let east = aws.rds("us-east-1").create_cluster("orders-east").unwrap();
    let west = aws.rds("us-west-2").create_cluster("orders-west").unwrap();
    aws.create_global_cluster("orders", &[&east, &west]).unwrap();
    (east, west)
}

async fn status(client: &Client) -> String {
    let seen = client.describe_global_clusters().global_cluster_identifier("orders").send().await.unwrap();
    seen.global_clusters()[0].status().unwrap().to_owned()
}

#[tokio::test]
async fn a_global_database_shows_its_writer_and_its_readers() {
    let aws = world().await;
    let (east, west) = global(&aws);
    let client = client(&aws, "us-west-2");
    let seen = client.describe_global_clusters().send().await.unwrap();
    let global = &seen.global_clusters()[0];
    assert_eq!(global.status(), Some("available"));
    assert!(global.endpoint().unwrap().contains(".global."));
    let writer =
        global.global_cluster_members().iter().find(|member| member.is_writer() == Some(true)).unwrap();
    assert_eq!((writer.db_cluster_arn(), writer.readers()), (Some(east.arn().as_str()), &[west.arn()][..]));
    let seen = client.describe_db_clusters().db_cluster_identifier("orders-west").send().await.unwrap();
    let cluster = &seen.db_clusters()[0];
    assert_eq!(cluster.replication_source_identifier(), Some(east.arn().as_str()));
    assert_eq!(cluster.db_cluster_members()[0].db_instance_identifier(), Some("orders-west-1"));
    let missing = client.describe_global_clusters().global_cluster_identifier("nothing").send().await;
    assert_eq!(refusal(missing.unwrap_err()).0, "GlobalClusterNotFoundFault");
}

#[tokio::test]
async fn a_switchover_loses_nothing_and_the_old_writer_becomes_a_reader_by_itself() {
    let aws = world().await;
    let (east, west) = global(&aws);
    west.set_lag(Duration::from_millis(150));
    for row in 0..20 {
        assert!(east.write("book", row));
    }
    let client = client(&aws, "us-west-2");
    let ask = || {
        let ask = client.switchover_global_cluster().global_cluster_identifier("orders");
        ask.target_db_cluster_identifier(west.arn()).send()
    };
    let asked = ask().await.unwrap();
    let asked = asked.global_cluster().unwrap();
    assert_eq!(asked.status(), Some("switching-over"));
    assert_eq!(asked.failover_state().unwrap().is_data_loss_allowed(), Some(false));
    assert_eq!(refusal(ask().await.unwrap_err()).0, "InvalidGlobalClusterStateFault");
    until("it is available", || async { status(&client).await == "available" }).await;
    assert_eq!(west.rows().len(), 20);
    assert!(west.is_writable() && !east.is_writable());
    assert!(west.write("book", 20));
    until("the old writer copies", || async { east.rows().len() == 21 }).await;
    assert_eq!(east.orphans(), []);
}

#[tokio::test]
async fn a_failover_without_leave_to_lose_needs_a_healthy_primary() {
    let aws = world().await;
    let (_, west) = global(&aws);
    aws.lose_region("us-east-1", Fault::BlackHole);
    let client = client(&aws, "us-west-2");
    let ask = client.failover_global_cluster().global_cluster_identifier("orders");
    let refused = ask.target_db_cluster_identifier(west.arn()).send().await.unwrap_err();
    assert_eq!(refusal(refused).0, "InvalidGlobalClusterStateFault");
    assert_eq!(status(&client).await, "available");
}

#[tokio::test]
async fn a_failover_loses_what_was_not_copied_and_takes_the_old_writer_back_later() {
    let aws = world().await;
    let (east, west) = global(&aws);
    east.write("book", 1);
    until("the row is copied", || async { west.rows().len() == 1 }).await;
    west.set_lag(Duration::from_secs(60));
    east.write("book", 2);
    aws.lose_region("us-east-1", Fault::BlackHole);
    let client = client(&aws, "us-west-2");
    let ask = client.failover_global_cluster().global_cluster_identifier("orders").allow_data_loss(true);
    ask.target_db_cluster_identifier(west.arn()).send().await.unwrap();
    assert_eq!(status(&client).await, "failing-over");
    until("it is available", || async { status(&client).await == "available" }).await;
    assert!(west.is_writable());
    west.set_lag(Duration::ZERO);
    west.write("book", 3);
    aws.restore_region("us-east-1");
    until("the old writer is a copy", || async { east.rows().iter().any(|row| row.row == 3) }).await;
    assert!(!east.is_writable());
    assert_eq!(east.rows().iter().map(|row| row.row).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(east.orphans().iter().map(|row| row.row).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_cluster_that_is_taken_out_writes_by_itself() {
    let aws = world().await;
    let (east, west) = global(&aws);
    let client = client(&aws, "us-west-2");
    let remove = |arn: String| {
        client
            .remove_from_global_cluster()
            .global_cluster_identifier("orders")
            .db_cluster_identifier(arn)
            .send()
    };
    assert_eq!(refusal(remove(east.arn()).await.unwrap_err()).0, "InvalidGlobalClusterStateFault");
    remove(west.arn()).await.unwrap();
    assert_eq!(west.status(), Some("promoting"));
    until("it writes", || async { west.is_writable() }).await;
    assert!(east.is_writable());
}

#[tokio::test]
async fn clusters_and_instances_are_made_by_the_api_and_join_a_global_database() {
    let aws = world().await;
    let (east, west) = (client(&aws, "us-east-1"), client(&aws, "us-west-2"));
    let global = east.create_global_cluster().global_cluster_identifier("orders").engine("aurora-postgresql");
    global.send().await.unwrap();
    for (client, id, user) in [(&east, "one", Some("root")), (&west, "two", None)] {
        let create = client.create_db_cluster().db_cluster_identifier(id).engine("aurora-postgresql");
        create
            .global_cluster_identifier("orders")
            .set_master_username(user.map(str::to_owned))
            .send()
            .await
            .unwrap();
        let instance = client.create_db_instance().db_instance_identifier(format!("{id}-1"));
        let instance = instance.db_cluster_identifier(id).engine("aurora-postgresql");
        instance.db_instance_class("db.r6g.large").send().await.unwrap();
    }
    let (one, two) = (aws.rds("us-east-1").cluster("one"), aws.rds("us-west-2").cluster("two"));
    until("it writes", || async { one.is_writable() }).await;
    assert!(one.write("book", 1));
    until("it is copied", || async { two.rows().len() == 1 }).await;
    let groups = west.modify_db_cluster().db_cluster_identifier("two").vpc_security_group_ids("sg-nobody");
    until("the second is available", || async { two.status() == Some("available") }).await;
    let seen = groups.send().await.unwrap();
    assert_eq!(seen.db_cluster().unwrap().vpc_security_groups().len(), 2);
}
