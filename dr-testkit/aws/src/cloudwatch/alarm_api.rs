//! The API of alarms.

use super::alarm::{Alarm, AlarmState};
use super::evaluate;
use super::history::Kind;
use crate::place::Place;
use crate::wire::{Answer, ApiError, Node, Request};
use crate::world::World;

fn here(request: &Request) -> Place {
    Place::new(&request.account, &request.region)
}

fn missing() -> ApiError {
    ApiError::new(404, "ResourceNotFound", "Alarm does not exist")
}

/// A name that no alarm has is passed over in silence.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
pub(super) fn describe(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let place = here(request);
    let names = input.texts("AlarmNames").filter(|names| !names.is_empty());
    let prefix = input.text("AlarmNamePrefix");
    if names.is_some() && prefix.is_some() {
        return Err(ApiError::combination("AlarmNames and AlarmNamePrefix cannot be specified together"));
    }
    let state = input.text("StateValue").map(AlarmState::parse).transpose()?;
    let most = usize::try_from(input.int("MaxRecords")?.unwrap_or(50)).unwrap_or(0);
    if !(1..=100).contains(&most) {
        return Err(ApiError::new(400, "ValidationError", "MaxRecords must be between 1 and 100"));
    }
    let after = input.text("NextToken");
    let alarms: Vec<&Alarm> = world
        .cloudwatch(&place)
        .alarms
        .values()
        .filter(|alarm| names.as_ref().is_none_or(|names| names.contains(&alarm.name)))
        .filter(|alarm| prefix.is_none_or(|prefix| alarm.name.starts_with(prefix)))
        .filter(|alarm| state.is_none_or(|state| alarm.state == state))
        .filter(|alarm| after.is_none_or(|after| alarm.name.as_str() > after))
        .collect();
    let page = alarms.get(..most.min(alarms.len())).unwrap_or_default();
    let next = (alarms.len() > page.len()).then(|| page.last().map(|alarm| alarm.name.clone())).flatten();
    let node = Node::map()
        .put("MetricAlarms", Node::list("member", page.iter().map(|alarm| alarm.node(&place))))
        .put("CompositeAlarms", Node::list("member", Vec::<Node>::new()))
        .maybe("NextToken", next);
    Ok(Answer::of(node))
}

/// An alarm that is there keeps its state and is evaluated anew.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
pub(super) fn put(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let place = here(request);
    let (now, generation) = (world.clock.wall(), world.chance.number());
    let mut alarm = Alarm::read(&request.input(), now, generation)?;
    let name = alarm.name.clone();
    let before = world.cloudwatch(&place).alarms.get(&name).cloned();
    let words = match before {
        Some(before) => {
            alarm.state = before.state;
            alarm.reason = before.reason;
            alarm.since = before.since;
            alarm.known = before.known;
            format!("Alarm \"{name}\" updated")
        }
        None => format!("Alarm \"{name}\" created"),
    };
    world.cloudwatch(&place).alarms.insert(name.clone(), alarm);
    world.note(&place, &name, Kind::ConfigurationUpdate, words, "{}".to_owned());
    evaluate::schedule(world, &place, &name, generation);
    Ok(Answer::of(Node::map()))
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html>
pub(super) fn delete(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let names = request.input().texts("AlarmNames").unwrap_or_default();
    let cloudwatch = world.cloudwatch(&here(request));
    if names.iter().any(|name| !cloudwatch.alarms.contains_key(name)) {
        return Err(missing());
    }
    cloudwatch.alarms.retain(|name, _| !names.contains(name));
    Ok(Answer::of(Node::map()))
}

/// For a while: the next evaluation puts it back, often within seconds.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html>
pub(super) fn set_state(world: &mut World, request: &Request) -> Result<Answer, ApiError> {
    let input = request.input();
    let name = input.need("AlarmName")?.to_owned();
    let state = AlarmState::parse(input.need("StateValue")?)?;
    let reason = input.need("StateReason")?.to_owned();
    let place = here(request);
    if !world.cloudwatch(&place).alarms.contains_key(&name) {
        return Err(missing());
    }
    evaluate::enter(world, &place, &name, state, &reason);
    Ok(Answer::of(Node::map()))
}
