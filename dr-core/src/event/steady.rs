//! When a run's events happened, whatever the wall clock did meanwhile.

use std::time::Duration;

use super::entry::Entry;
use super::kinds::Event;
use crate::time::Timestamp;

/// Moments that a leap of the wall clock does not move: the moment at which a drive began, by the wall clock, and from
/// there the drive's monotonic clock. From one drive to the next only the wall clock tells.
///
/// [`Entry::at`] is what the clock showed, for whoever holds it against other systems' logs; durations are told by these.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Steady {
    drive: Option<Timestamp>,
}

impl Steady {
    /// The moment of the next event.
    pub fn of(&mut self, entry: &Entry) -> Timestamp {
        let elapsed = Duration::from_millis(entry.elapsed_ms);
        let begins = matches!(entry.event, Event::Began(_) | Event::Driven { .. });
        let begun = match self.drive {
            Some(begun) if !begins => begun,
            Some(_) | None => *self.drive.insert(entry.at.minus(elapsed)),
        };
        begun.plus(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Actor;

    fn entry(at: i64, elapsed_ms: u64, event: Event) -> Entry {
        Entry { seq: 1, epoch: 1, at: Timestamp::from_millis(at), elapsed_ms, event }
    }

    fn driven() -> Event {
        Event::Driven { actor: Actor { name: "alice".into(), from: "bastion".into() }, epoch: 1 }
    }

    #[test]
    fn a_leap_within_a_drive_moves_nothing_and_the_next_drive_begins_by_its_clock() {
        let said = || Event::TurnedBack { why: String::new() };
        let entries = [
            entry(1_000, 0, driven()),
            entry(1_500, 500, said()),
            entry(3_601_600, 600, said()),
            entry(-3_598_300, 700, said()),
            entry(5_020, 20, driven()),
            entry(5_100, 100, said()),
        ];
        let mut steady = Steady::default();
        let moments = entries.map(|entry| steady.of(&entry).as_millis());
        assert_eq!(moments, [1_000, 1_500, 1_600, 1_700, 5_020, 5_100]);
    }
}
