//! Findings that somebody took note of.

use super::*;

fn acknowledged(code: &str, from: &str, to: &str) -> Vec<Finding> {
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}").replace(from, to);
    findings_of(&format!("{text}acknowledge: [ {{ code: {code}, reason: we know }} ]\n"), Urgency::Unplanned)
}

#[test]
fn a_warning_with_a_reason_does_not_block() {
    let found = only(&acknowledged("ttl-too-long", "ttl: 30s", "ttl: 61s"), Warning, codes::TTL_TOO_LONG);
    assert_eq!((found.acknowledged.as_deref(), found.blocks()), (Some("we know"), false));
    assert!(only(&changed("ttl: 30s", "ttl: 61s"), Warning, codes::TTL_TOO_LONG).blocks());
}

#[test]
fn an_error_cannot_be_acknowledged() {
    let found = acknowledged("unfenced-promotion", "{ fence: orders }, ", "");
    assert!(finds(&found, Error, codes::UNFENCED_PROMOTION).blocks());
    finds(&found, Error, codes::NOT_ACKNOWLEDGEABLE);
}

#[test]
fn an_acknowledgement_of_nothing_is_found() {
    only(&acknowledged("ttl-too-long", "ttl", "ttl"), Note, codes::IDLE_ACKNOWLEDGEMENT);
    only(&acknowledged("ttl-too-lang", "ttl", "ttl"), Warning, codes::IDLE_ACKNOWLEDGEMENT);
}
