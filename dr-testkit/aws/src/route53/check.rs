//! Health checks: what is looked at, and what that makes of the check.
//!
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html>

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dr_core::Timestamp;
use tokio::time::Instant;

use crate::wire::{ApiError, Element, Node};

/// A health check.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) version: i64,
    pub(crate) config: Config,
    pub(crate) seen: Seen,
}

/// A check's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) kind: CheckKind,
    pub(crate) inverted: bool,
    pub(crate) disabled: bool,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckKind {
    Endpoint(Target),
    Calculated { children: Vec<String>, threshold: u32 },
    Alarm { region: String, name: String, insufficient: Insufficient },
}

/// What an alarm without data counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insufficient {
    Healthy,
    Unhealthy,
    LastKnown,
}

/// An endpoint that checkers connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) protocol: String,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) search: Option<String>,
    pub(crate) interval: u32,
    pub(crate) threshold: u32,
}

/// What the checkers have seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// As the last looks in a row made it.
    pub(crate) passing: Option<bool>,
    /// How many looks in a row said the other thing.
    pub(crate) against: u32,
    pub(crate) last: Option<(Timestamp, bool, String)>,
    pub(crate) last_failure: Option<(Timestamp, String)>,
    pub(crate) due: Option<Instant>,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Healthy,
    Unhealthy,
}

impl Health {
    pub(crate) fn of(healthy: bool) -> Self {
        if healthy { Self::Healthy } else { Self::Unhealthy }
    }

    pub(crate) fn is_healthy(self) -> bool {
        self == Self::Healthy
    }
}

impl Seen {
    /// Takes one look's result in; as many in a row as the threshold says change the check.
    ///
    /// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html>, `FailureThreshold`
    pub(crate) fn look(&mut self, at: Timestamp, passed: bool, words: &str, threshold: u32) {
        self.last = Some((at, passed, words.to_owned()));
        if !passed {
            self.last_failure = Some((at, words.to_owned()));
        }
        // Until there is data enough a check counts as healthy.
        let current = self.passing.unwrap_or(true);
        self.against = if passed == current { 0 } else { self.against + 1 };
        if self.against >= threshold {
            self.passing = Some(passed);
            self.against = 0;
        } else if passed == current {
            self.passing = Some(current);
        }
    }
}

impl Config {
    /// Reads a new check's settings.
    pub(super) fn parse(xml: &Element) -> Result<Self, ApiError> {
        let kind = match xml.need("Type")? {
            "CALCULATED" => {
                let children: Vec<String> = xml
                    .child("ChildHealthChecks")
                    .into_iter()
                    .flat_map(|list| list.children("ChildHealthCheck"))
                    .map(|child| child.value().to_owned())
                    .collect();
                CheckKind::Calculated { threshold: xml.number("HealthThreshold")?.unwrap_or(0), children }
            }
            "CLOUDWATCH_METRIC" => {
                let alarm =
                    xml.child("AlarmIdentifier").ok_or_else(|| ApiError::missing("AlarmIdentifier"))?;
                CheckKind::Alarm {
                    region: alarm.need("Region")?.to_owned(),
                    name: alarm.need("Name")?.to_owned(),
                    insufficient: insufficient(xml)?.unwrap_or(Insufficient::LastKnown),
                }
            }
            protocol @ ("HTTP" | "HTTPS" | "TCP" | "HTTP_STR_MATCH" | "HTTPS_STR_MATCH") => {
                CheckKind::Endpoint(Target::parse(xml, protocol)?)
            }
            other => {
                return Err(ApiError::invalid_input(format!("Invalid health check type: {other}")));
            }
        };
        Ok(Self {
            kind,
            inverted: xml.flag("Inverted").unwrap_or(false),
            disabled: xml.flag("Disabled").unwrap_or(false),
        })
    }

    /// Takes in what an update changes.
    pub(super) fn update(&mut self, xml: &Element) -> Result<(), ApiError> {
        match &mut self.kind {
            CheckKind::Endpoint(target) => target.update(xml)?,
            CheckKind::Calculated { children, threshold } => {
                if let Some(value) = xml.number("HealthThreshold")? {
                    *threshold = value;
                }
                if let Some(list) = xml.child("ChildHealthChecks") {
                    *children =
                        list.children("ChildHealthCheck").map(|child| child.value().to_owned()).collect();
                }
            }
            CheckKind::Alarm { region, name, insufficient: counts } => {
                if let Some(alarm) = xml.child("AlarmIdentifier") {
                    *region = alarm.need("Region")?.to_owned();
                    *name = alarm.need("Name")?.to_owned();
                }
                if let Some(value) = insufficient(xml)? {
                    *counts = value;
                }
            }
        }
        if let Some(flag) = xml.flag("Inverted") {
            self.inverted = flag;
        }
        if let Some(flag) = xml.flag("Disabled") {
            self.disabled = flag;
        }
        Ok(())
    }

