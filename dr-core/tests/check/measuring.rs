//! What is measured, and whether it can be.

use super::*;

#[test]
fn nothing_measured_is_found() {
    only(&changed(MEASURE, ""), Warning, codes::NOTHING_MEASURED);
}

#[test]
fn a_target_wants_its_measurement() {
    only(&changed(", loss: { store: orders }", ""), Warning, codes::NO_LEDGER);
    only(&changed("outage: { probe: shop }, ", ""), Warning, codes::NO_PROBER);
}

#[test]
fn what_cannot_be_asked_cannot_measure() {
    only(&changed("outage: { probe: shop }", "outage: { probe: shopp }"), Error, codes::CANNOT_MEASURE);
    let found = only(
        &changed("outage: { probe: shop }", "outage: [ { probe: entry } ]"),
        Error,
        codes::CANNOT_MEASURE,
    );
    assert_eq!(found.place.to_string(), "13:24");
    only(
        &changed("loss: { store: orders }", "loss: { store: orders, via: nobody }"),
        Error,
        codes::CANNOT_MEASURE,
    );
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
        .replace("outage: { probe: shop }", "outage: { probe: shop, write: true }")
        .replace("shop: { kind: door }", "shop: { kind: door, writes: false }");
    finds(&findings_of(&text, Urgency::Planned), Error, codes::CANNOT_MEASURE);
}

#[test]
fn a_probe_step_may_write_only_where_there_is_a_way_to() {
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
        .replace("outage: { probe: shop }", "outage: { probe: other }");
    let text =
        text.replace("shop: { kind: door }", "shop: { kind: door, writes: false }\n  other: { kind: door }");
    let found = only(&findings_of(&text, Urgency::Planned), Error, codes::CANNOT_VERIFY);
    assert!(found.message.contains("no way to write"), "{}", found.message);
    let read_only = text.replace("write: true", "write: false");
    assert!(
        findings_of(&read_only, Urgency::Planned).iter().all(|finding| finding.code != codes::CANNOT_VERIFY)
    );
}

#[test]
fn a_door_that_takes_writes_or_does_not_say_may_be_asked_with_one() {
    let writing = "outage: { probe: shop, write: true }";
    for door in ["{ kind: door, writes: true }", "{ kind: door }"] {
        let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
            .replace("outage: { probe: shop }", writing)
            .replace("{ kind: door }", door);
        assert_eq!(shown(&findings_of(&text, Urgency::Planned)), "");
    }
}
