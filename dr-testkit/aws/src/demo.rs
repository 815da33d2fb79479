//! A world to rehearse in: one service in two regions, as the e-commerce plans have it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use dr_core::Result;

use crate::aws::Aws;
use crate::handle::Record;

/// Where the demo's service runs.
const FROM: &str = "us-east-1";
/// Where it can go.
const TO: &str = "us-west-2";

/// What was put there.
#[derive(Debug, Clone)]
pub struct Demo {
    /// A guide to it, for people.
    pub guide: String,
    /// A plan for `dr` that carries its service over.
    pub plan: String,
}

const PLAN: &str = include_str!("demo.yaml");

impl Aws {
    /// Puts a service there that runs in us-east-1 and can go to us-west-2: an RDS instance with a read replica, an
    /// Aurora global database, a zone with weighted records, buckets, and node groups with room to grow.
    ///
    /// # Errors
    /// When it was put there before, or a socket cannot be opened.
    pub async fn seed_demo(&self) -> Result<Demo> {
        let orders = self.rds(FROM).create("ecommerce-db")?;
        let copy = self.rds(TO).replicate("ecommerce-db-dr", &orders)?;
        let writer = self.rds(FROM).create_cluster("catalogue-east")?;
        let reader = self.rds(TO).create_cluster("catalogue-west")?;
        self.create_global_cluster("catalogue", &[&writer, &reader])?;
        for region in [FROM, TO] {
            self.rds(region).close_group("sg-nobody");
            self.set_vcpu_quota(region, 256, 0);
            self.create_cluster(region, "ecommerce");
            let size = if region == FROM { (9, 30, 9) } else { (2, 30, 2) };
            self.create_nodegroup(region, "ecommerce", "application-nodes", size, 4)?;
            self.create_bucket(region, &format!("ecommerce-data-{region}"), true);
            self.create_bucket(region, &format!("dr-state-{region}"), false);
        }
        let from = self.start_service(FROM, &orders).await?.address();
        let to = self.start_service(TO, &copy).await?.address();
        let zone = self.create_zone("example.com");
        for (region, address, weight) in [(FROM, from, 100), (TO, to, 0)] {
            let record = Record::simple("shop.example.com", "A", 60, &[&address.ip().to_string()]);
            self.put_record(&zone, record.weighted(region, weight))?;
        }
        copy.set_lag(Duration::from_millis(200));
        Ok(Demo { guide: self.guide(&zone, from.port()), plan: self.plan(&zone, from, to) })
    }

    /// A plan for it. Its runs are kept beside it.
    fn plan(&self, zone: &str, from: SocketAddr, to: SocketAddr) -> String {
        let endpoint = self.endpoint();
        let servers: Vec<String> = self.name_servers().iter().map(|server| format!("\"{server}\"")).collect();
        let servers = servers.join(", ");
        PLAN.replace("@ENDPOINT@", &endpoint)
            .replace("@ZONE@", zone)
            .replace("@SERVERS@", &servers)
            .replace("@PORT@", &from.port().to_string())
            .replace("@FROM@", &from.ip().to_string())
            .replace("@TO@", &to.ip().to_string())
    }

    fn guide(&self, zone: &str, port: u16) -> String {
        let endpoint = self.endpoint();
        let servers: Vec<String> = self.name_servers().iter().map(ToString::to_string).collect();
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "AWS, simulated: nothing here leaves this machine, and nothing of it is kept.\n\n\
             endpoint      {endpoint}   (every service and region; any credentials)\n\
             account       {}\n\
             zone          example.com, {zone}\n\
             name servers  {}\n\
             service       shop.example.com:{port}, weighted: {FROM} 100, {TO} 0\n\
             databases     ecommerce-db ({FROM}) with its replica ecommerce-db-dr ({TO}); global cluster catalogue\n\
             node groups   application-nodes of the cluster ecommerce, in both regions\n\
             buckets       ecommerce-data-{FROM}, ecommerce-data-{TO}, dr-state-{FROM}, dr-state-{TO}\n\n\
             export AWS_ENDPOINT_URL={endpoint} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n\n\
             lose a region     curl -d '{{\"region\": \"{FROM}\"}}' {endpoint}/_dr/lose-region\n\
             bring it back     curl -d '{{\"region\": \"{FROM}\"}}' {endpoint}/_dr/restore-region\n\
             throttle a call   curl -d '{{\"fault\": \"throttled\", \"service\": \"rds\", \"times\": 3}}' {endpoint}/_dr/fail\n\
             take a right      curl -d '{{\"permission\": \"rds:PromoteReadReplica\"}}' {endpoint}/_dr/deny\n\
             mend everything   curl -d '' {endpoint}/_dr/heal-all\n\
             what was called   curl {endpoint}/_dr/calls\n",
            self.account(),
            servers.join(" "),
        );
        text
    }
}
