//! What a check is set to, and what it has to be set to for callers to be where they are sent: pure.

use std::fmt;

use aws_sdk_route53::types::{HealthCheck, HealthCheckType};
use dr_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// The two settings that this kind changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) inverted: bool,
    /// How many children have to be healthy; of a calculated check only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<u32>,
}

/// A check as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) version: i64,
    pub(super) settings: Settings,
    pub(super) watches: Watches,
    pub(super) disabled: bool,
}

/// What a check watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Watches {
    /// Other checks.
    Checks,
    /// Something that its checkers connect to.
    Endpoint,
    /// Anything else: an alarm, a routing control.
    Other(String),
}

/// Where callers are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// On the secondary, held there.
    Away,
    /// On the primary while the check's own view is good.
    Home,
    /// On the primary, whatever the check sees.
    HeldHome,
}

impl Found {
    pub(super) fn of(check: &HealthCheck) -> Result<Self> {
        let config = check
            .health_check_config()
            .ok_or_else(|| Error::invalid("the health check has no settings").on(check.id.clone()))?;
        let watches = match config.r#type() {
            HealthCheckType::Calculated => Watches::Checks,
            HealthCheckType::Http
            | HealthCheckType::Https
            | HealthCheckType::HttpStrMatch
            | HealthCheckType::HttpsStrMatch
            | HealthCheckType::Tcp => Watches::Endpoint,
            other => Watches::Other(other.as_str().to_owned()),
        };
        let threshold = match watches {
            Watches::Checks => config.health_threshold.and_then(|threshold| u32::try_from(threshold).ok()),
            Watches::Endpoint | Watches::Other(_) => None,
        };
        Ok(Self {
            version: check.health_check_version,
            settings: Settings { inverted: config.inverted.unwrap_or(false), threshold },
            watches,
            disabled: config.disabled.unwrap_or(false),
        })
    }

    /// Whether what it says no longer depends on what it watches.
    pub(super) fn holds(&self) -> bool {
        self.settings.threshold == Some(0)
    }
}

/// What the check has to be set to. `sees`: what its checkers say of what it watches, not inverted, where that is told;
/// `threshold`: how many children it needs in ordinary times; `unpinned`: whether the plan accepts that callers come
/// back by themselves.
pub(super) fn wanted(
    found: &Found,
    goal: Goal,
    sees: Option<bool>,
    threshold: u32,
    unpinned: bool,
) -> Result<Settings> {
    if found.disabled {
        return Err(Error::refused(
            "it is disabled, and AWS takes a disabled check for healthy whatever else it says: enable it first \
             (`aws route53 update-health-check --no-disabled`)",
        ));
    }
    match &found.watches {
        Watches::Checks => Ok(match goal {
            Goal::Away => Settings { inverted: true, threshold: Some(0) },
            Goal::HeldHome => Settings { inverted: false, threshold: Some(0) },
            Goal::Home => Settings { inverted: false, threshold: Some(threshold) },
        }),
        Watches::Endpoint => endpoint(goal, sees, unpinned),
        Watches::Other(kind) => Err(Error::refused(format!(
            "what a check of type {kind} sees is not told, so that inverting it may bring callers back instead: put a \
             calculated check over it, and name that one"
        ))),
    }
}

fn endpoint(goal: Goal, sees: Option<bool>, unpinned: bool) -> Result<Settings> {
    let set = |inverted| Settings { inverted, threshold: None };
    if goal != Goal::Home && !unpinned {
        return Err(Error::refused(
            "it watches an endpoint: inverted, it brings callers back as soon as that endpoint fails. Put a calculated \
             check over it and name that one, send callers by the records themselves (kind route53, `routing: \
             failover`), or write in `unpinned` why that does no harm",
        ));
    }
    let sees = sees.ok_or_else(|| {
        Error::new(ErrorKind::NotReady, "its checkers have not said anything yet").not_happened()
    })?;
    match (goal, sees) {
        // Inverting a check that sees a failure would call the failed side healthy: Route 53 has moved callers itself.
        (Goal::Away, sees) => Ok(set(sees)),
        (Goal::Home | Goal::HeldHome, true) => Ok(set(false)),
        (Goal::Home | Goal::HeldHome, false) => Err(Error::new(
            ErrorKind::NotReady,
            "what it watches is unhealthy: Route 53 would send callers away again at once",
        )
        .not_happened()),
    }
}

/// What could still move callers by itself, of this check alone.
pub(super) fn automatism(found: &Found, check: &str) -> Option<String> {
    if found.disabled || found.holds() {
        return None;
    }
    Some(if found.settings.inverted {
        format!(
            "health check {check} is inverted: callers come back to the primary when what it watches fails"
        )
    } else {
        format!("health check {check} moves callers when what it watches fails, and back when it recovers")
    })
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.inverted, self.threshold) {
            (true, Some(0)) => f.write_str("held unhealthy (inverted, threshold 0)"),
            (false, Some(0)) => f.write_str("held healthy (threshold 0)"),
            (inverted, Some(threshold)) => {
                write!(
                    f,
                    "healthy with {threshold} of its checks{}",
                    if inverted { ", inverted" } else { "" }
                )
            }
            (true, None) => f.write_str("inverted"),
            (false, None) => f.write_str("as what it watches"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(watches: Watches, inverted: bool, threshold: Option<u32>) -> Found {
        Found { version: 3, settings: Settings { inverted, threshold }, watches, disabled: false }
    }

    #[test]
    fn a_calculated_check_holds_callers_whatever_its_children_say() {
        let check = found(Watches::Checks, false, Some(1));
        for sees in [None, Some(true), Some(false)] {
            let away = wanted(&check, Goal::Away, sees, 2, false).unwrap();
            assert_eq!((away.inverted, away.threshold), (true, Some(0)));
            let home = wanted(&check, Goal::Home, sees, 2, false).unwrap();
            assert_eq!((home.inverted, home.threshold), (false, Some(2)));
            let held = wanted(&check, Goal::HeldHome, sees, 2, false).unwrap();
            assert_eq!((held.inverted, held.threshold), (false, Some(0)));
        }
    }

    #[test]
    fn a_failed_endpoints_check_is_never_inverted() {
        let check = found(Watches::Endpoint, false, None);
        assert!(wanted(&check, Goal::Away, Some(true), 1, true).unwrap().inverted);
        assert!(
            !wanted(&check, Goal::Away, Some(false), 1, true).unwrap().inverted,
            "that calls the dead side healthy"
        );
        assert_eq!(wanted(&check, Goal::Away, None, 1, true).unwrap_err().kind(), ErrorKind::NotReady);
    }

    #[test]
    fn what_cannot_hold_callers_is_refused_with_the_way_on() {
        let refused = |check: &Found, words: &str| {
            let error = wanted(check, Goal::Away, Some(true), 1, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
            assert!(error.message().contains(words), "{error}");
        };
        refused(&found(Watches::Endpoint, false, None), "calculated check over it");
        refused(
            &found(Watches::Other("CLOUDWATCH_METRIC".to_owned()), false, None),
            "calculated check over it",
        );
        refused(&Found { disabled: true, ..found(Watches::Checks, false, Some(1)) }, "--no-disabled");
    }

    #[test]
    fn only_a_check_that_holds_is_no_automatism() {
        assert_eq!(automatism(&found(Watches::Checks, true, Some(0)), "c"), None);
        assert!(automatism(&found(Watches::Checks, false, Some(1)), "c").unwrap().contains("moves callers"));
        assert!(automatism(&found(Watches::Endpoint, true, None), "c").unwrap().contains("come back"));
    }
}
