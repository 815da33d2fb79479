//! Names: one type for each thing that has one, so that a region cannot stand where a resource is meant.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A place that can fail as a whole, as its provider names it: `us-east-1`.
    Region
}
name! {
    /// One of the places a resource lives: all its nodes and their local manager. Usually one a region, and then
    /// it carries the region's name; a region may hold two (blue and green).
    Side
}

impl Side {
    /// What is this side's among what each side has.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use dr_core::Side;
    /// let ports = BTreeMap::from([(Side::new("east"), 5432), (Side::new("west"), 5433)]);
    /// assert_eq!(Side::new("west").of(&ports).unwrap(), &5433);
    /// let error = Side::new("north").of(&ports).unwrap_err();
    /// assert_eq!(error.message(), "there is no side `north`; there are east, west");
    /// ```
    ///
    /// # Errors
    /// `Invalid` with the names that there are.
    pub fn of<'a, T>(&self, sides: &'a BTreeMap<Self, T>) -> Result<&'a T> {
        sides.get(self).ok_or_else(|| {
            let known: Vec<&str> = sides.keys().map(Self::as_str).collect();
            Error::invalid(format!("there is no side `{self}`; there are {}", known.join(", ")))
        })
    }
}

name! {
    /// The name of a resource in the plan: `orders`.
    ResourceName
}
name! {
    /// The name of a phase in the plan: `promote`. It becomes a timing in `metrics.json`: `promote_seconds`.
    PhaseName
}
name! {
    /// A step's name, unique in its script: `phase/verb:resource`, or `phase/id` where the plan gives an id.
    StepId
}
name! {
    /// One execution of a runbook: a UTC time stamp to the millisecond and six random letters, so that names sort by
    /// their beginning.
    RunId
}
name! {
    /// What two plans share when they touch the same thing: `postgres://db.us.internal:5432/orders`,
    /// `route53:Z123/shop.example.com/A`. Claims are held on identities.
    Identity
}
