//! Kind `http` against services on their bad days.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use dr_core::Side;
use dr_core::resource::{Answer, Ask, Health, Seat, SeatKind, Written};
use dr_net::HttpBackend;
use serde_json::{Value, json};
use support::nameserver::Nameserver;
use support::service::{Does, Service};
use support::{SECOND, connected, cx};
use tokio::time::Instant;

const WITHIN: Duration = Duration::from_millis(300);

async fn seat(config: Value, kind: SeatKind) -> Box<dyn Seat> {
    connected(&HttpBackend, config).await.prober().unwrap().seat(kind)
}

fn simple(service: &Service) -> Value {
    json!({ "url": service.url("/health"), "served_by": { "header": "x-region" } })
}

async fn ask(seat: &mut Box<dyn Seat>) -> Answer {
    let begun = Instant::now();
    let answer = seat.ask(Ask::default(), WITHIN).await;
    assert!(begun.elapsed() < WITHIN + Duration::from_millis(100), "took {:?}", begun.elapsed());
    answer
}

fn why(answer: &Answer) -> String {
    match &answer.health {
        Health::Good => "good".to_owned(),
        Health::Bad { why } | Health::None { why } => why.clone(),
    }
}

fn is_none(answer: &Answer) -> bool {
    matches!(answer.health, Health::None { .. })
}

#[tokio::test]
async fn a_good_answer_says_who_gave_it_and_is_quick() {
    let service = Service::start(Does::good("us-east-1")).await;
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        let mut seat = seat(simple(&service), kind).await;
        let mut took = Vec::new();
        for _ in 0..50 {
            let answer = ask(&mut seat).await;
            assert!(answer.is_good() && !answer.wrote, "{answer}");
            assert_eq!(answer.served_by, Some(Side::new("us-east-1")));
            took.push(answer.took);
        }
        took.sort();
        println!("{kind:?}: median {:?}, worst {:?}", took[25], took[49]);
        assert!(took[25] < Duration::from_millis(5), "{took:?}");
    }
    assert_eq!(service.connections(), 51, "fifty of the caching seat, one of the kept");
    assert!(service.requests()[0].to_lowercase().contains(&format!("host: {}\r\n", service.address)));
}

#[tokio::test]
async fn without_a_marker_nobody_is_named() {
    let service = Service::start(Does::good("us-east-1")).await;
    let mut seat = seat(json!({ "url": service.url("/") }), SeatKind::Caching).await;
    assert_eq!(ask(&mut seat).await.served_by, None);
}

#[tokio::test]
async fn a_marker_may_stand_in_the_body_and_may_be_translated() {
    let service = Service::start(Does::good("us-1")).await;
    for (marker, side) in [
        (json!({ "json": "/region" }), Some("us-1")),
        (json!({ "json": "/nowhere" }), None),
        (json!({ "header": "x-region", "values": { "us-1": "us-east-1" } }), Some("us-east-1")),
        (json!({ "header": "x-region", "values": { "eu-1": "eu-central-1" } }), None),
    ] {
        let config = json!({ "url": service.url("/"), "served_by": marker });
        let answer = ask(&mut seat(config, SeatKind::Caching).await).await;
        assert_eq!(answer.served_by, side.map(Side::new), "{marker}");
    }
}

