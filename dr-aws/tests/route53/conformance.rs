//! Kind `route53` through the suites that the models pass too, for each way of routing.

use dr_aws::{HealthCheckBackend, Route53Backend};
use dr_core::{Result, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Failure, Fault, Record, Service};
use serde_json::json;

use crate::support::{EAST, Ground, NAME, SECOND, WEST, connected};

#[derive(Debug, Clone, Copy)]
enum Zone {
    Simple,
    Failover,
    Weighted,
    /// By a calculated check.
    Check,
}

#[derive(Debug)]
struct Hands {
    check: String,
    ground: Ground,
    zone: Zone,
}

#[async_trait]
impl Fixture for Zone {
    async fn fresh(&self) -> Result<Subject> {
        let (ground, config, check) = match self {
            Self::Simple => {
                let ground = Ground::simple().await;
                let config = ground.config(json!({}));
                (ground, config, String::new())
            }
            Self::Failover => {
                let (ground, check) = Ground::failover().await;
                let config = ground.failover_config(&check);
                (ground, config, check)
            }
            Self::Weighted => {
                let ground = Ground::weighted().await;
                let config = ground.config(json!({ "routing": "weighted" }));
                (ground, config, String::new())
            }
            Self::Check => {
                let (ground, check, _) = Ground::calculated().await;
                let config = ground.check_config(&check, json!({}));
                (ground, config, check)
            }
        };
        let resource = match self {
            Self::Simple | Self::Failover | Self::Weighted => connected(&Route53Backend, config).await,
            Self::Check => connected(&HealthCheckBackend, config).await,
        };
        let mut subject = Subject::new(resource, "east", "west", Hands { check, ground, zone: *self });
        subject.patience = 5 * SECOND;
        if !matches!(self, Self::Check) {
            subject.elsewhere = vec!["198.51.100.77".to_owned()];
        }
        Ok(subject)
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match (lever, self.zone) {
            (Lever::Silence(_), _) => {
                self.ground.aws.fail(Failure::new(Fault::BlackHole).service(Service::Route53));
            }
            (Lever::Heal(_), _) => self.ground.aws.heal_all(),
            (Lever::Meddle("route"), Zone::Simple) => {
                self.ground.put(Record::simple(NAME, "A", 60, &["203.0.113.9"]));
            }
            (Lever::Meddle("route"), Zone::Failover) => {
                self.ground.put(Record::simple(NAME, "A", 30, &[WEST]).failover("Secondary", false));
            }
            (Lever::Meddle("route"), Zone::Weighted) => {
                self.ground.put(Record::simple(NAME, "A", 60, &[EAST]).weighted("east", 7));
                self.ground.put(Record::simple(NAME, "A", 60, &[WEST]).weighted("west", 3));
            }
            (Lever::Meddle("route"), Zone::Check) => {
                let update = self.ground.client().update_health_check().health_check_id(&self.check);
                update.health_threshold(5).send().await.unwrap();
                // Until callers have followed, what they are answered is still on its way.
                tokio::time::sleep(SECOND / 5).await;
            }
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        match self.zone {
            // Each change of a check counts its version up, also the one that puts it back.
            Zone::Check => Some(unversioned(&self.ground.look().await)),
            // What a weighted name answers is drawn anew each time: only the API says what does not change.
            Zone::Weighted => Some(self.ground.aws.snapshot()),
            Zone::Simple | Zone::Failover => Some(self.ground.look().await),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simple_record_keeps_every_promise_of_traffic() {
    let report = suite::traffic(&Zone::Simple).await;
    println!("{report}");
    report.assert(16);
}

#[tokio::test(flavor = "multi_thread")]
async fn failover_records_keep_every_promise_of_traffic() {
    let report = suite::traffic(&Zone::Failover).await;
    println!("{report}");
    report.assert(16);
}

#[tokio::test(flavor = "multi_thread")]
async fn weighted_records_keep_every_promise_of_traffic() {
    let report = suite::traffic(&Zone::Weighted).await;
    println!("{report}");
    report.assert(16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calculated_check_keeps_every_promise_of_traffic() {
    let report = suite::traffic(&Zone::Check).await;
    println!("{report}");
    report.assert(16);
}

fn unversioned(text: &str) -> String {
    let mut left = String::new();
    for line in text.lines() {
        match line.split_once("\"HealthCheckVersion\":") {
            Some((before, after)) => {
                left.push_str(before);
                left.push_str(after.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == ' '));
            }
            None => left.push_str(line),
        }
        left.push('\n');
    }
    left
}

/// The API falls silent, and callers still reach the name servers: so do we.
#[derive(Debug)]
struct SilentApi(Zone);

#[derive(Debug)]
struct ApiHands(Hands);

#[async_trait]
impl Fixture for SilentApi {
    async fn fresh(&self) -> Result<Subject> {
        let (ground, check) = Ground::failover().await;
        let config = ground.failover_config(&check);
        let resource = connected(&Route53Backend, config).await;
        // A name has no silent side: whoever answers for it answers for both. So the side that falls silent here is
        // one that the name never named.
        Ok(Subject::new(resource, "the-api", "west", ApiHands(Hands { check, ground, zone: self.0 })))
    }
}

#[async_trait]
impl Levers for ApiHands {
    async fn pull(&self, lever: &Lever) -> bool {
        self.0.pull(lever).await
    }

    async fn look(&self) -> Option<String> {
        self.0.look().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_is_bounded_and_changes_nothing_while_the_api_is_silent() {
    let report = suite::observe(&SilentApi(Zone::Failover)).await;
    println!("{report}");
    report.assert(2);
}
