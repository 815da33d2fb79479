//! Reading and writing metric data.

use std::time::Duration;

use dr_core::Timestamp;

use super::metric::{self, MetricKey, Point, Window};
use crate::place::Place;
use crate::wire::{Answer, ApiError, Input, Node, Request};
use crate::world::World;

/// The newest first, unless told otherwise.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub(super) fn get_data(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let (start, end) = span(&input)?;
    let here = Place::new(&request.account, &request.region);
    let queries = input.list("MetricDataQueries");
    if queries.is_empty() || queries.len() > 500 {
        return Err(validation("The collection MetricDataQueries must have a size between 1 and 500"));
    }
    let ascending = input.text("ScanBy") == Some("TimestampAscending");
    let mut results = Vec::new();
    for query in queries {
        let id = query.need("Id")?;
        let Some(stat) = query.inner("MetricStat") else {
            return Err(ApiError::new(
                501,
                "NotImplemented",
                "the simulator does not model metric expressions",
            ));
        };
        if query.flag("ReturnData")? == Some(false) {
            continue;
        }
        let metric = stat.inner("Metric").ok_or_else(|| ApiError::missing("Metric"))?;
        let key = MetricKey::read(&metric)?;
        let window = Window { start, end, period: period(&stat)? };
        let name = stat.need("Stat")?;
        let mut points = metric::points(world, &here, &key, window);
        if !ascending {
            points.reverse();
        }
        let values: Vec<(Timestamp, f64)> = points
            .iter()
            .map(|point| point.statistic(name).map(|value| (point.at, value)).ok_or_else(|| unmodelled(name)))
            .collect::<Result<_, _>>()?;
        results.push(
            Node::map()
                .put("Id", id)
                .put("Label", query.text("Label").unwrap_or(&key.name))
                .put("Timestamps", Node::list("member", values.iter().map(|(at, _)| *at)))
                .put("Values", Node::list("member", values.iter().map(|(_, value)| *value)))
                .put("StatusCode", "Complete"),
        );
    }
    let node = Node::map()
        .put("MetricDataResults", Node::list("member", results))
        .put("Messages", Node::list("member", Vec::<Node>::new()));
    Ok(Answer::of(node))
}

/// At most 1,440 points, in no order.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html>
pub(super) fn get_statistics(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let (start, end) = span(&input)?;
    let here = Place::new(&request.account, &request.region);
    let key = MetricKey::read(&input)?;
    let window = Window { start, end, period: period(&input)? };
    let names = input.texts("Statistics").unwrap_or_default();
    if names.is_empty() {
        return Err(ApiError::combination(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.",
        ));
    }
    if window.most() > 1_440 {
        return Err(ApiError::combination(format!(
            "You have requested up to {} datapoints, which exceeds the limit of 1440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
            window.most()
        )));
    }
    let points = metric::points(world, &here, &key, window);
    let nodes = points.iter().map(|point| point_node(point, &names)).collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::of(Node::map().put("Label", &key.name).put("Datapoints", Node::list("member", nodes))))
}

fn point_node(point: &Point, names: &[String]) -> Result<Node, ApiError> {
    let mut node = Node::map().put("Timestamp", point.at);
    for name in names {
        let value = point.statistic(name).ok_or_else(|| unmodelled(name))?;
        node = node.put(name.clone(), value);
    }
    Ok(node.put("Unit", "None"))
}

/// AWS's own namespaces take nothing from others.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>
pub(super) fn put(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let namespace = input.need("Namespace")?;
    if namespace.starts_with("AWS/") {
        return Err(ApiError::invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    let now = world.clock.wall();
    let here = Place::new(&request.account, &request.region);
    let mut fresh = Vec::new();
    for datum in input.list("MetricData") {
        let value = datum.float("Value").ok_or_else(|| ApiError::missing("Value"))?;
        let dimensions = datum
            .list("Dimensions")
            .iter()
            .map(|dimension| Ok((dimension.need("Name")?.to_owned(), dimension.need("Value")?.to_owned())))
            .collect::<Result<_, ApiError>>()?;
        let key = MetricKey {
            namespace: namespace.to_owned(),
            name: datum.need("MetricName")?.to_owned(),
            dimensions,
        };
        fresh.push((key, datum.time("Timestamp")?.unwrap_or(now), value));
    }
    for (key, at, value) in fresh {
        world.cloudwatch(&here).data.entry(key).or_default().push((at, value));
    }
    Ok(Answer::of(Node::map()))
}

fn span(input: &Input<'_>) -> Result<(Timestamp, Timestamp), ApiError> {
    let start = input.time("StartTime")?.ok_or_else(|| ApiError::missing("StartTime"))?;
    let end = input.time("EndTime")?.ok_or_else(|| ApiError::missing("EndTime"))?;
    if start >= end {
        return Err(validation("The parameter StartTime must be less than the parameter EndTime."));
    }
    Ok((start, end))
}

fn period(input: &Input<'_>) -> Result<Duration, ApiError> {
    let period = input.int("Period")?.ok_or_else(|| ApiError::missing("Period"))?;
    match u64::try_from(period) {
        Ok(period) if period > 0 && ([1, 5, 10, 20, 30].contains(&period) || period % 60 == 0) => {
            Ok(Duration::from_secs(period))
        }
        _ => Err(ApiError::invalid(
            "The value for parameter Period is invalid: Period must be 1, 5, 10, 20, 30 or a multiple of 60.",
        )),
    }
}

fn validation(message: &str) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

fn unmodelled(statistic: &str) -> ApiError {
    ApiError::new(501, "NotImplemented", format!("the simulator does not model the statistic {statistic}"))
}
