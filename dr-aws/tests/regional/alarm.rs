//! Kind `cloudwatch-alarm`.

use std::time::Duration;

use aws_sdk_cloudwatch::types::{AlarmType, ComparisonOperator, StateValue, Statistic};
use dr_aws::CloudwatchAlarmBackend;
use dr_core::resource::{AlarmStands, Alarms, Trigger, Triggered};
use dr_core::{Error, ErrorKind, Happened, Resource, Result, Side, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Aws, Failure, Fault, Options, Service};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{EAST, SECOND, WEST, connected, cx, effect, reached, sdk};

const NAME: &str = "DR-S3-Replication-Lag";
const ONCALL: &str = "arn:aws:sns:us-west-2:123456789012:oncall";
const PAGER: &str = "arn:aws:lambda:us-west-2:123456789012:function:pager";

/// How an alarm is put there.
#[derive(Debug, Clone, Copy)]
struct Put {
    actions: &'static [&'static str],
    enabled: bool,
    missing: &'static str,
}

const HEARD: Put = Put { actions: &[ONCALL, PAGER], enabled: true, missing: "notBreaching" };

/// Puts the alarm there and waits until it stands as it should.
async fn put(aws: &Aws, region: &str, put: Put) {
    let cloudwatch = sdk!(aws_sdk_cloudwatch, aws, region);
    cloudwatch
        .put_metric_alarm()
        .alarm_name(NAME)
        .namespace("AWS/S3")
        .metric_name("ReplicationLatency")
        .statistic(Statistic::Maximum)
        .period(60)
        .evaluation_periods(1)
        .threshold(900.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .treat_missing_data(put.missing)
        .actions_enabled(put.enabled)
        .set_alarm_actions(Some(put.actions.iter().map(|action| (*action).to_owned()).collect()))
        .ok_actions(ONCALL)
        .send()
        .await
        .unwrap();
    let wanted = if put.missing == "missing" { StateValue::InsufficientData } else { StateValue::Ok };
    for _ in 0..300 {
        if state(aws, region).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never is {wanted:?}");
}

async fn state(aws: &Aws, region: &str) -> StateValue {
    let cloudwatch = sdk!(aws_sdk_cloudwatch, aws, region);
    let seen =
        cloudwatch.describe_alarms().alarm_names(NAME).alarm_types(AlarmType::MetricAlarm).send().await;
    seen.unwrap().metric_alarms()[0].state_value.clone().unwrap()
}

/// The seed's alarm in both regions, quiet.
async fn world() -> Aws {
    let aws = Aws::start(Options::new()).await.unwrap();
    put(&aws, EAST, HEARD).await;
    put(&aws, WEST, HEARD).await;
    aws
}

async fn bells(aws: &Aws) -> Resource {
    let config = json!({
        "sides": { EAST: { "alarms": [NAME] }, WEST: { "alarms": [NAME] } },
        "aws": reached(aws),
    });
    connected(&CloudwatchAlarmBackend, config).await
}

fn west() -> Trigger {
    Trigger { side: Side::new(WEST).into(), saying: Some("drill 7".to_owned()) }
}

async fn triggered(resource: &Resource) -> Result<Triggered> {
    let (effect, cx) = (effect::<Trigger>(resource), cx("test", 6 * SECOND));
    let was = effect.prepare(&cx, &west()).await?;
    effect.apply(&cx, &west(), &was).await
}

#[derive(Debug)]
struct Fleet;

#[derive(Debug)]
struct Hands(Aws);

#[async_trait]
impl Fixture for Fleet {
    async fn fresh(&self) -> Result<Subject> {
        let aws = world().await;
        let mut subject = Subject::new(bells(&aws).await, EAST, WEST, Hands(aws));
        subject.permissions =
            ["cloudwatch:DescribeAlarms", "cloudwatch:DescribeAlarmHistory", "cloudwatch:SetAlarmState"]
                .map(str::to_owned)
                .into();
        Ok(subject)
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(side) | Lever::Hang(side) => self.0.lose_region(side.as_str(), Fault::BlackHole),
            Lever::Heal(side) => self.0.restore_region(side.as_str()),
            Lever::Forbid(permission) => self.0.deny(permission),
            Lever::Deafen(side) => put(&self.0, side.as_str(), Put { actions: &[], ..HEARD }).await,
            Lever::Disarm(side) => put(&self.0, side.as_str(), Put { enabled: false, ..HEARD }).await,
            Lever::Starve(side) => put(&self.0, side.as_str(), Put { missing: "missing", ..HEARD }).await,
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        for region in [EAST, WEST] {
            self.0.restore_region(region);
        }
        let states = (state(&self.0, EAST).await, state(&self.0, WEST).await);
        Some(format!("{states:?} {:?}", self.0.notifications(WEST).len()))
    }
}

#[tokio::test]
async fn alarms_keep_every_promise_of_an_alarm() {
    let report = suite::alarm(&Fleet).await;
    println!("{report}");
    report.assert(15);
}

#[tokio::test]
async fn alarms_keep_every_promise_of_an_observation() {
    let report = suite::observe(&Fleet).await;
    println!("{report}");
    report.assert(3);
}

#[tokio::test]
async fn alarms_keep_every_promise_of_proofs() {
    let report = suite::proves(&Fleet).await;
    println!("{report}");
    report.assert(6);
}

#[tokio::test]
async fn everybody_whom_it_names_is_called_once_in_the_plans_words() {
    let aws = world().await;
    let resource = bells(&aws).await;
    let left = triggered(&resource).await.unwrap();
    assert_eq!(left.reached, [PAGER, ONCALL]);
    let told = |state| aws.notifications(WEST).iter().filter(|told| told.state == state).count();
    assert_eq!(told("ALARM"), 2);
    let again = triggered(&resource).await.unwrap();
    assert_eq!((again.reached.len(), told("ALARM")), (2, 2), "a repeat calls nobody again");
    let cloudwatch = sdk!(aws_sdk_cloudwatch, aws, WEST);
    let history = cloudwatch.describe_alarm_history().alarm_name(NAME).send().await.unwrap();
    let said = |words: &str| {
        history
            .alarm_history_items()
            .iter()
            .any(|item| item.history_data().is_some_and(|data| data.contains(words)))
    };
    assert!(said("drill 7") && said("[20270115T080000000Z-test/phase/step]"));
}

#[tokio::test]
async fn an_action_that_fails_is_told_in_cloudwatchs_words_and_the_alarm_is_quiet_again() {
    let aws = world().await;
    aws.set_target_works(WEST, PAGER, false);
    let error = triggered(&bells(&aws).await).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::Maybe), "{error:?}");
    assert!(error.to_string().contains(&format!("Failed to execute action {PAGER}")), "{error}");
    assert_eq!(state(&aws, WEST).await, StateValue::Ok);
}

