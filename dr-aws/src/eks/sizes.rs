//! The three numbers of a node group, and what a scale makes of them.

use std::fmt;

use dr_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// How many nodes a group may have, must have and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) desired: u32,
}

/// What becomes of a group's maximum when it is scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ceiling {
    /// It is raised where it is below what is wanted.
    #[default]
    Raise,
    /// It stays.
    Keep,
    /// It becomes that, as the plan says.
    Set(u32),
}

/// Who says how many nodes are wanted between the minimum and the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever scaled last.
    Us,
    /// An autoscaler: it may want more than the minimum at any time, and is not argued with.
    Autoscaler,
}

impl Sizes {
    /// What these become when `count` nodes are wanted. The minimum goes with the wish, so that no autoscaler takes
    /// the nodes away again while nothing runs on them yet.
    ///
    /// # Errors
    /// If that is more than the maximum may be.
    pub(super) fn scaled(self, count: u32, ceiling: Ceiling) -> Result<Self> {
        let max = match ceiling {
            Ceiling::Raise => self.max.max(count).max(1),
            Ceiling::Keep => self.max,
            Ceiling::Set(max) => max,
        };
        if count > max {
            return Err(Error::refused(format!(
                "{count} nodes are wanted and its maximum is {max}: raise `max`, or leave it out"
            )));
        }
        Ok(Self { min: count, max, desired: count })
    }

    /// Whether these are what `wanted` asks for. Under an autoscaler more nodes than wanted are its own business.
    pub(super) fn meet(self, wanted: Self, owner: Owner) -> bool {
        let bounds = (self.min, self.max) == (wanted.min, wanted.max);
        bounds
            && match owner {
                Owner::Us => self.desired == wanted.desired,
                Owner::Autoscaler => self.desired >= wanted.desired,
            }
    }

    /// What to ask for, so that `wanted` is met from here.
    pub(super) fn towards(self, wanted: Self, owner: Owner) -> Self {
        match owner {
            Owner::Us => wanted,
            Owner::Autoscaler => Self { desired: self.desired.max(wanted.desired).min(wanted.max), ..wanted },
        }
    }

    /// What to ask for to put `was` back from here. An autoscaler's own wish stays where the old bounds allow it.
    pub(super) fn back_to(self, was: Self, owner: Owner) -> Self {
        match owner {
            Owner::Us => was,
            Owner::Autoscaler => Self { desired: self.desired.max(was.min).min(was.max), ..was },
        }
    }

    /// Whether these are `was` again.
    pub(super) fn are_back(self, was: Self, owner: Owner) -> bool {
        (self.min, self.max) == (was.min, was.max)
            && (owner == Owner::Autoscaler || self.desired == was.desired)
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} to {})", self.desired, self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Sizes = Sizes { min: 3, max: 10, desired: 3 };

    #[test]
    fn the_minimum_goes_with_the_wish() {
        let scaled = WARM.scaled(9, Ceiling::Raise).unwrap();
        assert_eq!(scaled, Sizes { min: 9, max: 10, desired: 9 });
        assert_eq!(scaled.scaled(0, Ceiling::Raise).unwrap(), Sizes { min: 0, max: 10, desired: 0 });
    }

    #[test]
    fn the_maximum_is_raised_only_where_it_is_below() {
        assert_eq!(WARM.scaled(12, Ceiling::Raise).unwrap().max, 12);
        assert_eq!(WARM.scaled(2, Ceiling::Raise).unwrap().max, 10);
        assert_eq!(WARM.scaled(9, Ceiling::Set(30)).unwrap().max, 30);
    }

    #[test]
    fn more_than_a_fixed_maximum_is_refused() {
        assert!(WARM.scaled(12, Ceiling::Keep).is_err());
        assert!(WARM.scaled(31, Ceiling::Set(30)).is_err());
    }

    #[test]
    fn what_an_autoscaler_adds_is_its_own_business() {
        let wanted = WARM.scaled(9, Ceiling::Keep).unwrap();
        let more = Sizes { desired: 10, ..wanted };
        assert!(more.meet(wanted, Owner::Autoscaler) && !more.meet(wanted, Owner::Us));
        assert!(!WARM.meet(wanted, Owner::Autoscaler));
        let fewer = Sizes { min: 9, max: 10, desired: 9 }.scaled(1, Ceiling::Keep).unwrap();
        assert_eq!(wanted.towards(fewer, Owner::Autoscaler), Sizes { min: 1, max: 10, desired: 9 });
        assert_eq!(wanted.towards(fewer, Owner::Us), fewer);
        assert_eq!(more.back_to(WARM, Owner::Autoscaler), Sizes { min: 3, max: 10, desired: 10 });
    }
}
