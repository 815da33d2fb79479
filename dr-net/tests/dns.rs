//! Kind `dns` against BIND.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use dr_core::resource::{Before, Effect, Prepared, Propagation, Route, Routed, Routing, Standing};
use dr_core::{Backend, ErrorKind, Happened, Resource, Retry, Side};
use dr_net::DnsBackend;
use hickory_proto::op::ResponseCode;
use serde_json::{Value, json};
use support::named::{Named, OTHER_SECRET, SECRET};
use support::nameserver::Nameserver;
use support::relay::Relay;
use support::{SECOND, connected, cx, free_address};

const US: &str = "127.0.1.10";
const EU: &str = "127.0.2.10";
const SHOP: &str = "shop 1 IN A 127.0.1.10";

fn config(servers: &[std::net::SocketAddr], update: std::net::SocketAddr) -> Value {
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    json!({
        "zone": "example.test", "record": "shop.example.test", "type": "A", "ttl": "1s",
        "values": { "us-east-1": US, "eu-central-1": [EU] },
        "servers": servers,
        "update": { "server": update.to_string(),
                    "key": { "name": "dr-key", "algorithm": "hmac-sha256", "secret": format!("${{test:{SECRET}}}") } },
    })
}

async fn entry(named: &Named) -> Resource {
    connected(&DnsBackend, config(&[named.address], named.address)).await
}

fn to(side: &str) -> Route {
    Route::to(side)
}

struct Routes(std::sync::Arc<dyn Effect<Route>>);

impl Routes {
    fn of(resource: &Resource) -> Self {
        Self(resource.effect::<Route>().expect("it routes"))
    }

    async fn prepare(&self, side: &str) -> dr_core::Result<Prepared> {
        self.0.prepare(&cx(5 * SECOND), &to(side)).await
    }

    async fn apply(&self, side: &str, was: &Prepared) -> dr_core::Result<Routed> {
        self.0.apply(&cx(5 * SECOND), &to(side), was).await
    }

    async fn undo(&self, side: &str, was: &Before) -> dr_core::Result<()> {
        self.0.undo(&cx(5 * SECOND), &to(side), was).await
    }

    async fn go(&self, side: &str) -> (Prepared, Routed) {
        let was = self.prepare(side).await.unwrap();
        let routed = self.apply(side, &was).await.unwrap();
        (was, routed)
    }
}

