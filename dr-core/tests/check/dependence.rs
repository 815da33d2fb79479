//! What a run needs and where it lives.

use super::*;

#[test]
fn a_state_store_in_the_source_is_an_error() {
    let found = only(
        &changed("state: { at: s3://third/dr, region: third }", "state: { at: s3://b, region: us }"),
        Error,
        codes::DEPENDS_ON_SOURCE,
    );
    assert_eq!(found.place.to_string(), "5:22");
    assert!(
        changed("state: { at: s3://third/dr, region: third }", "state: { at: s3://b, region: eu }")
            .is_empty()
    );
}

#[test]
fn a_control_plane_in_the_source_is_found() {
    let found = only(&changed("ttl: 30s", "ttl: 30s, control: us"), Warning, codes::DEPENDS_ON_SOURCE);
    assert_eq!(found.message, "`route entry` needs the control plane of dns in us, which is the source");
    assert!(changed("ttl: 30s", "ttl: 30s, control: eu").is_empty());
}

#[test]
fn what_lives_in_the_source_alone_is_found() {
    let found = changed(
        "{ route: entry, to: target }",
        "{ route: entry, to: target }, { follow: users, in: eu, of: eu }",
    );
    assert!(found.is_empty(), "{}", shown(&found));
    let found = findings_of(
        &format!(
            "{HEAD}{RESOURCES}{MEASURE}phases: [ {{ name: p, steps: [ {{ probe: shop, write: true }} ] }} ]\n"
        )
        .replace("shop: { kind: door }", "shop: { kind: door, sides: { us: us } }"),
        Urgency::Unplanned,
    );
    only(&found, Warning, codes::DEPENDS_ON_SOURCE);
}

#[test]
fn a_state_that_only_this_machine_sees_is_found() {
    only(&changed("state: { at: s3://third/dr, region: third }\n", ""), Warning, codes::STATE_ON_ONE_MACHINE);
    assert!(changed("state: { at: s3://third/dr, region: third }", "state: { local: true }").is_empty());
    assert!(
        changed("state: { at: s3://third/dr, region: third }", "state: { at: /mnt/dr, region: third }")
            .is_empty()
    );
}
