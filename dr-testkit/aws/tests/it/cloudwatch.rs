use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, HistoryItemType, Metric, MetricDataQuery, MetricDatum, MetricStat,
    StateValue, Statistic,
};
use dr_testkit_aws::Aws;

use crate::support::{config, refusal, until, world};

fn client(aws: &Aws) -> Client {
    Client::new(&config(aws, "us-west-2"))
}

async fn replica_lag(client: &Client, id: &str) -> Vec<f64> {
    let dimension = Dimension::builder().name("DBInstanceIdentifier").value(id).build();
    let metric =
        Metric::builder().namespace("AWS/RDS").metric_name("ReplicaLag").dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("Average").build();
    let query = MetricDataQuery::builder().id("lag").metric_stat(stat).build();
    let now = SystemTime::now();
    let asked = client
        .get_metric_data()
        .metric_data_queries(query)
        .start_time((now.checked_sub(Duration::from_secs(300)).unwrap()).into())
        .end_time(now.into());
    let seen = asked.send().await.unwrap();
    let result = &seen.metric_data_results()[0];
    assert!(result.timestamps().is_sorted_by(|a, b| a.as_secs_f64() >= b.as_secs_f64()), "the newest first");
    result.values().to_vec()
}

#[tokio::test]
async fn replica_lag_is_minus_one_without_replication_and_grows_on_an_idle_source() {
    let aws = world().await;
    let orders = aws.rds("us-east-1").create("orders").unwrap();
    let copy = aws.rds("us-west-2").replicate("orders-dr", &orders).unwrap();
    let client = client(&aws);
    // The oldest point may be from before the copy was asked for its first row: -1, as it should be.
    until("there are five points of a copy that replicates", || async {
        let lags = replica_lag(&client, "orders-dr").await;
        lags.len() == 5 && !lags.contains(&-1.0)
    })
    .await;
    let idle = replica_lag(&client, "orders-dr").await;
    // Five minutes at this pace are a quarter of a second; the copy is 20 ms behind.
    assert!(idle.iter().all(|lag| (0.0..=0.35).contains(lag)), "{idle:?}");
    assert!(idle.windows(2).any(|pair| pair[0] > pair[1]), "it grows while nothing is written: {idle:?}");
    copy.set_link(false);
    until("it says so", || async { replica_lag(&client, "orders-dr").await.first() == Some(&-1.0) }).await;
    assert_eq!(replica_lag(&client, "nothing").await, Vec::<f64>::new());
}

async fn alarm(client: &Client, target: &str) {
    client
        .put_metric_alarm()
        .alarm_name("errors")
        .namespace("shop")
        .metric_name("errors")
        .statistic(Statistic::Maximum)
        .period(60)
        .evaluation_periods(1)
        .threshold(5.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .treat_missing_data("notBreaching")
        .alarm_actions(target)
        .send()
        .await
        .unwrap();
}

async fn state(client: &Client) -> StateValue {
    let seen = client.describe_alarms().alarm_names("errors").send().await.unwrap();
    seen.metric_alarms()[0].state_value().unwrap().clone()
}

#[tokio::test]
async fn a_state_that_was_set_is_told_to_the_target_and_goes_back_at_the_next_evaluation() {
    let aws = world().await;
    let client = client(&aws);
    let topic = "arn:aws:sns:us-west-2:123456789012:pager";
    alarm(&client, topic).await;
    until("it was evaluated", || async { state(&client).await == StateValue::Ok }).await;
    let set = |state: StateValue| {
        client.set_alarm_state().alarm_name("errors").state_value(state).state_reason("a drill").send()
    };
    set(StateValue::Alarm).await.unwrap();
    until("it went back", || async { state(&client).await == StateValue::Ok }).await;
    let told = aws.notifications("us-west-2");
    assert_eq!((told.len(), told[0].target.as_str(), told[0].state), (1, topic, "ALARM"));
    aws.set_target_works("us-west-2", topic, false);
    set(StateValue::Alarm).await.unwrap();
    let history =
        client.describe_alarm_history().alarm_name("errors").history_item_type(HistoryItemType::Action);
    let history = history.send().await.unwrap();
    let said: Vec<_> =
        history.alarm_history_items().iter().filter_map(|item| item.history_summary()).collect();
    assert_eq!(
        said,
        [format!("Failed to execute action {topic}"), format!("Successfully executed action {topic}")]
    );
    let states =
        client.describe_alarm_history().history_item_type(HistoryItemType::StateUpdate).send().await.unwrap();
    assert!(states.alarm_history_items().len() >= 4);
}

#[tokio::test]
async fn an_alarm_follows_its_metric() {
    let aws = world().await;
    let client = client(&aws);
    alarm(&client, "arn:aws:sns:us-west-2:123456789012:pager").await;
    let put = |value: f64| {
        let datum = MetricDatum::builder().metric_name("errors").value(value).build();
        client.put_metric_data().namespace("shop").metric_data(datum).send()
    };
    until("the alarm is raised", || async {
        put(9.0).await.unwrap();
        state(&client).await == StateValue::Alarm
    })
    .await;
    until("it goes back by itself", || async { state(&client).await == StateValue::Ok }).await;
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_allowed_is_refused() {
    let aws = world().await;
    let client = client(&aws);
    let set = client.set_alarm_state().alarm_name("nothing").state_value(StateValue::Ok).state_reason("x");
    assert_eq!(refusal(set.send().await.unwrap_err()).0, "ResourceNotFound");
    assert!(client.describe_alarms().alarm_names("nothing").send().await.unwrap().metric_alarms().is_empty());
    let datum = MetricDatum::builder().metric_name("ReplicaLag").value(0.0).build();
    let put = client.put_metric_data().namespace("AWS/RDS").metric_data(datum).send().await;
    assert_eq!(refusal(put.unwrap_err()).0, "InvalidParameterValue");
}
