//! Every mistake in a configuration, with its place.

use dr_aws::Route53Backend;
use dr_core::Backend;
use dr_core::resource::{Route, Share};
use serde_json::{Value, json};

fn entry() -> Value {
    json!({
        "zone": "Z0123456789ABCDEFGHIJ", "record": "shop.example.com", "type": "A", "ttl": "60s",
        "routing": "failover", "primary": "us-east-1",
        "values": {
            "us-east-1": "203.0.113.10",
            "eu-central-1": { "alias": { "zone": "ZELB", "name": "shop-1.eu-central-1.elb.amazonaws.com" } },
        },
        "set_identifiers": { "us-east-1": "Primary", "eu-central-1": "Secondary" },
        "health_checks": { "us-east-1": "abcd" },
        "name_servers": ["ns-1.awsdns-01.com", "127.0.0.1:5353"],
        "aws": { "profile": "dr" },
    })
}

fn changed(mut config: Value, pointer: &str, value: Value) -> Value {
    if let Some(place) = config.pointer_mut(pointer) {
        *place = value;
        return config;
    }
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap()[key] = value;
    config
}

fn pointers(config: Value) -> Vec<String> {
    match Route53Backend.configure(config) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong.into_iter().map(|error| error.pointer).collect(),
    }
}

#[test]
fn what_is_right_is_taken() {
    assert!(pointers(entry()).is_empty());
    let least = json!({ "zone": "Z1", "record": "shop.example.com", "type": "A", "values": { "us-east-1": "192.0.2.1" } });
    assert!(pointers(least).is_empty());
}

#[test]
fn each_mistake_has_its_place() {
    for (pointer, value) in [
        ("/zone", json!("/hostedzone/Z1")),
        ("/record", json!("")),
        ("/type", json!("MX")),
        ("/ttl", json!("1500ms")),
        ("/values/us-east-1", json!("shop")),
        ("/values/us-east-1", json!([])),
        ("/values/us-east-1", json!({ "alias": { "zone": "zone", "name": "lb.example.com" } })),
        ("/values/ap-south-1", json!("192.0.2.3")),
        ("/primary", json!("ap-south-1")),
        ("/set_identifiers", json!({ "us-east-1": "One", "eu-central-1": "One" })),
        ("/sides", json!({ "ap-south-1": "ap-south-1" })),
        ("/name_servers", json!(["http://ns1"])),
        ("/timeout", json!("0s")),
        ("/aws/endpoint", json!("nowhere")),
        ("/aws/colour", json!("red")),
        ("/colour", json!("red")),
    ] {
        let found = pointers(changed(entry(), pointer, value.clone()));
        assert!(!found.is_empty(), "{pointer} {value} was taken");
        let there = |found: &String| {
            found.starts_with(pointer) || found == "/values" || found.starts_with("/set_identifiers/")
        };
        assert!(found.iter().any(there), "{pointer} {value}: {found:?}");
    }
}

#[test]
fn it_says_what_it_is_and_needs() {
    let entry = Route53Backend.configure(entry()).unwrap();
    assert_eq!(entry.identities()[0].as_str(), "route53:Z0123456789ABCDEFGHIJ/shop.example.com/A");
    let needs = entry.needs("route", None);
    assert!(needs.permissions.iter().any(|right| right.starts_with("route53:ChangeResourceRecordSets")));
    let plane = &needs.control_planes[0];
    assert_eq!((plane.region.as_str(), needs.control_planes.len()), ("us-east-1", 1));
    assert!(plane.instead.as_ref().unwrap().contains("standby-takes-over"), "{plane:?}");
    assert!(!entry.splits_traffic());
    assert_eq!(entry.emulated(), None);
}

#[test]
fn the_same_by_hand_pins_callers_as_the_tool_does() {
    let entry = Route53Backend.configure(entry()).unwrap();
    let call = serde_json::to_value(Route::to("eu-central-1")).unwrap();
    let lines = entry.by_hand("route", &call);
    insta::assert_snapshot!(lines.join("\n"), @r###"
    aws --profile dr --region us-east-1 route53 change-resource-record-sets --hosted-zone-id Z0123456789ABCDEFGHIJ --change-batch '{"Changes":[{"Action":"UPSERT","ResourceRecordSet":{"Name":"shop.example.com","Type":"A","SetIdentifier":"Primary","Failover":"SECONDARY","TTL":60,"ResourceRecords":[{"Value":"203.0.113.10"}],"HealthCheckId":"abcd"}},{"Action":"UPSERT","ResourceRecordSet":{"Name":"shop.example.com","Type":"A","SetIdentifier":"Secondary","Failover":"PRIMARY","AliasTarget":{"HostedZoneId":"ZELB","DNSName":"shop-1.eu-central-1.elb.amazonaws.com","EvaluateTargetHealth":false}}}]}'
    dig +norecurse +noall +answer @ns-1.awsdns-01.com -p 53 shop.example.com A
    dig +norecurse +noall +answer @127.0.0.1 -p 5353 shop.example.com A
    "###);
    assert!(entry.by_hand("observe", &call).is_empty());
}

#[test]
fn the_same_by_hand_in_shares() {
    let config = json!({
        "zone": "Z1", "record": "shop.example.com", "type": "A", "routing": "weighted",
        "values": { "us-east-1": "192.0.2.1", "eu-central-1": "192.0.2.2" },
    });
    let entry = Route53Backend.configure(config).unwrap();
    assert!(entry.splits_traffic());
    let call =
        serde_json::to_value(Route::to("eu-central-1").sharing(Share::of_percent(10).unwrap())).unwrap();
    insta::assert_snapshot!(entry.by_hand("route", &call).join("\n"), @r###"aws --region us-east-1 route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch '{"Changes":[{"Action":"UPSERT","ResourceRecordSet":{"Name":"shop.example.com","Type":"A","SetIdentifier":"eu-central-1","Weight":10,"TTL":60,"ResourceRecords":[{"Value":"192.0.2.2"}]}},{"Action":"UPSERT","ResourceRecordSet":{"Name":"shop.example.com","Type":"A","SetIdentifier":"us-east-1","Weight":90,"TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]}}]}'"###);
}