#[tokio::test]
async fn a_route_moves_the_record_and_says_until_when_the_old_answer_lives() {
    let named = Named::primary(SHOP).await;
    let routes = Routes::of(&entry(&named).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    let Standing::Would { diff } = &was.standing else { panic!("{was:?}") };
    assert!(diff.to_string().contains("127.0.1.10 (TTL 1 s) → 127.0.2.10 (TTL 1 s)"), "{diff}");
    let begun = std::time::Instant::now();
    let routed = routes.apply("eu-central-1", &was).await.unwrap();
    println!("route took {:?}", begun.elapsed());
    assert_eq!(routed.side.as_str(), "eu-central-1");
    assert_eq!(routed.propagation, Propagation::Answers);
    assert_eq!(routed.old_ttl, SECOND);
    let dug = named.dig("shop.example.test", "A");
    assert!(dug.contains(EU) && !dug.contains(US), "{dug}");
}

#[tokio::test]
async fn what_is_so_already_is_left_alone() {
    let named = Named::primary(SHOP).await;
    let routes = Routes::of(&entry(&named).await);
    let serial = named.dig("example.test", "SOA");
    let (was, routed) = routes.go("us-east-1").await;
    assert!(was.is_already());
    assert_eq!(routed.side.as_str(), "us-east-1");
    assert_eq!(named.dig("example.test", "SOA"), serial);
}

#[tokio::test]
async fn a_repeat_ends_in_the_same_world() {
    let named = Named::primary(SHOP).await;
    let routes = Routes::of(&entry(&named).await);
    let (was, first) = routes.go("eu-central-1").await;
    let serial = named.dig("example.test", "SOA");
    let second = routes.apply("eu-central-1", &was).await.unwrap();
    assert_eq!((second.side, second.old_ttl), (first.side, first.old_ttl));
    assert_eq!(named.dig("example.test", "SOA"), serial);
    assert!(routes.prepare("eu-central-1").await.unwrap().is_already());
}

#[tokio::test]
async fn undo_puts_back_values_and_ttl_as_they_were_found() {
    let named = Named::primary("shop 77 IN A 127.0.1.10\nshop 77 IN A 127.0.1.11").await;
    let routes = Routes::of(&entry(&named).await);
    let (was, routed) = routes.go("eu-central-1").await;
    assert_eq!(routed.old_ttl, Duration::from_secs(77));
    for _ in 0..2 {
        routes.undo("eu-central-1", &was.before).await.unwrap();
    }
    let dug = named.dig("shop.example.test", "A");
    assert!(dug.contains("127.0.1.10") && dug.contains("127.0.1.11") && dug.contains("77"), "{dug}");
    assert!(!dug.contains(EU), "{dug}");
}

#[tokio::test]
async fn a_change_by_someone_else_is_a_conflict_and_stays() {
    let named = Named::primary(SHOP).await;
    let routes = Routes::of(&entry(&named).await);
    let (was, _) = routes.go("eu-central-1").await;
    named.nsupdate("update delete shop.example.test A\nupdate add shop.example.test 1 A 127.0.9.9");
    for error in [
        routes.undo("eu-central-1", &was.before).await.unwrap_err(),
        routes.apply("eu-central-1", &was).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
        assert_eq!(error.retry(), Retry::Permanent);
    }
    assert!(named.dig("shop.example.test", "A").contains("127.0.9.9"));
}

#[tokio::test]
async fn of_two_who_saw_the_same_record_one_wins() {
    let named = Named::primary(SHOP).await;
    let mut config = config(&[named.address], named.address);
    config["values"]["ap-south-1"] = json!("127.0.3.10");
    let routes = Routes::of(&connected(&DnsBackend, config).await);
    for _ in 0..20 {
        let was = routes.prepare("eu-central-1").await.unwrap();
        let (eu, ap) = tokio::join!(routes.apply("eu-central-1", &was), routes.apply("ap-south-1", &was));
        let (winner, value, loser) = match (&eu, &ap) {
            (Ok(_), Err(error)) => ("eu-central-1", EU, error),
            (Err(error), Ok(_)) => ("ap-south-1", "127.0.3.10", error),
            (_, _) => panic!("one must win: {eu:?} {ap:?}"),
        };
        assert_eq!(loser.kind(), ErrorKind::Conflict, "{loser:?}");
        assert!(named.dig("shop.example.test", "A").contains(value));
        routes.undo(winner, &was.before).await.unwrap();
    }
}

#[tokio::test]
async fn a_record_that_was_absent_is_made_and_taken_away_again() {
    let named = Named::primary("").await;
    let routes = Routes::of(&entry(&named).await);
    let (was, routed) = routes.go("eu-central-1").await;
    assert_eq!(routed.old_ttl, Duration::from_secs(7), "the zone's negative TTL");
    assert!(named.dig("shop.example.test", "A").contains(EU));
    routes.undo("eu-central-1", &was.before).await.unwrap();
    assert_eq!(named.dig("shop.example.test", "A"), "");
}

#[tokio::test]
async fn an_alias_where_addresses_are_expected_is_a_conflict() {
    let named = Named::primary("shop IN CNAME www").await;
    let routes = Routes::of(&entry(&named).await);
    let error = routes.prepare("eu-central-1").await.unwrap_err();
    assert!(error.to_string().contains("alias of www.example.test"), "{error}");
}

#[tokio::test]
async fn an_alias_is_routed_as_one() {
    let named = Named::primary("shop 1 IN CNAME us.shop").await;
    let mut config = config(&[named.address], named.address);
    config["type"] = json!("CNAME");
    config["values"] =
        json!({ "us-east-1": "us.shop.example.test", "eu-central-1": "EU.shop.example.test." });
    let routes = Routes::of(&connected(&DnsBackend, config).await);
    let (was, _) = routes.go("eu-central-1").await;
    assert!(named.dig("shop.example.test", "CNAME").contains("eu.shop.example.test."));
    routes.undo("eu-central-1", &was.before).await.unwrap();
    assert!(named.dig("shop.example.test", "CNAME").contains("us.shop.example.test."));
}

#[tokio::test]
async fn a_key_that_may_not_update_is_unauthorized_and_nothing_happened() {
    let named = Named::primary(SHOP).await;
    for (name, secret, happened) in [
        ("reader", OTHER_SECRET, Happened::No),
        // Their refusals cannot be signed with a key that both know: no proof.
        ("dr-key", OTHER_SECRET, Happened::Maybe),
        ("nobody", SECRET, Happened::Maybe),
    ] {
        let mut config = config(&[named.address], named.address);
        config["update"]["key"]["name"] = json!(name);
        config["update"]["key"]["secret"] = json!(format!("${{test:{secret}}}"));
        let routes = Routes::of(&connected(&DnsBackend, config).await);
        let was = routes.prepare("eu-central-1").await.unwrap();
        let error = routes.apply("eu-central-1", &was).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{name}: {error:?}");
        assert_eq!(error.happened(), happened, "{name}: {error:?}");
        assert!(!format!("{error:?}").contains(secret));
    }
    assert!(named.dig("shop.example.test", "A").contains(US));
}

#[tokio::test]
async fn without_a_key_the_server_refuses() {
    let named = Named::primary(SHOP).await;
    let mut config = config(&[named.address], named.address);
    config["update"].as_object_mut().unwrap().remove("key");
    let routes = Routes::of(&connected(&DnsBackend, config).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    let error = routes.apply("eu-central-1", &was).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_unknown_and_hides_no_other() {
    let named = Named::primary(SHOP).await;
    let hole = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nobody = free_address();
    let mut config = config(&[hole.local_addr().unwrap(), named.address, nobody], named.address);
    config["timeout"] = json!("300ms");
    let resource = connected(&DnsBackend, config).await;
    let begun = tokio::time::Instant::now();
    let routing = resource.observer::<Routing>().unwrap().observe(&cx(5 * SECOND)).await.unwrap();
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
    let values: Vec<_> = routing.answers.iter().map(|answer| answer.values.clone()).collect();
    assert_eq!(values, [None, Some(vec![US.to_owned()]), None]);
    assert_eq!(routing.side().map(Side::as_str), Some("us-east-1"));
    assert_eq!(routing.ttl, Some(SECOND));
    let (_, routed) = Routes::of(&resource).go("eu-central-1").await;
    assert_eq!(routed.side.as_str(), "eu-central-1");
}

#[tokio::test]
async fn when_nobody_answers_nothing_is_known_and_the_deadline_holds() {
    let hole = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let hole = hole.local_addr().unwrap();
    let nobody = free_address();
    for (server, most) in [(hole, 400), (nobody, 100)] {
        let resource = connected(&DnsBackend, config(&[server], server)).await;
        let begun = tokio::time::Instant::now();
        let within = Duration::from_millis(300);
        let seen = resource.observer::<Routing>().unwrap().observe(&cx(within)).await;
        let prepared = Routes::of(&resource).0.prepare(&cx(within), &to("eu-central-1")).await;
        assert!(begun.elapsed() < Duration::from_millis(2 * most), "{:?}", begun.elapsed());
        for error in [seen.unwrap_err(), prepared.unwrap_err()] {
            assert!(matches!(error.retry(), Retry::Transient { .. }), "{error:?}");
            assert_eq!(error.happened(), Happened::No, "{error:?}");
        }
    }
}

#[tokio::test]
async fn the_primarys_silence_is_an_error_before_anything_is_changed() {
    let mut primary = Named::primary(SHOP).await;
    let other = Named::primary(SHOP).await;
    let resource = connected(&DnsBackend, config(&[primary.address, other.address], primary.address)).await;
    let was = Routes::of(&resource).prepare("eu-central-1").await.unwrap();
    primary.stop();
    for error in [
        Routes::of(&resource).prepare("eu-central-1").await.unwrap_err(),
        Routes::of(&resource).apply("eu-central-1", &was).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.happened()), (ErrorKind::Unreachable, Happened::No), "{error:?}");
    }
}

#[tokio::test]
async fn a_route_waits_for_the_secondary_and_names_one_that_does_not_follow() {
    let at = free_address();
    let primary = Named::primary_notifying(SHOP, Some(at)).await;
    let secondary = Named::secondary(at, primary.address).await;
    let resource = connected(&DnsBackend, config(&[at, primary.address], primary.address)).await;
    let routes = Routes::of(&resource);
    let was = routes.prepare("eu-central-1").await.unwrap();
    let within = cx(20 * SECOND);
    routes.0.apply(&within, &to("eu-central-1"), &was).await.unwrap();
    assert!(secondary.dig("shop.example.test", "A").contains(EU));

    // A server with a zone of its own never follows.
    let stubborn = Named::primary("shop 1 IN A 127.0.2.10").await;
    let mixed = connected(&DnsBackend, config(&[stubborn.address, primary.address], primary.address)).await;
    let was = Routes::of(&mixed).prepare("us-east-1").await.unwrap();
    let error = Routes::of(&mixed).0.apply(&cx(SECOND), &to("us-east-1"), &was).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady, "{error:?}");
    assert_eq!(error.happened(), Happened::Maybe);
    assert!(error.to_string().contains(&stubborn.address.to_string()), "{error}");
    let routing = mixed.observer::<Routing>().unwrap().observe(&cx(SECOND)).await.unwrap();
    assert_eq!(routing.side(), None, "two servers, two answers");
}

