//! Kind `route53` through the suites that the models pass too, for each way of routing.

use dr_aws::Route53Backend;
use dr_core::{Result, async_trait};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use dr_testkit_aws::{Failure, Fault, Record, Service};
use serde_json::json;

use crate::support::{EAST, Ground, NAME, WEST, connected};

#[derive(Debug, Clone, Copy)]
enum Zone {
    Simple,
    Failover,
    Weighted,
}

#[derive(Debug)]
struct Hands {
    ground: Ground,
    zone: Zone,
}

#[async_trait]
impl Fixture for Zone {
    async fn fresh(&self) -> Result<Subject> {
        let (ground, config) = match self {
            Self::Simple => {
                let ground = Ground::simple().await;
                let config = ground.config(json!({}));
                (ground, config)
            }
            Self::Failover => {
                let (ground, check) = Ground::failover().await;
                let config = ground.failover_config(&check);
                (ground, config)
            }
            Self::Weighted => {
                let ground = Ground::weighted().await;
                let config = ground.config(json!({ "routing": "weighted" }));
                (ground, config)
            }
        };
        let resource = connected(&Route53Backend, config).await;
        Ok(Subject::new(resource, "east", "west", Hands { ground, zone: *self }))
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
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        match self.zone {
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

/// The API falls silent, and callers still reach the name servers: so do we.
#[derive(Debug)]
struct SilentApi(Zone);

#[derive(Debug)]
struct ApiHands(Hands);

#[async_trait]
impl Fixture for SilentApi {
    async fn fresh(&self) -> Result<Subject> {
        let (ground, config) = {
            let (ground, check) = Ground::failover().await;
            let config = ground.failover_config(&check);
            (ground, config)
        };
        let resource = connected(&Route53Backend, config).await;
        // A name has no silent side: whoever answers for it answers for both. So the side that falls silent here is
        // one that the name never named.
        Ok(Subject::new(resource, "the-api", "west", ApiHands(Hands { ground, zone: self.0 })))
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
