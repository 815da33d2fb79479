use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_route53::types::{ChangeAction, ChangeStatus};
use dr_testkit_aws::{Aws, Options, Record};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::route53::{a, batch, client};
use crate::support::{until, world};

fn question(name: &str, kind: RecordType) -> Message {
    let mut question = Message::query();
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    question.add_query(Query::query(name, kind));
    question
}

async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    let question = question(name, kind);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&question.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = vec![0; 4_096];
    let length =
        tokio::time::timeout(Duration::from_secs(2), socket.recv(&mut buffer)).await.unwrap().unwrap();
    let answer = Message::from_vec(&buffer[..length]).unwrap();
    assert_eq!(answer.metadata.id, question.metadata.id);
    answer
}

async fn addresses(server: SocketAddr, name: &str) -> Vec<String> {
    let answer = ask(server, name, RecordType::A).await;
    answer.answers.iter().map(|record| record.data.to_string()).collect()
}

#[tokio::test]
async fn what_a_zone_holds_is_answered_with_authority_and_its_ttl() {
    let aws = world().await;
    let zone = aws.create_zone("example.com");
    aws.put_record(&zone, Record::simple("shop.example.com", "A", 45, &["192.0.2.1"])).unwrap();
    let server = aws.name_servers()[0];
    let answer = ask(server, "SHOP.example.com", RecordType::A).await;
    assert!(answer.metadata.authoritative);
    assert_eq!(answer.answers[0].ttl, 45);
    assert_eq!(answer.answers[0].data.to_string(), "192.0.2.1");
    let nodata = ask(server, "shop.example.com", RecordType::AAAA).await;
    assert_eq!((nodata.metadata.response_code, nodata.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(nodata.authorities[0].record_type(), RecordType::SOA);
    let nothing = ask(server, "nothing.example.com", RecordType::A).await;
    assert_eq!(nothing.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(ask(server, "example.net", RecordType::A).await.metadata.response_code, ResponseCode::Refused);
    assert_eq!(ask(server, "example.com", RecordType::NS).await.answers.len(), 4);
    assert_eq!(ask(server, "example.com", RecordType::SOA).await.answers.len(), 1);
}

#[tokio::test]
async fn the_same_is_answered_over_tcp() {
    let aws = world().await;
    let zone = aws.create_zone("example.com");
    aws.put_record(&zone, Record::simple("shop.example.com", "A", 45, &["192.0.2.1"])).unwrap();
    let mut stream = TcpStream::connect(aws.name_servers()[3]).await.unwrap();
    let bytes = question("shop.example.com", RecordType::A).to_vec().unwrap();
    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(Message::from_vec(&answer).unwrap().answers.len(), 1);
}

#[tokio::test]
async fn a_change_reaches_the_name_servers_one_after_another_and_is_in_sync_with_the_last() {
    let aws = Aws::start(Options::new().pace(60.0).route53_rate(None)).await.unwrap();
    let (client, zone) = (client(&aws), aws.create_zone("example.com"));
    let set = a("shop.example.com", 60, "192.0.2.1").build().unwrap();
    let change = client.change_resource_record_sets().hosted_zone_id(&zone);
    let sent = change.change_batch(batch([(ChangeAction::Create, set)])).send().await.unwrap();
    let id = sent.change_info().unwrap().id();
    let servers = aws.name_servers();
    let name = "shop.example.com";
    assert_eq!(addresses(servers[3], name).await, Vec::<String>::new());
    until("the first server knows", || async { !addresses(servers[0], name).await.is_empty() }).await;
    assert_eq!(addresses(servers[3], name).await, Vec::<String>::new());
    let status = || async {
        let change = client.get_change().id(id).send().await.unwrap();
        change.change_info().unwrap().status().clone()
    };
    assert_eq!(status().await, ChangeStatus::Pending);
    until("in sync", || async { status().await == ChangeStatus::Insync }).await;
    assert_eq!(addresses(servers[3], name).await, ["192.0.2.1"]);
}

#[tokio::test]
async fn the_secondary_answers_while_the_primary_is_unhealthy_and_the_primary_when_both_are() {
    let aws = world().await;
    let zone = aws.create_zone("example.com");
    let client = client(&aws);
    let mut checks = Vec::new();
    for address in ["192.0.2.1", "198.51.100.1"] {
        aws.set_endpoint_health(address.parse().unwrap(), true);
        let config = aws_sdk_route53::types::HealthCheckConfig::builder()
            .r#type(aws_sdk_route53::types::HealthCheckType::Tcp)
            .ip_address(address)
            .port(443)
            .request_interval(10)
            .failure_threshold(1);
        let made = client.create_health_check().caller_reference(address);
        let made = made.health_check_config(config.build().unwrap()).send().await.unwrap();
        checks.push(made.health_check().unwrap().id().to_owned());
    }
    let record = |id: &str, address: &str, check: &str| {
        let record = Record::simple("shop.example.com", "A", 60, &[address]);
        record.failover(id, id == "primary").checked_by(check)
    };
    aws.put_record(&zone, record("primary", "192.0.2.1", &checks[0])).unwrap();
    aws.put_record(&zone, record("secondary", "198.51.100.1", &checks[1])).unwrap();
    let server = aws.name_servers()[0];
    let answer = || addresses(server, "shop.example.com");
    assert_eq!(answer().await, ["192.0.2.1"]);
    aws.set_endpoint_health("192.0.2.1".parse().unwrap(), false);
    until("the secondary answers", || async { answer().await == ["198.51.100.1"] }).await;
    aws.set_endpoint_health("198.51.100.1".parse().unwrap(), false);
    until("the primary answers", || async { answer().await == ["192.0.2.1"] }).await;
}

#[tokio::test]
async fn weights_share_the_answers_and_zero_is_never_answered_beside_another() {
    let aws = world().await;
    let zone = aws.create_zone("example.com");
    for (id, address, weight) in [("a", "192.0.2.1", 3), ("b", "192.0.2.2", 1), ("c", "192.0.2.3", 0)] {
        let record = Record::simple("shop.example.com", "A", 60, &[address]).weighted(id, weight);
        aws.put_record(&zone, record).unwrap();
    }
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..200 {
        let answer = addresses(aws.name_servers()[0], "shop.example.com").await;
        *counts.entry(answer[0].clone()).or_default() += 1;
    }
    assert!((120..=180).contains(&counts["192.0.2.1"]), "{counts:?}");
    assert_eq!(counts.get("192.0.2.3"), None);
}

#[tokio::test]
async fn an_alias_answers_with_its_targets_addresses_and_asks_for_its_health() {
    let aws = world().await;
    let zone = aws.create_zone("example.com");
    let us = aws.create_load_balancer("us-east-1", "shop", &["192.0.2.1".parse().unwrap()]);
    let eu = aws.create_load_balancer("eu-west-1", "shop", &["192.0.2.2".parse().unwrap()]);
    for (balancer, id, primary) in [(&us, "us", true), (&eu, "eu", false)] {
        let record = Record::alias("shop.example.com", "A", balancer.zone(), balancer.name(), true);
        aws.put_record(&zone, record.failover(id, primary)).unwrap();
    }
    aws.put_record(&zone, Record::alias("www.example.com", "A", &zone, "shop.example.com", false)).unwrap();
    let server = aws.name_servers()[1];
    assert_eq!(addresses(server, "www.example.com").await, ["192.0.2.1"]);
    us.set_healthy(false);
    let answer = ask(server, "www.example.com", RecordType::A).await;
    assert_eq!(answer.answers[0].data.to_string(), "192.0.2.2");
    assert_eq!(answer.answers[0].ttl, 60);
    assert_eq!(answer.answers[0].name.to_ascii(), "www.example.com.");
}

#[tokio::test]
async fn a_cname_is_followed_inside_the_zone_and_a_wildcard_covers_what_is_not_there() {
    let aws = world().await;
    let zone = aws.create_zone("example.com");
    aws.put_record(&zone, Record::simple("shop.example.com", "CNAME", 60, &["a.example.com"])).unwrap();
    aws.put_record(&zone, Record::simple("a.example.com", "A", 60, &["192.0.2.1"])).unwrap();
    aws.put_record(&zone, Record::simple("*.w.example.com", "A", 60, &["192.0.2.7"])).unwrap();
    let server = aws.name_servers()[0];
    assert_eq!(addresses(server, "shop.example.com").await, ["a.example.com.", "192.0.2.1"]);
    assert_eq!(addresses(server, "x.w.example.com").await, ["192.0.2.7"]);
}