#[tokio::test]
async fn a_call_that_is_dropped_can_be_made_again() {
    let named = Named::primary(SHOP).await;
    let routes = Routes::of(&entry(&named).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    for micros in [0, 200, 500, 1_000, 2_000, 5_000] {
        let apply = routes.apply("eu-central-1", &was);
        let _ = tokio::time::timeout(Duration::from_micros(micros), apply).await;
    }
    let routed = routes.apply("eu-central-1", &was).await.unwrap();
    assert_eq!(routed.old_ttl, SECOND);
    assert!(named.dig("shop.example.test", "A").contains(EU));
}

#[tokio::test]
async fn an_answer_too_long_for_udp_is_fetched_over_tcp() {
    let many: String = (0..100).map(|n| format!("shop 1 IN A 127.0.3.{n}\n")).collect();
    let named = Named::primary(&many).await;
    let resource = entry(&named).await;
    let routing = resource.observer::<Routing>().unwrap().observe(&cx(SECOND)).await.unwrap();
    assert_eq!(routing.answers[0].values.as_ref().map(Vec::len), Some(100));
    assert_eq!(routing.side(), None, "nobody's values");
    let (was, _) = Routes::of(&resource).go("eu-central-1").await;
    Routes::of(&resource).undo("eu-central-1", &was.before).await.unwrap();
    assert_eq!(named.dig("shop.example.test", "A").lines().count(), 100);
}

#[tokio::test]
async fn a_caches_word_is_no_authority() {
    let cache = Nameserver::with_authority(false).await;
    cache.says("shop.example.test", EU.parse().unwrap(), 1);
    let resource = connected(&DnsBackend, config(&[cache.address], cache.address)).await;
    let error = Routes::of(&resource).prepare("eu-central-1").await.unwrap_err();
    assert!(error.to_string().contains("without authority"), "{error}");
}

#[tokio::test]
async fn an_unknown_code_is_never_taken_for_an_answer() {
    let server = Nameserver::start().await;
    server.says("shop.example.test", EU.parse().unwrap(), 1);
    let resource = connected(&DnsBackend, config(&[server.address], server.address)).await;
    assert!(Routes::of(&resource).prepare("eu-central-1").await.unwrap().is_already());
    for code in [
        ResponseCode::ServFail,
        ResponseCode::Refused,
        ResponseCode::NotImp,
        ResponseCode::FormErr,
        ResponseCode::Unknown(11),
    ] {
        server.answers(code);
        assert!(Routes::of(&resource).prepare("eu-central-1").await.is_err(), "{code}");
    }
}

#[tokio::test]
async fn five_seconds_of_latency_are_waited_for() {
    let server = Nameserver::start().await;
    server.says("shop.example.test", EU.parse().unwrap(), 1);
    server.delays(5 * SECOND);
    let resource = connected(&DnsBackend, config(&[server.address], server.address)).await;
    let prepared = Routes::of(&resource).0.prepare(&cx(15 * SECOND), &to("eu-central-1")).await.unwrap();
    assert!(prepared.is_already());
}

#[tokio::test]
async fn by_hand_means_the_same() {
    let named = Named::primary(SHOP).await;
    let configured = DnsBackend.configure(config(&[named.address], named.address)).unwrap();
    let commands = configured.by_hand("route", &json!({ "to": "eu-central-1" }));
    assert_eq!(commands.len(), 2);
    assert!(commands[0].contains(&format!("${{test:{SECRET}}}")), "{}", commands[0]);
    assert!(configured.by_hand("route", &json!({ "to": "target" })).is_empty());
    let typed = commands[0].replace(&format!("${{test:{SECRET}}}"), SECRET);
    assert!(std::process::Command::new("sh").args(["-c", &typed]).status().unwrap().success());
    let looked = std::process::Command::new("sh").args(["-c", &commands[1]]).output().unwrap();
    assert!(String::from_utf8_lossy(&looked.stdout).contains(EU));
}

#[tokio::test]
async fn a_name_probe_says_whose_values_callers_get() {
    let server = Nameserver::start().await;
    server.says("shop.example.test", EU.parse().unwrap(), 0);
    let mut config = config(&[server.address], server.address);
    config["resolver"] = json!({ "servers": [server.address.to_string()] });
    let prober = connected(&DnsBackend, config).await.prober().unwrap();
    let mut seat = prober.seat(dr_core::resource::SeatKind::Caching);
    let answer = seat.ask(Default::default(), SECOND).await;
    assert!(answer.is_good());
    assert_eq!(answer.served_by, Some(Side::new("eu-central-1")));
    server.forgets("shop.example.test");
    assert!(!seat.ask(Default::default(), SECOND).await.is_good());
}

#[tokio::test]
async fn an_update_whose_answers_are_lost_is_found_done() {
    let named = Named::primary(SHOP).await;
    let relay = Relay::to(named.address).await;
    let routes = Routes::of(&connected(&DnsBackend, config(&[relay.address], relay.address)).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    relay.lose_answers_to_updates(2);
    routes.apply("eu-central-1", &was).await.unwrap();
    assert_eq!(relay.updates(), 3, "over UDP, as nobody takes TCP there");
    assert!(named.dig("shop.example.test", "A").contains(EU));
    routes.undo("eu-central-1", &was.before).await.unwrap();
    assert!(named.dig("shop.example.test", "A").contains(US));
}

#[tokio::test]
async fn a_primary_that_takes_the_update_and_never_answers_leaves_a_doubt_within_the_deadline() {
    let named = Named::primary(SHOP).await;
    let relay = Relay::to(named.address).await.and_hang_on_tcp().await;
    let routes = Routes::of(&connected(&DnsBackend, config(&[relay.address], relay.address)).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    let begun = tokio::time::Instant::now();
    let error = routes.0.apply(&cx(SECOND), &to("eu-central-1"), &was).await.unwrap_err();
    assert!(begun.elapsed() < 2 * SECOND);
    assert_eq!((error.kind(), error.happened()), (ErrorKind::Timeout, Happened::Maybe), "{error:?}");
    assert!(named.dig("shop.example.test", "A").contains(US));
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_update_is_not_waited_for() {
    let named = Named::primary(SHOP).await;
    let stubborn = Named::primary(SHOP).await;
    let relay = Relay::to(stubborn.address).await;
    let mut config = config(&[relay.address, named.address], named.address);
    config["timeout"] = json!("200ms");
    let routes = Routes::of(&connected(&DnsBackend, config).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    let route = to("eu-central-1");
    let within = cx(10 * SECOND);
    let (routed, ()) = tokio::join!(routes.0.apply(&within, &route, &was), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        relay.black_hole();
    });
    assert_eq!(routed.unwrap().side.as_str(), "eu-central-1");
}

#[tokio::test]
async fn no_unsigned_answer_to_an_update_proves_anything() {
    let server = Nameserver::start().await;
    server.says("shop.example.test", US.parse().unwrap(), 1);
    let routes = Routes::of(&connected(&DnsBackend, config(&[server.address], server.address)).await);
    let was = routes.prepare("eu-central-1").await.unwrap();
    for (code, kind) in [
        (ResponseCode::NoError, ErrorKind::Unknown),
        (ResponseCode::Unknown(11), ErrorKind::Unknown),
        (ResponseCode::ServFail, ErrorKind::NotReady),
        (ResponseCode::NXRRSet, ErrorKind::NotReady),
        (ResponseCode::Refused, ErrorKind::Unauthorized),
        (ResponseCode::NotImp, ErrorKind::Unsupported),
    ] {
        server.answers_updates(code);
        let error = routes.apply("eu-central-1", &was).await.unwrap_err();
        assert_eq!((error.kind(), error.happened()), (kind, Happened::Maybe), "{code}: {error:?}");
    }
}
