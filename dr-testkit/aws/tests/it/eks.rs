use aws_sdk_eks::Client;
use aws_sdk_eks::types::{NodegroupScalingConfig, NodegroupStatus, UpdateStatus};
use dr_testkit_aws::Aws;

use crate::support::{config, refusal, until, world};

fn seeded(aws: &Aws) -> Client {
    aws.set_vcpu_quota("us-west-2", 64, 4);
    aws.create_cluster("us-west-2", "shop");
    aws.create_nodegroup("us-west-2", "shop", "apps", (1, 30, 2), 4).unwrap();
    Client::new(&config(aws, "us-west-2"))
}

async fn scale(client: &Client, min: i32, max: i32, desired: i32) -> Result<String, (String, String)> {
    let size = NodegroupScalingConfig::builder().min_size(min).max_size(max).desired_size(desired).build();
    let update = client.update_nodegroup_config().cluster_name("shop").nodegroup_name("apps");
    match update.scaling_config(size).send().await {
        Ok(done) => Ok(done.update().unwrap().id().unwrap().to_owned()),
        Err(error) => Err(refusal(error)),
    }
}

async fn outcome(client: &Client, id: &str) -> aws_sdk_eks::types::Update {
    let asked = client.describe_update().name("shop").nodegroup_name("apps").update_id(id);
    asked.send().await.unwrap().update().unwrap().clone()
}

#[tokio::test]
async fn a_node_group_is_updated_once_at_a_time_and_then_active() {
    let aws = world().await;
    let client = seeded(&aws);
    let cluster = client.describe_cluster().name("shop").send().await.unwrap();
    assert_eq!(cluster.cluster().unwrap().name(), Some("shop"));
    assert_eq!(client.list_nodegroups().cluster_name("shop").send().await.unwrap().nodegroups(), ["apps"]);
    let update = scale(&client, 9, 30, 9).await.unwrap();
    assert_eq!(scale(&client, 9, 30, 10).await.unwrap_err().0, "ResourceInUseException");
    assert_eq!(outcome(&client, &update).await.status(), Some(&UpdateStatus::InProgress));
    until("it is done", || async {
        outcome(&client, &update).await.status() == Some(&UpdateStatus::Successful)
    })
    .await;
    let describe = client.describe_nodegroup().cluster_name("shop").nodegroup_name("apps");
    let seen = describe.send().await.unwrap();
    let seen = seen.nodegroup().unwrap();
    assert_eq!(seen.status(), Some(&NodegroupStatus::Active));
    assert_eq!(seen.scaling_config().unwrap().desired_size(), Some(9));
    assert_eq!(aws.nodes("us-west-2", "shop", "apps"), Some(9));
}

#[tokio::test]
async fn sizes_that_do_not_fit_each_other_are_refused() {
    let aws = world().await;
    let client = seeded(&aws);
    for (min, max, desired) in [(5, 30, 2), (1, 4, 5), (0, 0, 0)] {
        assert_eq!(scale(&client, min, max, desired).await.unwrap_err().0, "InvalidParameterException");
    }
    let missing = client.describe_nodegroup().cluster_name("shop").nodegroup_name("nothing").send().await;
    assert_eq!(refusal(missing.unwrap_err()).0, "ResourceNotFoundException");
    assert_eq!(aws.nodes("us-west-2", "shop", "apps"), Some(2));
}

#[tokio::test]
async fn a_short_quota_lets_the_update_fail_and_degrades_the_group() {
    let aws = world().await;
    let client = seeded(&aws);
    aws.set_vcpu_quota("us-west-2", 20, 4);
    let update = scale(&client, 9, 30, 9).await.unwrap();
    until("it has failed", || async {
        outcome(&client, &update).await.status() == Some(&UpdateStatus::Failed)
    })
    .await;
    let failed = outcome(&client, &update).await;
    assert_eq!(failed.errors()[0].error_code().unwrap().as_str(), "AsgInstanceLaunchFailures");
    let describe = client.describe_nodegroup().cluster_name("shop").nodegroup_name("apps");
    let seen = describe.send().await.unwrap();
    let seen = seen.nodegroup().unwrap();
    assert_eq!(seen.status(), Some(&NodegroupStatus::Degraded));
    assert!(seen.health().unwrap().issues()[0].message().unwrap().contains("VcpuLimitExceeded"));
    assert_eq!(aws.nodes("us-west-2", "shop", "apps"), Some(4));
}

#[tokio::test]
async fn the_vcpu_quota_says_how_much_is_allowed_and_its_metric_how_much_runs() {
    let aws = world().await;
    seeded(&aws);
    let quotas = aws_sdk_servicequotas::Client::new(&config(&aws, "us-west-2"));
    let ask = |code: &'static str| quotas.get_service_quota().service_code("ec2").quota_code(code).send();
    let quota = ask("L-1216C47A").await.unwrap();
    let quota = quota.quota().unwrap();
    assert_eq!(quota.value(), Some(64.0));
    let usage = quota.usage_metric().unwrap();
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&config(&aws, "us-west-2"));
    let mut asked = cloudwatch
        .get_metric_statistics()
        .namespace(usage.metric_namespace().unwrap())
        .metric_name(usage.metric_name().unwrap())
        .statistics(aws_sdk_cloudwatch::types::Statistic::Maximum)
        .period(300)
        .start_time(
            std::time::SystemTime::now().checked_sub(std::time::Duration::from_secs(600)).unwrap().into(),
        )
        .end_time(std::time::SystemTime::now().into());
    for (name, value) in usage.metric_dimensions().unwrap() {
        let dimension = aws_sdk_cloudwatch::types::Dimension::builder().name(name).value(value).build();
        asked = asked.dimensions(dimension);
    }
    let seen = asked.send().await.unwrap();
    assert_eq!(seen.datapoints()[0].maximum(), Some(12.0));
    assert_eq!(refusal(ask("L-0").await.unwrap_err()).0, "NoSuchResourceException");
    assert_eq!(quotas.list_service_quotas().service_code("ec2").send().await.unwrap().quotas().len(), 1);
}
