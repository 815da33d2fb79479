//! Makes one call of each step in turn go wrong.

use std::ops::RangeInclusive;
use std::time::Duration;

use dr_core::engine::DriveEnd;

use super::trials::{Judge, Seen, Trials};
use crate::decorate::{Called, Schedule, Trouble};
use crate::rig::Rig;

/// How often a held run is resumed once the trouble is over.
const RESUMED_AT_MOST: usize = 3;

/// Runs what `rig` makes undisturbed, and then once for each step, whose calls of that kind and number go wrong. A run
/// that is held by it is resumed when the trouble is over.
pub async fn trouble_everywhere(
    rig: impl Fn() -> Rig,
    call: Called,
    nth: RangeInclusive<u32>,
    trouble: Trouble,
) -> Trials {
    let calm = rig();
    let steps: Vec<_> = calm.script().steps.iter().map(|step| step.id.clone()).collect();
    let mut judge = Judge::of(calm).await;
    for step in steps {
        let schedule = Schedule::new().at(step, call, nth.clone(), trouble);
        let seen = Seen::new(rig()).map(|rig| rig.in_trouble(&schedule));
        let mut end = seen.rig.run().await.driven.end;
        if schedule.struck().is_empty() {
            continue;
        }
        let was_held = matches!(end, DriveEnd::Suspended(_));
        schedule.lift();
        for _ in 0..RESUMED_AT_MOST {
            if let DriveEnd::Suspended(_) = end {
                tokio::time::sleep(Duration::from_secs(1)).await;
                end = seen.rig.resume().await.driven.end;
            }
        }
        judge.hold_against(&schedule.to_string(), &seen, end, was_held).await;
    }
    judge.trials()
}
