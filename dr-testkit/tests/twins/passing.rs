//! Each twin passes each suite that is about it.

use std::sync::Arc;

use dr_core::resource::{Action, Backup, Configure, Follow, Restore, Route, Trigger};
use dr_testkit::decorate::{Called, Schedule, Through, Trouble};
use dr_testkit::suite::{self, Report};

use super::fixture::Twin;

/// Every lever is there: what is skipped is only what cannot be.
fn skips(report: &Report, at_most: usize) {
    assert!(report.skipped().len() <= at_most, "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_model_store_passes() {
    let twin = Twin::of(|small| small.orders.resource()).after(|small| {
        small.orders.copied("east");
        small.orders.copied("west");
    });
    suite::store(&twin).await.assert(30);
    suite::fence(&twin).await.assert(16);
    suite::ledger(&twin).await.assert(6);
    suite::observe(&twin).await.assert(3);
}

#[tokio::test(start_paused = true)]
async fn the_model_stores_copies_pass() {
    let report = suite::backups(&Twin::of(|small| small.orders.resource())).await;
    report.assert(55);
    skips(&report, 3);
}

#[tokio::test(start_paused = true)]
async fn the_model_workloads_pass() {
    let twin = Twin::of(|small| small.services.resource());
    let report = suite::workloads(&twin).await;
    report.assert(21);
    skips(&report, 1);
    suite::observe(&twin).await.assert(3);
}

#[tokio::test(start_paused = true)]
async fn the_model_workloads_are_a_fence_too() {
    let report = suite::fence(&Twin::of(|small| small.services.resource())).await;
    report.assert(18);
    skips(&report, 2);
}

#[tokio::test(start_paused = true)]
async fn the_model_workloads_settings_pass() {
    let report = suite::configure(&Twin::configured(|small| small.services.resource())).await;
    report.assert(21);
    skips(&report, 1);
}

#[tokio::test(start_paused = true)]
async fn the_model_workloads_words_on_room_addresses_and_needs_pass() {
    let twin = Twin::of(|small| small.services.resource())
        .told(|subject| subject.needing("model:scale").needing("model:configure"));
    let report = suite::room(&twin).await.and(suite::addresses(&twin).await).and(suite::proves(&twin).await);
    report.assert(16);
    skips(&report, 0);
}

#[tokio::test(start_paused = true)]
async fn the_model_traffic_passes() {
    let twin = Twin::of(|small| small.entry.resource()).told(|subject| subject.also_at("198.51.100.77"));
    suite::traffic(&twin).await.assert(18);
    suite::all_or_none(&twin).await.assert(1);
}

#[tokio::test(start_paused = true)]
async fn the_model_traffic_that_is_shared_out_passes() {
    let report = suite::traffic(&Twin::shared(|small| small.entry.resource())).await;
    report.assert(36);
    skips(&report, 2);
}

#[tokio::test(start_paused = true)]
async fn the_model_traffic_with_something_that_moves_callers_passes() {
    let twin = Twin::of(|small| small.entry.resource()).after(|small| {
        small.entry.moves_by_itself("health check", "east");
    });
    suite::traffic(&twin).await.assert(16);
}

#[tokio::test(start_paused = true)]
async fn the_model_alarm_passes() {
    let twin = Twin::of(|small| small.pager.resource());
    let report = suite::alarm(&twin).await;
    report.assert(19);
    skips(&report, 5);
    suite::observe(&twin).await.assert(3);
}

#[tokio::test(start_paused = true)]
async fn the_model_service_passes() {
    let twin = Twin::of(|small| small.shop.clone());
    suite::probe(&twin).await.assert(6);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fences_itself_keeps_every_promise_of_a_store() {
    let twin = Twin::of(|small| small.orders.resource()).after(|small| small.orders.fence_itself());
    suite::store(&twin).await.assert(30);
    suite::fence(&twin).await.assert(16);
}

/// Every reply of it is lost.
fn losing(action: Arc<dyn Action>) -> Arc<dyn Action> {
    let schedule = Schedule::new().everywhere(Called::Apply, 1..=u32::MAX, Trouble::LostReply);
    schedule.on(&"any".into(), action)
}

/// P33: success without an effect.
#[tokio::test(start_paused = true)]
async fn a_backend_that_reports_success_without_an_effect_is_found_out() {
    let twin = Twin::of(|small| {
        let good = small.entry.resource();
        let lying = good.effect::<Route>().map(|inner| Through::new(inner, losing));
        match lying {
            Some(lying) => good.with::<Route>(Arc::new(lying)),
            None => good,
        }
    });
    let report = suite::traffic(&twin).await;
    assert!(report.broken().len() > 3, "{report}");
}

/// Replaces a verb by one whose every reply is lost.
macro_rules! losing {
    ($resource:expr, $verb:ty) => {{
        let good = $resource;
        match good.effect::<$verb>() {
            Some(inner) => good.with::<$verb>(Arc::new(Through::new(inner, losing))),
            None => good,
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_lost_are_found_out_by_the_suites_of_every_new_verb() {
    let configure = Twin::configured(|small| losing!(small.services.resource(), Configure));
    let backup = Twin::of(|small| losing!(small.orders.resource(), Backup));
    let restore = Twin::of(|small| losing!(small.orders.resource(), Restore));
    let trigger = Twin::of(|small| losing!(small.pager.resource(), Trigger));
    for report in [
        suite::configure(&configure).await,
        suite::backing_up(&backup).await,
        suite::restoring(&restore).await,
        suite::alarm(&trigger).await,
    ] {
        assert!(report.broken().len() > 3, "{report}");
    }
}

/// P33: a suite that ran nothing is no success: each has a least number of cases.
#[tokio::test(start_paused = true)]
async fn a_suite_on_something_that_cannot_do_the_verb_is_skipped_and_says_so() {
    let twin = Twin::of(|small| small.entry.resource());
    let report = suite::effect::<Follow>(
        &twin,
        |subject| subject.source.clone(),
        async |subject| {
            let (side, of) = (subject.source.clone().into(), subject.target.clone().into());
            Ok(Follow { side, of })
        },
    )
    .await;
    assert_eq!((report.passed(), report.broken().len()), (0, 0), "{report}");
    assert!(report.skipped().len() > 10);
}

#[tokio::test(start_paused = true)]
async fn the_new_suites_skip_what_a_resource_cannot_do() {
    let twin = Twin::of(|small| small.shop.clone());
    let words = suite::room(&twin).await.and(suite::addresses(&twin).await).and(suite::proves(&twin).await);
    let verbs = suite::configure(&twin).await.and(suite::restoring(&twin).await);
    let report = words.and(verbs);
    assert_eq!(report.passed(), 0, "{report}");
    assert_eq!(report.broken(), Vec::<&str>::new(), "{report}");
}