    /// As the API shows it.
    pub(super) fn node(&self) -> Node {
        let node = match &self.kind {
            CheckKind::Endpoint(target) => target.node(),
            CheckKind::Calculated { children, threshold } => Node::map()
                .put("Type", "CALCULATED")
                .put("HealthThreshold", *threshold)
                .put("ChildHealthChecks", Node::list("ChildHealthCheck", children)),
            CheckKind::Alarm { region, name, insufficient } => Node::map()
                .put("Type", "CLOUDWATCH_METRIC")
                .put("AlarmIdentifier", Node::map().put("Region", region).put("Name", name))
                .put(
                    "InsufficientDataHealthStatus",
                    match insufficient {
                        Insufficient::Healthy => "Healthy",
                        Insufficient::Unhealthy => "Unhealthy",
                        Insufficient::LastKnown => "LastKnownStatus",
                    },
                ),
        };
        node.put("Inverted", self.inverted).put("Disabled", self.disabled)
    }
}

fn insufficient(xml: &Element) -> Result<Option<Insufficient>, ApiError> {
    Ok(match xml.text("InsufficientDataHealthStatus") {
        None => None,
        Some("Healthy") => Some(Insufficient::Healthy),
        Some("Unhealthy") => Some(Insufficient::Unhealthy),
        Some("LastKnownStatus") => Some(Insufficient::LastKnown),
        Some(other) => return Err(ApiError::invalid_input(format!("Invalid status: {other}"))),
    })
}

impl Target {
    fn parse(xml: &Element, protocol: &str) -> Result<Self, ApiError> {
        let port = match xml.number::<u16>("Port")? {
            Some(port) => port,
            None if protocol.starts_with("HTTPS") => 443,
            None if protocol.starts_with("HTTP") => 80,
            None => {
                return Err(ApiError::invalid_input("Invalid parameter : Port must be specified for TCP"));
            }
        };
        let interval = xml.number("RequestInterval")?.unwrap_or(30);
        if ![10, 30].contains(&interval) {
            return Err(ApiError::invalid_input(format!(
                "Invalid parameter : RequestInterval must be 10 or 30, not {interval}"
            )));
        }
        let mut target = Self {
            protocol: protocol.to_owned(),
            ip: None,
            host: None,
            port,
            path: "/".to_owned(),
            search: None,
            interval,
            threshold: 3,
        };
        target.update(xml)?;
        if target.ip.is_none() && target.host.is_none() {
            return Err(ApiError::invalid_input(
                "Invalid parameter : Either IPAddress or FullyQualifiedDomainName must be specified",
            ));
        }
        if protocol.ends_with("STR_MATCH") && target.search.is_none() {
            return Err(ApiError::invalid_input("Invalid parameter : SearchString must be specified"));
        }
        Ok(target)
    }

    fn update(&mut self, xml: &Element) -> Result<(), ApiError> {
        if let Some(ip) = xml.text("IPAddress") {
            let bad = || ApiError::invalid_input(format!("Invalid parameter : IPAddress {ip}"));
            self.ip = Some(ip.parse().map_err(|_| bad())?);
        }
        if let Some(host) = xml.text("FullyQualifiedDomainName") {
            self.host = Some(host.to_owned());
        }
        if let Some(port) = xml.number("Port")? {
            self.port = port;
        }
        if let Some(path) = xml.text("ResourcePath") {
            self.path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        }
        if let Some(search) = xml.text("SearchString") {
            self.search = Some(search.to_owned());
        }
        if let Some(threshold) = xml.number::<u32>("FailureThreshold")? {
            if !(1..=10).contains(&threshold) {
                return Err(ApiError::invalid_input(format!(
                    "Invalid parameter : FailureThreshold must be between 1 and 10, not {threshold}"
                )));
            }
            self.threshold = threshold;
        }
        Ok(())
    }

    fn node(&self) -> Node {
        Node::map()
            .maybe("IPAddress", self.ip.map(|ip| ip.to_string()))
            .put("Port", i64::from(self.port))
            .put("Type", &self.protocol)
            .maybe("ResourcePath", (self.protocol != "TCP").then_some(&self.path))
            .maybe("FullyQualifiedDomainName", self.host.as_deref())
            .maybe("SearchString", self.search.as_deref())
            .put("RequestInterval", self.interval)
            .put("FailureThreshold", self.threshold)
            .put("MeasureLatency", false)
            .put("EnableSNI", self.protocol.starts_with("HTTPS"))
    }

    /// How often one checker looks.
    pub(crate) fn every(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval))
    }

    /// Where to, if it is known as an address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.ip.map(|ip| SocketAddr::new(ip, self.port))
    }
}
