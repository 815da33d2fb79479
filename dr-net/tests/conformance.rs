//! Kind `dns` against BIND and kind `http` against a service, through the suites that the models pass too.

mod support;

use std::fmt;

use dr_core::{Result, async_trait};
use dr_net::{DnsBackend, HttpBackend};
use dr_testkit::suite::{self, Fixture, Lever, Levers, Subject};
use serde_json::json;
use support::named::{Named, SECRET};
use support::relay::Relay;
use support::service::{Does, Service};
use support::{SECOND, connected};

#[derive(Debug)]
struct Bind;

/// The server, and the relay through which it is asked.
struct Hands {
    named: Named,
    relay: Relay,
}

impl fmt::Debug for Hands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hands").field("named", &self.named.address).finish_non_exhaustive()
    }
}

#[async_trait]
impl Fixture for Bind {
    async fn fresh(&self) -> Result<Subject> {
        let named = Named::primary("shop 1 IN A 127.0.1.10").await;
        let relay = Relay::to(named.address).await;
        let config = json!({
            "zone": "example.test", "record": "shop.example.test", "type": "A", "ttl": "1s",
            "values": { "east": "127.0.1.10", "west": "127.0.2.10" },
            "servers": [relay.address.to_string()],
            "update": { "server": relay.address.to_string(),
                        "key": { "name": "dr-key", "algorithm": "hmac-sha256",
                                 "secret": format!("${{test:{SECRET}}}") } },
        });
        let resource = connected(&DnsBackend, config).await;
        let mut subject = Subject::new(resource, "east", "west", Hands { named, relay });
        subject.patience = 3 * SECOND;
        Ok(subject)
    }
}

#[async_trait]
impl Levers for Hands {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(_) => self.relay.black_hole(),
            Lever::Heal(_) => self.relay.heal(),
            Lever::Meddle("route") => self
                .named
                .nsupdate("update delete shop.example.test A\nupdate add shop.example.test 1 A 127.0.9.9"),
            _ => return false,
        }
        true
    }

    async fn look(&self) -> Option<String> {
        Some(self.named.dig("shop.example.test", "A"))
    }
}

#[tokio::test]
async fn bind_behind_our_updates_keeps_every_promise_of_traffic() {
    let report = suite::traffic(&Bind).await;
    println!("{report}");
    report.assert(16);
    suite::all_or_none(&Bind).await.assert(1);
}

#[derive(Debug)]
struct Web;

/// The service that the source serves.
struct Shop(Service);

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shop").field(&self.0.address).finish()
    }
}

#[async_trait]
impl Fixture for Web {
    async fn fresh(&self) -> Result<Subject> {
        let service = Service::start(Does::good("east")).await;
        let config = json!({
            "url": service.url("/health"),
            "served_by": { "header": "x-region" },
            "write": { "url": service.url("/touch") },
        });
        let resource = connected(&HttpBackend, config).await;
        Ok(Subject::new(resource, "east", "west", Shop(service)))
    }
}

#[async_trait]
impl Levers for Shop {
    async fn pull(&self, lever: &Lever) -> bool {
        match lever {
            Lever::Silence(_) => self.0.does(Does::BlackHole),
            Lever::Heal(_) => self.0.does(Does::good("east")),
            _ => return false,
        }
        true
    }
}

#[tokio::test]
async fn a_web_service_seen_from_our_seats_keeps_every_promise_of_a_prober() {
    let report = suite::probe(&Web).await;
    println!("{report}");
    report.assert(6);
}
