//! Kind `tcp` against ports that open and close.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use dr_core::resource::{Ask, Health, Seat, SeatKind};
use dr_net::TcpBackend;
use serde_json::json;
use support::nameserver::Nameserver;
use support::service::{Does, Service};
use support::{SECOND, connected, eventually, free_address};

async fn seat(config: serde_json::Value, kind: SeatKind) -> Box<dyn Seat> {
    connected(&TcpBackend, config).await.prober().unwrap().seat(kind)
}

#[tokio::test]
async fn an_open_port_is_good_and_a_closed_one_is_no_answer() {
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        let mut service = Service::start(Does::BlackHole).await;
        let mut seat = seat(json!({ "address": service.address.to_string() }), kind).await;
        for _ in 0..3 {
            let answer = seat.ask(Ask::default(), SECOND).await;
            assert!(answer.is_good() && answer.served_by.is_none(), "{answer}");
        }
        service.dies().await;
        let answer = seat.ask(Ask::default(), SECOND).await;
        assert!(matches!(answer.health, Health::None { .. }), "{answer}");
        let _again = Service::at(service.address, Does::BlackHole).await;
        assert!(seat.ask(Ask::default(), SECOND).await.is_good());
    }
}

#[tokio::test]
async fn a_port_shows_no_write() {
    let service = Service::start(Does::BlackHole).await;
    let mut seat = seat(json!({ "address": service.address.to_string() }), SeatKind::Caching).await;
    let answer = seat.ask(Ask { write: true }, SECOND).await;
    assert!(!answer.is_good() && !answer.wrote);
}

#[tokio::test]
async fn a_kept_seat_stays_with_its_address_until_it_breaks() {
    let names = Nameserver::start().await;
    let (mut us, eu) = Service::pair(Does::BlackHole, Does::BlackHole).await;
    names.says("shop.example.test", us.address.ip(), 0);
    let config = json!({
        "address": format!("shop.example.test:{}", us.address.port()),
        "resolver": { "servers": [names.address.to_string()] },
    });
    let mut seat = seat(config, SeatKind::Kept).await;
    assert!(seat.ask(Ask::default(), SECOND).await.is_good());
    names.says("shop.example.test", eu.address.ip(), 0);
    assert!(seat.ask(Ask::default(), SECOND).await.is_good());
    assert_eq!(eu.connections(), 0);
    us.dies().await;
    seat.ask(Ask::default(), SECOND).await;
    assert!(seat.ask(Ask::default(), SECOND).await.is_good());
    eventually("the other region is asked", || async { eu.connections() > 0 }).await;
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_is_no_answer_in_time() {
    let hole = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let servers = [hole.local_addr().unwrap().to_string(), free_address().to_string()];
    let config = json!({ "address": "shop.example.test:80", "resolver": { "servers": servers } });
    let answer = seat(config, SeatKind::Caching).await.ask(Ask::default(), Duration::from_millis(200)).await;
    assert!(matches!(answer.health, Health::None { .. }), "{answer}");
    assert!(answer.took < Duration::from_millis(300));
}
