//! What people do in an account before or beside `dr`, by AWS's API.

use std::net::SocketAddr;
use std::time::Duration;

use dr_core::Timestamp;
use dr_testkit_aws::Aws;

use crate::asking::{ask, within};
use crate::support::until;

/// The group that lets callers in to a database.
pub(crate) const OPEN: &str = "sg-default";

/// Replicates a versioned bucket to another, as is needed to be told how far it is behind.
pub(crate) fn replicate(aws: &Aws, (region, bucket): (&str, &str), to: &str) {
    let rule = format!(
        "<ReplicationConfiguration><Role>arn:aws:iam::123456789012:role/replication</Role><Rule><ID>everything</ID>\
         <Priority>1</Priority><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><DeleteMarkerReplication>\
         <Status>Enabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::{to}</Bucket>\
         <ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime><Metrics>\
         <Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics></Destination></Rule>\
         </ReplicationConfiguration>"
    );
    ask(&aws.endpoint(), ("s3", region), &format!("PUT /{bucket}?replication"), &rule);
}

/// A health check of an address.
pub(crate) fn endpoint_check(aws: &Aws, at: SocketAddr, path: &str, inverted: bool) -> String {
    let (ip, port) = (at.ip(), at.port());
    health_check(
        aws,
        path,
        &format!(
            "<IPAddress>{ip}</IPAddress><Port>{port}</Port><Type>HTTP</Type><ResourcePath>{path}</ResourcePath>\
             <RequestInterval>30</RequestInterval><FailureThreshold>3</FailureThreshold><Inverted>{inverted}</Inverted>"
        ),
    )
}

/// A health check that is healthy while all of these are.
pub(crate) fn check_of_all(aws: &Aws, children: &[&str]) -> String {
    let listed: String =
        children.iter().map(|child| format!("<ChildHealthCheck>{child}</ChildHealthCheck>")).collect();
    let threshold = children.len();
    health_check(
        aws,
        "all",
        &format!(
            "<Type>CALCULATED</Type><HealthThreshold>{threshold}</HealthThreshold>\
             <ChildHealthChecks>{listed}</ChildHealthChecks>"
        ),
    )
}

fn health_check(aws: &Aws, reference: &str, settings: &str) -> String {
    let answer = ask(
        &aws.endpoint(),
        ("route53", "us-east-1"),
        "POST /2013-04-01/healthcheck",
        &format!(
            "<CreateHealthCheckRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
             <CallerReference>{reference}</CallerReference><HealthCheckConfig>{settings}</HealthCheckConfig>\
             </CreateHealthCheckRequest>"
        ),
    );
    within(&answer, "Id")
}

/// Waits for a minute in which a replica's lag was measured: without one nothing bounds what a loss of its source costs,
/// and `dr` rightly holds.
pub(crate) fn sampled(aws: &Aws, region: &str, replica: &str) {
    until("a sample of the replica's lag", || {
        let now = Timestamp::system();
        let (start, end) = (now.minus(Duration::from_secs(3_600)), now);
        let query = format!(
            "Action=GetMetricStatistics&Version=2010-08-01&Namespace=AWS%2FRDS&MetricName=ReplicaLag\
             &Dimensions.member.1.Name=DBInstanceIdentifier&Dimensions.member.1.Value={replica}\
             &StartTime={start}&EndTime={end}&Period=60&Statistics.member.1=Minimum"
        );
        let answer = ask(&aws.endpoint(), ("monitoring", region), "POST /", &query);
        let values =
            answer.split("<Minimum>").skip(1).filter_map(|rest| rest.split('<').next()?.parse().ok());
        values.into_iter().any(|lag: f64| lag >= 0.0).then_some(())
    });
}

/// Nobody comes to the database any more, and nobody is left inside.
pub(crate) fn empty(aws: &Aws, region: &str, database: &str) {
    aws.rds(region).close_group(OPEN);
    let restart = format!("Action=RebootDBInstance&Version=2014-10-31&DBInstanceIdentifier={database}");
    ask(&aws.endpoint(), ("rds", region), "POST /", &restart);
    until("nobody inside", || (aws.rds(region).instance(database).sessions() == 0).then_some(()));
}
