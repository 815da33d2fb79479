//! What alarms do by themselves.

use std::time::Duration;

use serde_json::json;

use super::alarm::{Alarm, AlarmState};
use super::history::Kind;
use super::metric::{self, Window};
use super::{CloudWatch, Delivery};
use crate::place::Place;
use crate::world::World;

/// Alarms are evaluated every minute.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarm-evaluation>
const EVERY: Duration = Duration::from_secs(60);

/// What comes about by itself.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// An alarm is evaluated, unless it was configured anew since.
    Evaluate { place: Place, name: String, generation: u64 },
}

/// Lets the next evaluation come.
pub(super) fn schedule(world: &mut World, place: &Place, name: &str, generation: u64) {
    let after = world.clock.takes(EVERY).max(Duration::from_millis(1));
    world.later(after, Due::Evaluate { place: place.clone(), name: name.to_owned(), generation });
}

/// Evaluates an alarm.
pub(crate) fn carry_out(world: &mut World, due: Due) {
    let Due::Evaluate { place, name, generation } = due;
    let Some(alarm) = world.cloudwatch.get(&place).and_then(|cloudwatch| cloudwatch.alarms.get(&name)) else {
        return;
    };
    if alarm.generation != generation {
        return;
    }
    let alarm = alarm.clone();
    if let Some((state, reason)) = judge(world, &place, &alarm)
        && state != alarm.state
    {
        enter(world, &place, &name, state, &reason);
    }
    schedule(world, &place, &name, generation);
}

/// The state that the last periods ask for; `None` keeps the one it has.
///
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data>
fn judge(world: &World, place: &Place, alarm: &Alarm) -> Option<(AlarmState, String)> {
    let now = world.clock.wall();
    // One period more: the last one may not be whole yet.
    let span = alarm.period * u32::try_from(alarm.periods + 1).unwrap_or(u32::MAX);
    let window = Window { start: now.minus(span), end: now, period: alarm.period };
    let points = metric::points(world, place, &alarm.metric, window);
    let values: Vec<f64> = points
        .iter()
        .rev()
        .take(alarm.periods)
        .filter_map(|point| point.statistic(&alarm.statistic))
        .collect();
    let absent = alarm.periods - values.len();
    let breaching = values.iter().filter(|value| alarm.is_breached_by(**value)).count();
    let counted = match alarm.missing.as_str() {
        "breaching" => breaching + absent,
        "notBreaching" => breaching,
        "ignore" if values.is_empty() => return None,
        _ if values.is_empty() => {
            return Some((
                AlarmState::Insufficient,
                format!("Insufficient Data: {} datapoints were unknown.", alarm.periods),
            ));
        }
        _ => breaching,
    };
    let seen = values.first().map_or_else(
        || "no datapoints were received".to_owned(),
        |value| format!("the most recent datapoint was {value}"),
    );
    if counted >= alarm.to_alarm {
        let words = format!(
            "Threshold Crossed: {counted} datapoint(s) crossed the threshold ({}): {seen}.",
            alarm.threshold
        );
        return Some((AlarmState::Alarm, words));
    }
    Some((AlarmState::Ok, format!("Threshold not crossed ({}): {seen}.", alarm.threshold)))
}

/// Brings an alarm to a state: its history says so, and its actions are carried out if the state is another one.
pub(crate) fn enter(world: &mut World, place: &Place, name: &str, state: AlarmState, reason: &str) {
    let now = world.clock.wall();
    let Some(alarm) = world.cloudwatch(place).alarms.get_mut(name) else { return };
    let before = alarm.state;
    let old_reason = std::mem::replace(&mut alarm.reason, reason.to_owned());
    if before == state {
        return;
    }
    alarm.state = state;
    alarm.since = now;
    if state != AlarmState::Insufficient {
        alarm.known = Some(state);
    }
    let actions = if alarm.acts { alarm.actions(state).to_vec() } else { Vec::new() };
    let summary = format!("Alarm updated from {} to {}", before.as_str(), state.as_str());
    let data = json!({
        "version": "1.0",
        "oldState": { "stateValue": before.as_str(), "stateReason": old_reason },
        "newState": { "stateValue": state.as_str(), "stateReason": reason },
    });
    world.note(place, name, Kind::StateUpdate, summary, data.to_string());
    for target in actions {
        let cloudwatch: &mut CloudWatch = world.cloudwatch(place);
        let broken = cloudwatch.broken_targets.contains(&target);
        let (word, outcome) =
            if broken { ("Failed to execute", "Failed") } else { ("Successfully executed", "Succeeded") };
        if !broken {
            cloudwatch.delivered.push(Delivery { target: target.clone(), alarm: name.to_owned(), state });
        }
        let data = json!({
            "actionState": outcome,
            "stateUpdateTimestamp": now.as_millis(),
            "notificationResource": target,
            "publishedMessage": { "AlarmName": name, "NewStateValue": state.as_str(), "NewStateReason": reason },
        });
        world.note(place, name, Kind::Action, format!("{word} action {target}"), data.to_string());
    }
}
