//! Every mistake in a configuration, with its place.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use dr_core::Backend;
use dr_net::{DnsBackend, HttpBackend, TcpBackend};
use serde_json::{Value, json};

fn pointers(backend: &dyn Backend, config: Value) -> Vec<String> {
    match backend.configure(config) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong.into_iter().map(|error| error.pointer).collect(),
    }
}

fn dns() -> Value {
    json!({
        "zone": "example.test", "record": "shop.example.test", "type": "A", "ttl": "30s",
        "values": { "us-east-1": "203.0.113.10", "eu-central-1": ["198.51.100.10", "198.51.100.11"] },
        "servers": ["192.0.2.53", "[2001:db8::53]:5353"],
        "update": { "server": "192.0.2.53", "key": { "name": "dr-key", "secret": "${env:DR_TSIG}" } },
    })
}

fn changed(mut config: Value, pointer: &str, value: Value) -> Value {
    if let Some(place) = config.pointer_mut(pointer) {
        *place = value;
        return config;
    }
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    config.pointer_mut(parent).expect("a parent")[key] = value;
    config
}

#[test]
fn what_is_right_is_taken() {
    assert!(pointers(&DnsBackend, dns()).is_empty());
    assert!(pointers(&TcpBackend, json!({ "address": "shop.example.test:443" })).is_empty());
    assert!(pointers(&HttpBackend, json!({ "url": "https://shop.example.test/health" })).is_empty());
    let full = json!({
        "url": "http://shop.example.test:8080/health?deep=1", "method": "HEAD", "headers": { "x-probe": "dr" },
        "expect": { "status": [200, 204] }, "timeout": "250ms",
        "served_by": { "header": "x-region", "values": { "us-1": "us-east-1" } },
        "write": { "url": "http://shop.example.test/touch" },
        "ledger": { "method": "PUT", "url": "http://shop.example.test/ledger/{book}/{row}" },
        "resolver": { "servers": ["127.0.0.53:53"] }, "tls": { "ca": "/etc/ssl/own.pem" },
        "sides": { "us-east-1": "us-east-1" },
    });
    assert!(pointers(&HttpBackend, full).is_empty());
}

#[test]
fn each_mistake_in_a_dns_entry_has_its_place() {
    for (pointer, value) in [
        ("/zone", json!("")),
        ("/record", json!("shop.example.com")),
        ("/type", json!("MX")),
        ("/ttl", json!("1500ms")),
        ("/ttl", json!("soon")),
        ("/values", json!({})),
        ("/values/us-east-1", json!("shop")),
        ("/values/us-east-1", json!([])),
        ("/values/eu-central-1", json!("203.0.113.10")),
        ("/servers", json!([])),
        ("/servers/1", json!("http://ns1")),
        ("/servers/1", json!("192.0.2.53")),
        ("/timeout", json!("0s")),
        ("/update/server", json!("ns1:port")),
        ("/update/key/algorithm", json!("hmac-md5")),
        ("/update/key/secret", json!("bGl0ZXJhbA==")),
        ("/resolver", json!({ "servers": [] })),
        ("/sides", json!({ "ap-south-1": "ap-south-1" })),
        ("/colour", json!("red")),
    ] {
        let found = pointers(&DnsBackend, changed(dns(), pointer, value.clone()));
        assert_eq!(found.len(), 1, "{pointer} {value}: {found:?}");
        assert!(found[0].starts_with(pointer) || pointer == "/values/eu-central-1", "{pointer}: {found:?}");
    }
}

#[test]
fn a_secret_that_stands_in_the_plan_is_not_repeated() {
    let config = changed(dns(), "/update/key/secret", json!("bGl0ZXJhbA=="));
    let wrong = DnsBackend.configure(config).expect_err("a literal");
    assert!(!format!("{wrong:?}").contains("bGl0ZXJhbA=="), "{wrong:?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let config = changed(changed(dns(), "/ttl", json!("1ms")), "/servers", json!([]));
    assert_eq!(pointers(&DnsBackend, config), ["/ttl", "/servers"]);
    let http = json!({
        "url": "ftp://shop", "method": "GE T", "timeout": "0s", "expect": { "status": [] },
        "served_by": { "header": "x", "json": "/y" },
        "write": { "url": "http://user:word@shop/" }, "ledger": { "url": "http://shop/{row}" },
        "resolver": { "servers": ["dns.example.test"] },
    });
    let found = pointers(&HttpBackend, http);
    let expected = [
        "/url",
        "/write/url",
        "/ledger/url",
        "/served_by",
        "/expect/status",
        "/timeout",
        "/resolver/servers/0",
    ];
    assert_eq!(found, expected);
    assert_eq!(
        pointers(&TcpBackend, json!({ "address": "shop", "timeout": "0s" })),
        ["/address", "/timeout"]
    );
}

#[test]
fn the_schemas_are_objects_that_refuse_what_they_do_not_know() {
    for backend in [&HttpBackend as &dyn Backend, &TcpBackend, &DnsBackend] {
        let schema = backend.schema();
        assert_eq!(schema["type"], "object", "{}", backend.kind());
        assert_eq!(schema["additionalProperties"], false, "{}", backend.kind());
    }
}

#[test]
fn a_dns_entry_says_what_it_is_and_needs() {
    let entry = DnsBackend.configure(dns()).expect("it is right");
    assert_eq!(entry.identities()[0].as_str(), "dns://example.test/shop.example.test/A");
    assert_eq!(entry.ttl(), Some(std::time::Duration::from_secs(30)));
    assert_eq!(entry.sides().len(), 2);
    assert_eq!(
        entry.needs("route", None).permissions,
        ["update of shop.example.test A at 192.0.2.53 for key dr-key"]
    );
    let mut read_only = dns();
    read_only.as_object_mut().expect("an object").remove("update");
    assert_eq!(DnsBackend.configure(read_only).expect("it is right").verbs(), ["probe"]);
}
