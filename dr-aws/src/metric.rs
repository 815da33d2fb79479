//! The newest sample of a CloudWatch metric, with the moment that it stands for.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::types::{Dimension, Statistic};
use aws_smithy_types::DateTime;
use dr_core::resource::Cx;
use dr_core::{Region, Timestamp};

use crate::asking::Op;
use crate::client::Aws;
use crate::error::AwsError;

/// A metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: BTreeMap<String, String>,
    /// Of how long one sample is made.
    pub(crate) period: Duration,
}

/// One sample: the most that was measured in its period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// When its period began. What was measured may be that old.
    pub(crate) begun: Timestamp,
    pub(crate) most: f64,
}

/// The newest sample of the last `within`. `None`: there is none.
pub(crate) async fn newest(
    cx: &Cx,
    aws: &Aws,
    region: &Region,
    metric: &Metric,
    within: Duration,
) -> Result<Option<Sample>, AwsError> {
    let cloudwatch = aws.cloudwatch(region);
    let now = SystemTime::now();
    let dimensions: Vec<Dimension> = metric
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build())
        .collect();
    let period = i32::try_from(metric.period.as_secs()).unwrap_or(60).max(60);
    let answered = Op::reads("cloudwatch:GetMetricStatistics")
        .at(region)
        .ask(cx, || {
            cloudwatch
                .get_metric_statistics()
                .namespace(&metric.namespace)
                .metric_name(&metric.name)
                .set_dimensions(Some(dimensions.clone()))
                .start_time(DateTime::from(now - within))
                .end_time(DateTime::from(now + Duration::from_secs(60)))
                .period(period)
                .statistics(Statistic::Maximum)
                .send()
        })
        .await?;
    let samples = answered.datapoints().iter().filter_map(|point| {
        let begun = Timestamp::from_millis(point.timestamp?.to_millis().ok()?);
        point.maximum.filter(|most| most.is_finite()).map(|most| Sample { begun, most })
    });
    Ok(samples.max_by_key(|sample| sample.begun))
}
