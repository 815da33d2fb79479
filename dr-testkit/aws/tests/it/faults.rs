use std::time::Duration;

use aws_sdk_rds::Client;
use aws_sdk_rds::error::SdkError;
use dr_testkit_aws::{Aws, Failure, Fault, Outcome, Service};

use crate::support::{config, config_at, refusal, until, world};

fn rds(aws: &Aws, region: &str) -> Client {
    Client::new(&config(aws, region))
}

#[tokio::test]
async fn each_fault_is_said_in_the_services_own_words() {
    let aws = world().await;
    let client = rds(&aws, "us-west-2");
    let said = [
        (Fault::Throttled, "Throttling"),
        (Fault::InternalFailure, "InternalFailure"),
        (Fault::ServiceUnavailable, "ServiceUnavailable"),
        (Fault::ExpiredCredentials, "ExpiredToken"),
    ];
    for (fault, code) in said {
        aws.fail(Failure::new(fault).service(Service::Rds).times(1));
        assert_eq!(refusal(client.describe_db_instances().send().await.unwrap_err()).0, code);
        client.describe_db_instances().send().await.unwrap();
    }
}

#[tokio::test]
async fn a_page_of_html_is_no_answer_of_the_service() {
    let aws = world().await;
    aws.fail(Failure::new(Fault::HtmlErrorPage).times(1));
    let error = rds(&aws, "us-west-2").describe_db_instances().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 502);
}

#[tokio::test]
async fn a_permission_that_is_taken_away_is_named() {
    let aws = world().await;
    let client = rds(&aws, "us-west-2");
    aws.deny("rds:DescribeDBInstances");
    let (code, words) = refusal(client.describe_db_instances().send().await.unwrap_err());
    assert_eq!(code, "AccessDenied");
    assert!(words.contains("not authorized to perform: rds:DescribeDBInstances"), "{words}");
    client.describe_db_snapshots().send().await.unwrap();
    aws.allow("rds:DescribeDBInstances");
    client.describe_db_instances().send().await.unwrap();
}

#[tokio::test]
async fn a_lost_region_is_silent_and_the_other_one_answers() {
    let aws = world().await;
    aws.lose_region("us-east-1", Fault::BlackHole);
    let lost = rds(&aws, "us-east-1").describe_db_instances().send().await.unwrap_err();
    assert!(matches!(lost, SdkError::TimeoutError(_)), "{lost:?}");
    rds(&aws, "us-west-2").describe_db_instances().send().await.unwrap();
    aws.restore_region("us-east-1");
    rds(&aws, "us-east-1").describe_db_instances().send().await.unwrap();
}

#[tokio::test]
async fn a_regions_own_endpoint_refuses_connections_while_it_is_lost() {
    let aws = world().await;
    let endpoint = aws.region_endpoint("us-east-1").await.unwrap();
    let client = Client::new(&config_at(&endpoint, "us-east-1"));
    client.describe_db_instances().send().await.unwrap();
    aws.lose_region("us-east-1", Fault::Refused);
    until("connections are refused", || async {
        let address = endpoint.trim_start_matches("http://");
        let tried = tokio::net::TcpStream::connect(address).await;
        tried.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    })
    .await;
    let refused = client.describe_db_instances().send().await.unwrap_err();
    assert!(matches!(refused, SdkError::DispatchFailure(_)), "{refused:?}");
    aws.restore_region("us-east-1");
    until("it is back", || async { client.describe_db_instances().send().await.is_ok() }).await;
}

#[tokio::test]
async fn a_reply_that_is_lost_leaves_its_effect() {
    let aws = world().await;
    let orders = aws.rds("us-west-2").create("orders").unwrap();
    aws.fail(Failure::new(Fault::LostReply).action("RebootDBInstance").times(1));
    let client = rds(&aws, "us-west-2");
    let lost = client.reboot_db_instance().db_instance_identifier("orders").send().await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(orders.status(), Some("rebooting"));
    assert_eq!(aws.mutations()[0].outcome, Outcome::ReplyLost);
}

#[tokio::test]
async fn latency_delays_the_answer() {
    let aws = world().await;
    aws.fail(Failure::new(Fault::LatencyMillis(150)).region("us-west-2"));
    let begun = std::time::Instant::now();
    rds(&aws, "us-west-2").describe_db_instances().send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn every_call_is_recorded_with_what_became_of_it() {
    let aws = world().await;
    aws.rds("us-west-2").create("orders").unwrap();
    let client = rds(&aws, "us-west-2");
    client.describe_db_instances().send().await.unwrap();
    client.stop_db_instance().db_instance_identifier("orders").send().await.unwrap();
    client.stop_db_instance().db_instance_identifier("nothing").send().await.unwrap_err();
    let calls = aws.calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.action.as_str(), call.mutates, &call.outcome)).collect();
    assert_eq!(
        seen,
        [
            ("DescribeDBInstances", false, &Outcome::Answered),
            ("StopDBInstance", true, &Outcome::Answered),
            ("StopDBInstance", true, &Outcome::Refused("DBInstanceNotFound".to_owned())),
        ]
    );
    assert_eq!((calls[0].service, calls[0].region.as_str()), ("rds", "us-west-2"));
}

#[tokio::test]
async fn reading_changes_nothing_and_equal_seeds_make_equal_worlds() {
    let seeded = || async {
        let aws = world().await;
        aws.create_zone("example.com");
        let orders = aws.rds("us-east-1").create("orders").unwrap();
        aws.rds("us-west-2").replicate("orders-dr", &orders).unwrap();
        aws
    };
    let (one, two) = (seeded().await, seeded().await);
    let before = one.snapshot();
    rds(&one, "us-east-1").describe_db_instances().send().await.unwrap();
    crate::route53::client(&one).list_hosted_zones().send().await.unwrap();
    assert_eq!(one.snapshot(), before);
    assert_eq!(one.create_zone("example.org"), two.create_zone("example.org"));
    assert_ne!(one.snapshot(), before);
}

#[tokio::test]
async fn the_world_is_broken_and_mended_by_http_too() {
    let aws = world().await;
    let client = rds(&aws, "us-west-2");
    let address = aws.endpoint().trim_start_matches("http://").to_owned();
    let post = |path: &'static str, body: &'static str| {
        let address = address.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let length = body.len();
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }
    };
    let answer = post("/_dr/fail", r#"{"fault": "throttled", "service": "rds"}"#).await;
    assert!(answer.ends_with(r#"{"failure":1}"#), "{answer}");
    assert_eq!(refusal(client.describe_db_instances().send().await.unwrap_err()).0, "Throttling");
    post("/_dr/heal-all", "").await;
    client.describe_db_instances().send().await.unwrap();
    let answer = post("/_dr/fail", r#"{"fault": "throttled", "servise": "rds"}"#).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("servise"), "{answer}");
}

#[tokio::test]
async fn the_demo_world_serves_from_the_first_region_and_its_guide_names_everything() {
    let aws = world().await;
    let demo = aws.seed_demo().await.unwrap();
    assert!(demo.guide.contains(&aws.endpoint()) && demo.guide.contains("/_dr/lose-region"), "{demo:?}");
    let address = aws.service_address("us-east-1").await.unwrap();
    let other = aws.service_address("us-west-2").await.unwrap();
    assert_eq!(address.port(), other.port());
    assert_ne!(address.ip(), other.ip());
    assert!(crate::rds::http(address, "POST", "/touch").await.starts_with("HTTP/1.1 200"));
    assert!(crate::rds::http(other, "POST", "/touch").await.starts_with("HTTP/1.1 503"));
    assert!(aws.seed_demo().await.is_err(), "it is there already");
}
