//! Samples from CloudWatch.

use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, Statistic};
use dr_core::resource::Cx;
use dr_core::{Region, Result};

use super::lag::Minute;
use super::{moment, to_sdk};
use crate::asking::Op;
use crate::client::Aws;

/// How far back samples are read. What a copy once had it keeps: hours after a region was lost the last good sample still
/// bounds what may be missing. One answer holds 1,440 of them.
const WINDOW: Duration = Duration::from_secs(23 * 60 * 60);

/// One metric of one thing.
#[derive(Debug, Clone)]
pub(crate) struct Metric<'a> {
    /// `ReplicaLag`.
    pub(crate) name: &'static str,
    /// `("DBInstanceIdentifier", "orders-dr")`, all of them.
    pub(crate) of: Vec<(&'static str, &'a str)>,
    /// What one second is in the metric's unit.
    pub(crate) per_second: f64,
}

impl Metric<'_> {
    /// The minutes of the last while, in no order.
    pub(crate) async fn minutes(&self, cx: &Cx, aws: &Aws, region: &Region) -> Result<Vec<Minute>> {
        let client = aws.cloudwatch(region);
        let now = cx.now();
        let of = self.of.iter();
        let dimensions: Vec<Dimension> =
            of.map(|(name, value)| Dimension::builder().name(*name).value(*value).build()).collect();
        let answer = Op::reads("cloudwatch:GetMetricStatistics")
            .at(region)
            .ask(cx, || {
                client
                    .get_metric_statistics()
                    .namespace("AWS/RDS")
                    .metric_name(self.name)
                    .set_dimensions(Some(dimensions.clone()))
                    .start_time(to_sdk(now.minus(WINDOW)))
                    .end_time(to_sdk(now.plus(Duration::from_secs(60))))
                    .period(60)
                    .statistics(Statistic::Minimum)
                    .statistics(Statistic::Maximum)
                    .send()
            })
            .await?;
        let seconds = |value: Option<f64>| value.map(|value| value / self.per_second);
        Ok(answer
            .datapoints()
            .iter()
            .filter_map(|point| {
                let begun = point.timestamp().and_then(moment)?;
                Some(Minute { begun, least: seconds(point.minimum()), most: seconds(point.maximum()) })
            })
            .collect())
    }
}