#[tokio::test]
async fn an_alarm_that_has_gone_off_by_itself_is_not_rehearsed() {
    let aws = world().await;
    let cloudwatch = sdk!(aws_sdk_cloudwatch, aws, WEST);
    aws.set_clock_pace(1.0);
    let set = cloudwatch.set_alarm_state().alarm_name(NAME).state_value(StateValue::Alarm);
    set.state_reason("Threshold Crossed: 1 datapoint").send().await.unwrap();
    aws.forget_calls();
    let error = triggered(&bells(&aws).await).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Refused, Happened::No), "{error:?}");
    assert!(error.to_string().contains("Threshold Crossed"), "{error}");
    assert!(aws.mutations().is_empty(), "a real alarm stays as it is");
}

#[tokio::test]
async fn an_alarm_that_is_not_there_is_neither_quiet_nor_heard() {
    let aws = world().await;
    let config = json!({ "sides": { WEST: { "alarms": ["DR-No-Such"] } }, "aws": reached(&aws) });
    let resource = connected(&CloudwatchAlarmBackend, config).await;
    let seen = resource.observer::<Alarms>().unwrap().observe(&cx("test", 5 * SECOND)).await.unwrap();
    let alarm = &seen.sides[&Side::new(WEST)].as_ref().unwrap()[0];
    assert_eq!((alarm.stands, alarm.armed), (AlarmStands::NoData, false));
    assert_eq!(triggered(&resource).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_lost_reply_calls_nobody_twice() {
    let aws = world().await;
    aws.fail(Failure::new(Fault::LostReply).service(Service::CloudWatch).action("SetAlarmState").times(1));
    triggered(&bells(&aws).await).await.unwrap();
    assert_eq!(aws.notifications(WEST).iter().filter(|told| told.state == "ALARM").count(), 2);
}

#[tokio::test]
async fn what_passes_is_asked_again_and_what_does_not_has_its_words() {
    for fault in [Fault::Throttled, Fault::InternalFailure, Fault::HtmlErrorPage, Fault::LatencyMillis(400)] {
        let aws = world().await;
        let resource = bells(&aws).await;
        aws.fail(Failure::new(fault.clone()).service(Service::CloudWatch).times(2));
        let left: Result<Triggered, Error> = triggered(&resource).await;
        assert_eq!(left.unwrap().reached.len(), 2, "{fault:?}");
    }
    let aws = world().await;
    aws.deny("cloudwatch:SetAlarmState");
    let began = Instant::now();
    let error = triggered(&bells(&aws).await).await.unwrap_err();
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Unauthorized, Happened::No), "{error:?}");
    assert!(
        error.to_string().contains("cloudwatch:SetAlarmState") && began.elapsed() < 3 * SECOND,
        "{error}"
    );
}
