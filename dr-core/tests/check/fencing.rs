//! Promotions and what fences them.

use super::*;

#[test]
fn a_promotion_without_a_fence_is_an_error() {
    only(&changed("{ fence: orders }, ", ""), Error, codes::UNFENCED_PROMOTION);
}

#[test]
fn a_fence_of_the_promoted_side_is_none() {
    only(&changed("{ fence: orders }", "{ fence: orders, in: target }"), Error, codes::UNFENCED_PROMOTION);
}

#[test]
fn a_fence_of_unplanned_runs_does_not_help_a_planned_one() {
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}")
        .replace("{ fence: orders }", "{ fence: orders, when: unplanned }");
    finds(&findings_of(&text, Urgency::Planned), Error, codes::UNFENCED_PROMOTION);
}

#[test]
fn a_store_may_be_fenced_by_what_writes_to_it() {
    assert!(changed("{ fence: orders }", "{ fence: app }").is_empty());
}

#[test]
fn every_fence_comes_before_every_promotion() {
    let found = changed(
        "  - { name: scale_up,",
        "  - { name: second, within: 1s, steps: [ { fence: users }, { promote: users, accept_loss: 1s } ] }\n  - { name: scale_up,",
    );
    let found = finds(&found, Error, codes::FENCE_AFTER_PROMOTION);
    assert!(
        found.message.starts_with("`fence users` does not come before `promote orders`"),
        "{}",
        found.message
    );
}

#[test]
fn the_own_fence_behind_its_promotion_is_found_once() {
    let found = changed(
        "{ name: promote, within: 2m, steps: [ { fence: orders }, { promote: orders, accept_loss: 10s } ] }",
        "{ name: promote, within: 1m, steps: [ { promote: orders, accept_loss: 10s } ] }\n  \
             - { name: fence, within: 1m, after: [promote], steps: [ { fence: orders } ] }",
    );
    only(&found, Error, codes::FENCE_AFTER_PROMOTION);
}

#[test]
fn a_fence_is_not_optional() {
    only(&changed("{ fence: orders }", "{ fence: orders, optional: true }"), Error, codes::OPTIONAL_FENCE);
}

#[test]
fn a_promotion_is_not_optional_either() {
    let from = "{ promote: orders, accept_loss: 10s }";
    let found = changed(from, "{ promote: orders, accept_loss: 10s, optional: true }");
    finds(&found, Error, codes::OPTIONAL_FENCE);
}

#[test]
fn a_fence_goes_with_its_promotion() {
    let from = "{ promote: orders, accept_loss: 10s }";
    let with = |when: &str| changed(from, &from.replace(" }", &format!(", when: {when} }}")));
    finds(&with("planned"), Error, codes::FENCE_WITHOUT_PROMOTION);
    assert!(with("unplanned").is_empty());
}

#[test]
fn the_promotion_of_another_store_does_not_make_up_for_one_that_is_left_out() {
    let from = "{ promote: orders, accept_loss: 10s }";
    let left_out = "{ fence: users }, { promote: users, accept_loss: 10s, when: planned }";
    let found = changed(from, &format!("{from}, {left_out}"));
    let found = only(&found, Error, codes::FENCE_WITHOUT_PROMOTION);
    assert!(found.message.starts_with("after `fence users` nobody can write"), "{}", found.message);
}

const SILENT: &str = "{ fence: orders, when_unreachable: { accept_after: 30s } }";

#[test]
fn accepted_silence_wants_an_accepted_loss() {
    assert!(changed("{ fence: orders }", SILENT).is_empty());
    let from = "{ fence: orders }, { promote: orders, accept_loss: 10s }";
    let found = changed(from, &format!("{SILENT}, {{ promote: orders }}"));
    finds(&found, Error, codes::SILENCE_WITHOUT_ACCEPTED_LOSS);
}

#[test]
fn one_prober_is_not_enough_for_silence() {
    let one = SILENT.replace("30s", "30s, vantage_points: 1");
    only(&changed("{ fence: orders }", &one), Error, codes::TOO_FEW_VANTAGE_POINTS);
}

#[test]
fn an_unplanned_run_without_an_accepted_loss_is_noted() {
    only(&changed(", accept_loss: 10s", ""), Note, codes::NO_ACCEPTED_LOSS);
    let text = format!("{HEAD}{RESOURCES}{MEASURE}{SOUND}").replace(", accept_loss: 10s", "");
    assert!(findings_of(&text, Urgency::Planned).is_empty());
}