#[tokio::test]
async fn an_unexpected_status_is_a_bad_answer_and_a_redirect_is_not_followed() {
    let elsewhere = Service::start(Does::good("eu-central-1")).await;
    let moved = Does::Answer(302, format!("location: {}\r\n", elsewhere.url("/")), String::new());
    let service = Service::start(Does::good("us-east-1")).await;
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        let mut seat = seat(simple(&service), kind).await;
        for (does, says) in [
            (Does::status(500), "HTTP 500"),
            (Does::status(404), "HTTP 404"),
            (moved.clone(), "not followed"),
        ] {
            service.does(does);
            let answer = ask(&mut seat).await;
            assert!(matches!(answer.health, Health::Bad { .. }), "{answer}");
            assert!(why(&answer).contains(says), "{answer}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn only_the_expected_statuses_are_good() {
    let service = Service::start(Does::status(204)).await;
    let mut config = simple(&service);
    assert!(ask(&mut seat(config.clone(), SeatKind::Caching).await).await.is_good());
    config["expect"] = json!({ "status": [200] });
    assert!(!ask(&mut seat(config.clone(), SeatKind::Caching).await).await.is_good());
    config["expect"] = json!({ "status": [200, 204] });
    assert!(ask(&mut seat(config, SeatKind::Caching).await).await.is_good());
}

#[tokio::test]
async fn what_is_not_a_whole_answer_in_time_is_none() {
    let service = Service::start(Does::BlackHole).await;
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        let mut seat = seat(simple(&service), kind).await;
        for does in [
            Does::BlackHole,
            Does::good("us-east-1").late(2 * WITHIN),
            Does::Endless,
            Does::Breaks(""),
            Does::Breaks("HTTP/1.1 200 OK\r\ncontent-length: 100\r\nx-region: us-east-1\r\n\r\nhalf of it"),
            Does::Breaks("HTTP/1.1 200"),
            Does::Breaks("SSH-2.0-OpenSSH_9.2\r\n"),
            Does::Breaks("\u{0}\u{1}\u{2}\r\n\r\n"),
            Does::Breaks("HTTP/1.1 999999 X\r\n\r\n"),
        ] {
            service.does(does.clone());
            let answer = ask(&mut seat).await;
            assert!(is_none(&answer), "{does:?}: {answer}");
            assert_eq!(answer.served_by, None, "{does:?}");
            service.does(Does::good("us-east-1"));
            assert!(ask(&mut seat).await.is_good(), "after {does:?} it connects anew");
        }
    }
}

#[tokio::test]
async fn a_timeout_says_what_it_was_waiting_for() {
    let service = Service::start(Does::BlackHole).await;
    let answer = ask(&mut seat(simple(&service), SeatKind::Caching).await).await;
    assert!(why(&answer).contains("waiting for it"), "{answer}");
    let hole = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let config = json!({ "url": "http://shop.example.test/",
                         "resolver": { "servers": [hole.local_addr().unwrap().to_string()] } });
    let answer = ask(&mut seat(config, SeatKind::Caching).await).await;
    assert!(why(&answer).contains("looking up shop.example.test"), "{answer}");
}

#[tokio::test]
async fn a_refused_connection_is_no_answer_at_once() {
    let mut service = Service::start(Does::good("us-east-1")).await;
    let mut seat = seat(simple(&service), SeatKind::Kept).await;
    assert!(ask(&mut seat).await.is_good());
    service.dies().await;
    let answer = ask(&mut seat).await;
    assert!(is_none(&answer), "{answer}");
    assert!(answer.took < WITHIN / 2);
}

#[tokio::test]
async fn a_slow_link_is_waited_for_as_long_as_the_question_allows() {
    let service = Service::start(Does::good("us-east-1").late(5 * SECOND)).await;
    let mut config = simple(&service);
    config["timeout"] = json!("8s");
    let mut seat = seat(config, SeatKind::Caching).await;
    assert!(is_none(&ask(&mut seat).await));
    assert!(seat.ask(Ask::default(), 8 * SECOND).await.is_good());
}

#[tokio::test]
async fn the_configured_timeout_bounds_a_patient_question() {
    let service = Service::start(Does::BlackHole).await;
    let mut config = simple(&service);
    config["timeout"] = json!("100ms");
    let answer = seat(config, SeatKind::Caching).await.ask(Ask::default(), 10 * SECOND).await;
    assert!(is_none(&answer) && answer.took < SECOND, "{answer}");
}

/// A name that leads to a region, two regions on one port, and a question through that name.
struct World {
    names: Nameserver,
    us: Service,
    eu: Service,
}

impl World {
    async fn new(ttl: u32) -> Self {
        let names = Nameserver::start().await;
        let (us, eu) = Service::pair(Does::good("us-east-1"), Does::good("eu-central-1")).await;
        names.says("shop.example.test", us.address.ip(), ttl);
        Self { names, us, eu }
    }

    fn config(&self) -> Value {
        json!({
            "url": format!("http://shop.example.test:{}/health", self.us.address.port()),
            "served_by": { "header": "x-region" },
            "resolver": { "servers": [self.names.address.to_string()] },
        })
    }

    fn moves(&self, to: IpAddr, ttl: u32) {
        self.names.says("shop.example.test", to, ttl);
    }
}

#[tokio::test]
async fn a_caching_seat_follows_a_move_when_the_ttl_is_over_and_not_before() {
    let world = World::new(1).await;
    let mut seat = seat(world.config(), SeatKind::Caching).await;
    let looked_up = Instant::now();
    assert_eq!(ask(&mut seat).await.served_by, Some(Side::new("us-east-1")));
    world.moves(world.eu.address.ip(), 1);
    let followed = loop {
        let asked = Instant::now();
        let answer = ask(&mut seat).await;
        if answer.served_by == Some(Side::new("eu-central-1")) {
            break asked - looked_up;
        }
        assert!(answer.is_good());
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    println!("followed after {followed:?}");
    assert!(followed >= Duration::from_millis(990) && followed < 2 * SECOND, "{followed:?}");
    assert_eq!(world.names.asked(), 2, "one question a TTL");
}

#[tokio::test]
async fn a_ttl_of_zero_is_not_remembered() {
    let world = World::new(0).await;
    let mut seat = seat(world.config(), SeatKind::Caching).await;
    ask(&mut seat).await;
    world.moves(world.eu.address.ip(), 0);
    assert_eq!(ask(&mut seat).await.served_by, Some(Side::new("eu-central-1")));
}

#[tokio::test]
async fn each_seat_has_a_memory_of_its_own() {
    let world = World::new(60).await;
    let prober = connected(&HttpBackend, world.config()).await.prober().unwrap();
    ask(&mut prober.seat(SeatKind::Caching)).await;
    world.moves(world.eu.address.ip(), 60);
    assert_eq!(ask(&mut prober.seat(SeatKind::Caching)).await.served_by, Some(Side::new("eu-central-1")));
}

#[tokio::test]
async fn a_name_that_is_gone_is_remembered_as_gone_for_its_negative_ttl() {
    let world = World::new(1).await;
    world.names.forgets("shop.example.test");
    let mut seat = seat(world.config(), SeatKind::Caching).await;
    let begun = Instant::now();
    let answer = ask(&mut seat).await;
    assert!(why(&answer).contains("does not exist"), "{answer}");
    world.moves(world.us.address.ip(), 1);
    while !ask(&mut seat).await.is_good() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let gone = begun.elapsed();
    assert!(gone >= Duration::from_millis(990) && gone < 2 * SECOND, "{gone:?}");
}

#[tokio::test]
async fn a_kept_seat_stays_where_it_is_until_its_server_dies() {
    let mut world = World::new(0).await;
    let mut seat = seat(world.config(), SeatKind::Kept).await;
    ask(&mut seat).await;
    world.moves(world.eu.address.ip(), 0);
    for _ in 0..20 {
        assert_eq!(ask(&mut seat).await.served_by, Some(Side::new("us-east-1")));
    }
    assert_eq!((world.us.connections(), world.names.asked()), (1, 1));
    world.us.dies().await;
    // Its own end may learn of it with the question or just before: then it goes on elsewhere, as any client does.
    let answer = ask(&mut seat).await;
    assert!(is_none(&answer) || answer.served_by == Some(Side::new("eu-central-1")), "{answer}");
    assert_eq!(ask(&mut seat).await.served_by, Some(Side::new("eu-central-1")));
}

#[tokio::test]
async fn a_kept_seat_leaves_a_server_that_answers_badly_or_not_at_all() {
    for does in [Does::status(503), Does::BlackHole] {
        let world = World::new(0).await;
        let mut seat = seat(world.config(), SeatKind::Kept).await;
        ask(&mut seat).await;
        world.moves(world.eu.address.ip(), 0);
        world.us.does(does);
        assert!(!ask(&mut seat).await.is_good());
        assert_eq!(ask(&mut seat).await.served_by, Some(Side::new("eu-central-1")));
    }
}

#[tokio::test]
async fn a_kept_seat_that_has_to_reconnect_honours_the_ttl() {
    let mut world = World::new(60).await;
    let mut seat = seat(world.config(), SeatKind::Kept).await;
    ask(&mut seat).await;
    world.moves(world.eu.address.ip(), 60);
    world.us.dies().await;
    for _ in 0..3 {
        assert!(is_none(&ask(&mut seat).await), "it still remembers the old address");
    }
    assert_eq!(world.names.asked(), 1);
}

#[tokio::test]
async fn a_connection_closed_at_rest_is_opened_again_without_an_outage() {
    let service = Service::start(Does::good("us-east-1").once()).await;
    let mut seat = seat(simple(&service), SeatKind::Kept).await;
    for _ in 0..5 {
        assert!(ask(&mut seat).await.is_good());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(service.connections(), 5);
}

#[tokio::test]
async fn a_write_is_acknowledged_by_a_2xx_of_the_write_path_only() {
    let service = Service::start(Does::good("us-east-1")).await;
    let mut config = simple(&service);
    let write = Ask { write: true };
    let answer = seat(config.clone(), SeatKind::Caching).await.ask(write, WITHIN).await;
    assert_eq!(why(&answer), "no write path configured");
    assert!(!answer.wrote);
    config["write"] = json!({ "url": service.url("/touch") });
    config["expect"] = json!({ "status": [200, 503] });
    let mut seat = seat(config, SeatKind::Kept).await;
    let answer = seat.ask(write, WITHIN).await;
    assert!(answer.is_good() && answer.wrote, "{answer}");
    assert!(service.requests()[0].starts_with("POST /touch HTTP/1.1\r\n"));
    service.does(Does::status(503));
    let answer = seat.ask(write, WITHIN).await;
    assert!(!answer.is_good() && !answer.wrote, "{answer}");
    service.does(Does::BlackHole);
    assert!(!seat.ask(write, WITHIN).await.wrote);
}

#[tokio::test]
async fn the_ledger_believes_only_what_the_service_says_itself() {
    let service = Service::start(Does::status(201)).await;
    let mut config = simple(&service);
    config["ledger"] = json!({ "url": service.url("/ledger/{book}/{row}") });
    let ledger = connected(&HttpBackend, config).await.ledger().unwrap();
    let cx = cx(WITHIN);
    ledger.open(&cx, "a book/1").await.unwrap();
    let not_written = "x-not-written: 1\r\n".to_owned();
    for (does, written) in [
        (Does::status(201), Written::Acked),
        (Does::Answer(409, not_written.clone(), String::new()), Written::Refused),
        (Does::Answer(503, not_written.clone(), String::new()), Written::Refused),
        (Does::Answer(500, not_written.clone(), String::new()), Written::Unknown),
        (Does::status(409), Written::Unknown),
        (Does::status(503), Written::Unknown),
        (Does::status(302), Written::Unknown),
        (Does::Breaks("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), Written::Unknown),
        (Does::BlackHole, Written::Unknown),
    ] {
        service.does(does.clone());
        let cx = support::cx(WITHIN);
        assert_eq!(ledger.write(&cx, "a book/1", 7).await, written, "{does:?}");
    }
    assert!(service.requests()[0].starts_with("POST /ledger/a%20book%2F1/7 HTTP/1.1\r\n"));
    assert_eq!(ledger.write_to(&cx, &Side::new("us-east-1"), "b", 1).await, Written::Unknown);
    assert!(ledger.survivors(&cx, &Side::new("us-east-1"), "b", 1, 2).await.is_err());
    assert!(connected(&HttpBackend, simple(&service)).await.ledger().is_none());
}
