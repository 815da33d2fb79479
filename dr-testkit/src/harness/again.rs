//! Runs everything twice.

use dr_core::engine::DriveEnd;
use dr_core::event::Ending;

use super::trials::{Judge, Seen, Trials};
use crate::rig::{Rig, settled};

/// Runs what `rig` makes, and the same plan once more on the world that it left: the second run has to leave that world
/// as it is, and to end well.
pub async fn run_twice(rig: impl Fn() -> Rig) -> Trials {
    let mut judge = Judge::of(rig()).await;
    let first = rig();
    first.run().await;
    settled(first.world()).await;
    let again = Seen::new(first.again());
    let end = match again.rig.run().await.driven.end {
        // There was nothing to do, which is how the undisturbed run ends on a world that is so already.
        DriveEnd::Ended(Ending::NothingToDo) => judge.calm_end(),
        end => end,
    };
    judge.has_to_be_the_same("run once more", &again, end).await;
    judge.trials()
}
