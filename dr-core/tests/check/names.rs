//! One thing, one name.

use super::*;

/// P31: one thing under two names, with both places.
#[test]
fn one_thing_has_one_name() {
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
        .replace("orders: { kind: store }", "orders: { kind: store, identity: db }")
        .replace("users: { kind: store }", "users: { kind: store, identity: db }");
    let found = only(&findings_of(&text, Urgency::Unplanned), Error, codes::ONE_THING_TWO_NAMES);
    assert_eq!(found.message, "`users` is the same thing as `orders` at 8:3: db");
    assert_eq!(found.place.to_string(), "9:3");
}

#[test]
fn what_is_only_asked_may_have_two_names_and_what_is_changed_in_any_way_may_not() {
    let twice = |kind: &str| {
        let thing = format!("{{ kind: {kind}, identity: db }}");
        changed("shop: { kind: door }", &format!("shop: {{ kind: door }}\n  a: {thing}\n  b: {thing}"))
    };
    assert_eq!(shown(&twice("door")), "");
    only(&twice("cache"), Error, codes::ONE_THING_TWO_NAMES);
}

#[test]
fn a_resource_that_names_one_thing_twice_is_one_resource() {
    let found = changed("orders: { kind: store }", "orders: { kind: store, identity: db db }");
    assert_eq!(shown(&found), "");
}

/// P31: one thing on two sides.
#[test]
fn one_thing_is_one_side() {
    let found = changed(
        "orders: { kind: store }",
        "orders: { kind: store, sides: { us: { url: a, x: 1 }, eu: { url: a, x: 2 } } }",
    );
    let found = only(&found, Error, codes::ONE_THING_TWO_SIDES);
    assert_eq!(found.message, "`orders` has the same `sides` for eu and, at 8:35, for us");
    let found = changed("ttl: 30s", "ttl: 30s, values: { us: 10.0.0.1, eu: 10.0.0.1 }");
    only(&found, Error, codes::ONE_THING_TWO_SIDES);
}

#[test]
fn two_addresses_are_two_sides() {
    let sides =
        "sides: { us: { url: a, x: 1 }, eu: { url: b, x: 1 } }, values: { us: 10.0.0.1, eu: 10.0.0.2 }";
    let found = changed("orders: { kind: store }", &format!("orders: {{ kind: store, {sides} }}"));
    assert_eq!(shown(&found), "");
}

#[test]
fn two_regions_may_use_one_name_where_names_are_meant_within_a_region() {
    let sides = "sides: { us: { cluster: a }, eu: { cluster: a } }";
    let found =
        changed("app: { kind: workloads }", &format!("app: {{ kind: workloads, regional: true, {sides} }}"));
    assert_eq!(shown(&found), "");
    let found = changed("app: { kind: workloads }", &format!("app: {{ kind: workloads, {sides} }}"));
    only(&found, Error, codes::ONE_THING_TWO_SIDES);
}

#[test]
fn timings_have_names_of_their_own() {
    only(&changed("name: scale_down", "name: Scale-up"), Error, codes::PHASE_NAMES_COLLIDE);
    only(&changed("name: scale_down", "name: roles"), Error, codes::PHASE_NAMES_COLLIDE);
}

/// Found: `roles` was refused where `dr` puts no phase of that name first, and `Roles` was not.
#[test]
fn where_nothing_is_promoted_the_name_of_the_phase_that_dr_puts_first_is_free() {
    for name in ["roles", "Roles"] {
        let found = phases(&format!("phases: [ {{ name: {name}, steps: [ {{ observe: app }} ] }} ]\n"));
        assert_eq!(shown(&found), "");
    }
}

#[test]
fn the_source_is_not_the_target() {
    finds(&changed("target: eu", "target: us"), Error, codes::SOURCE_IS_TARGET);
}

#[test]
fn source_and_target_are_sides_of_something() {
    let text =
        format!("{HEAD}{RESOURCES}{MEASURE}phases: [ {{ name: p, steps: [ {{ observe: app }} ] }} ]\n");
    let found = findings_of(&text.replace("source: us", "source: uss"), Urgency::Unplanned);
    only(&found, Error, codes::SIDE_OF_NOTHING);
}
