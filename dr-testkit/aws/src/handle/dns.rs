//! Zones, records, load balancers and alarms: putting them there.

use std::net::IpAddr;
use std::sync::Arc;

use dr_core::{Error, Result};

use crate::aws::Aws;
use crate::route53::{self, Balancer, Policy, RecordSet, Values, normal};

/// A record set to put into a zone.
#[derive(Debug, Clone)]
pub struct Record {
    set: RecordSet,
}

/// A load balancer that aliases can point at.
#[derive(Debug, Clone)]
pub struct LoadBalancer<'a> {
    aws: &'a Aws,
    name: String,
    zone: String,
}

impl Record {
    /// A simple record with a TTL in seconds.
    pub fn simple(name: &str, kind: &str, ttl: u32, values: &[&str]) -> Self {
        let values = Values::Plain { ttl, values: values.iter().map(|value| (*value).to_owned()).collect() };
        Self {
            set: RecordSet {
                name: normal(name),
                kind: kind.to_owned(),
                set_identifier: None,
                policy: Policy::Simple,
                values,
                health_check: None,
            },
        }
    }

    /// An alias to a name in a hosted zone.
    pub fn alias(name: &str, kind: &str, zone: &str, target: &str, evaluate_health: bool) -> Self {
        let mut record = Self::simple(name, kind, 0, &[]);
        record.set.values = Values::Alias { zone: zone.to_owned(), target: normal(target), evaluate_health };
        record
    }

    /// One of several with weights.
    #[must_use]
    pub fn weighted(mut self, set_identifier: &str, weight: u32) -> Self {
        self.set.set_identifier = Some(set_identifier.to_owned());
        self.set.policy = Policy::Weighted(weight);
        self
    }

    /// The primary or the secondary of a failover pair.
    #[must_use]
    pub fn failover(mut self, set_identifier: &str, primary: bool) -> Self {
        self.set.set_identifier = Some(set_identifier.to_owned());
        self.set.policy = Policy::Failover { primary };
        self
    }

    /// Answered while this check is healthy.
    #[must_use]
    pub fn checked_by(mut self, check: &str) -> Self {
        self.set.health_check = Some(check.to_owned());
        self
    }
}

impl Aws {
    /// Puts a hosted zone there that all name servers know, and says its id.
    pub fn create_zone(&self, name: &str) -> String {
        self.shared.with(|world| {
            let id = world.ids.upper("Z", 20);
            let mut zone = route53::make(world, id.clone(), normal(name), format!("seed-{id}"), None);
            zone.served = std::array::from_fn(|_| Arc::clone(&zone.records));
            zone.serials = [1; route53::SERVERS];
            world.route53(&self.account).zones.insert(id.clone(), zone);
            id
        })
    }

    /// Puts a record set into a zone, or in another one's place; all name servers know it at once. It is not judged as
    /// the API judges: a foreign hand may have put anything there.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn put_record(&self, zone: &str, record: Record) -> Result<()> {
        self.shared.with(|world| {
            let zone = world
                .route53(&self.account)
                .zones
                .get_mut(zone)
                .ok_or_else(|| Error::invalid(format!("there is no zone {zone}")))?;
            let mut records = (*zone.records).clone();
            records.insert(record.set.key(), record.set);
            zone.records = Arc::new(records);
            zone.served = std::array::from_fn(|_| Arc::clone(&zone.records));
            zone.serials.iter_mut().for_each(|serial| *serial = serial.wrapping_add(1));
            Ok(())
        })
    }

    /// Puts a load balancer there: `orders-123.us-west-2.elb.amazonaws.com` with these addresses.
    pub fn create_load_balancer(&self, region: &str, name: &str, addresses: &[IpAddr]) -> LoadBalancer<'_> {
        let (full, zone) = self.shared.with(|world| {
            let number = world.ids.below(1_000_000_000);
            let full = format!("{name}-{number}.{region}.elb.amazonaws.com.");
            // Each region's load balancers are in a zone of AWS's own.
            let zone = format!("ZELB{}", region.replace('-', "").to_uppercase());
            let balancer = Balancer {
                zone: zone.clone(),
                region: region.to_owned(),
                addresses: addresses.to_vec(),
                healthy: true,
            };
            world.balancers.insert(full.clone(), balancer);
            (full, zone)
        });
        LoadBalancer { aws: self, name: full.trim_end_matches('.').to_owned(), zone }
    }

    /// How an address that is not on loopback answers health checks.
    pub fn set_endpoint_health(&self, address: IpAddr, healthy: bool) {
        self.shared.with(|world| world.endpoints.insert(address, healthy));
    }

    /// Whether a health check counts as healthy now.
    pub fn is_healthy(&self, check: &str) -> bool {
        self.shared.with(|world| world.health(&self.account, check).is_healthy())
    }
}

impl LoadBalancer<'_> {
    /// Its DNS name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hosted zone that an alias to it names.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Whether it has a healthy target.
    pub fn set_healthy(&self, healthy: bool) {
        self.aws.shared.with(|world| {
            if let Some(balancer) = world.balancers.get_mut(&normal(&self.name)) {
                balancer.healthy = healthy;
            }
        });
    }
}
