//! A small shop on two sides, and plans for it.

use std::time::Duration;

use dr_core::engine::DriveEnd;
use dr_core::event::{Ending, Event, Suspension};
use dr_core::model::{ModelService, ModelStore, ModelTraffic, ModelWorkloads, World};
use dr_testkit::{Rig, Run};

pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) orders: ModelStore,
    pub(crate) services: ModelWorkloads,
    pub(crate) entry: ModelTraffic,
    #[expect(dead_code, reason = "named in plans only")]
    pub(crate) shop: ModelService,
}

pub(crate) fn shop() -> Shop {
    let world = World::new(["east", "west"]);
    let orders = world.store("orders");
    let services = world.workloads("services", &["api", "web"], 3);
    let entry = world.traffic("entry", Duration::from_secs(5));
    let shop = world.service("shop", &entry, Some(&services), Some(&orders));
    Shop { world, orders, services, entry, shop }
}

/// Everything that a switchover is made of.
pub(crate) const MOVE: &str = "
phases:
  - name: preflight
    steps:
      - { observe: orders, in: target, expect: { lag: '<= 10s' }, when: planned }
  - name: scale_up
    within: 30s
    steps:
      - { scale: services, in: target, replicas: 3 }
  - name: promote
    within: 20s
    steps:
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
  - name: dns
    within: 20s
    steps:
      - { route: entry }
  - name: verify
    within: 60s
    steps:
      - { probe: shop, served_by: target, write: true, healthy_for: 1s }
  - name: protect
    steps:
      - { follow: orders }
";

/// Fence and promote, and nothing else.
pub(crate) const PROMOTE: &str = "
phases:
  - name: promote
    within: 20s
    steps:
      - { fence: orders }
      - { promote: orders, accept_loss: 10s }
";

/// Two things that can be put back, and one that may fail.
pub(crate) const SCALES: &str = "
phases:
  - name: up
    within: 20s
    steps: [ { scale: services, in: target, replicas: 3 } ]
  - name: move
    within: 20s
    steps: [ { route: entry } ]
  - name: down
    within: 20s
    steps: [ { id: last, scale: services, in: source, replicas: 5 } ]
";

pub(crate) fn ended(run: &Run, ending: Ending) {
    assert_eq!(run.driven.end, DriveEnd::Ended(ending), "{}\n{}", run.driven.text, run.story());
    let last = run.entries.last().map(|entry| &entry.event);
    assert!(matches!(last, Some(Event::Ended { .. })), "the last event is the end: {last:?}");
    assert_eq!(run.count(|event| matches!(event, Event::Ended { .. })), 1);
}

pub(crate) fn suspended(run: &Run, why: Suspension) {
    assert_eq!(run.driven.end, DriveEnd::Suspended(why), "{}\n{}", run.driven.text, run.story());
    assert_eq!(run.count(|event| matches!(event, Event::Ended { .. })), 0);
}

pub(crate) fn says(run: &Run, text: &str) {
    assert!(run.driven.text.contains(text), "`{}` does not say `{text}`\n{}", run.driven.text, run.story());
}

/// What people read of a step that succeeded.
pub(crate) fn said<'a>(run: &'a Run, step: &str) -> &'a str {
    run.step(step).applied.as_ref().map_or("nothing", |applied| applied.said.as_str())
}

/// Waits until the journal has the intent of a step.
pub(crate) async fn once_begun(rig: &Rig, step: &str) {
    let intent = format!(r#""event":"started","step":"{step}""#);
    let has_begun = || String::from_utf8_lossy(&rig.disk().bytes()).contains(&intent);
    for _ in 0..600 {
        if has_begun() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(has_begun(), "{step} was never begun");
}
