//! When a sandbox is over, for every process of it.

use std::time::Duration;

use dr_core::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::state::{Layout, State};

/// How often a role looks whether its sandbox still is there.
const LOOK: Duration = Duration::from_millis(500);

/// Returns when the sandbox is past its end, or its folder is gone, or another sandbox is in its place.
pub(crate) async fn over(layout: &Layout, state: &State) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let there = State::read(layout).is_ok_and(|now| now.id == state.id);
        if !there || Timestamp::system() >= state.until {
            return;
        }
    }
}
