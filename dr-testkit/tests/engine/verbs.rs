//! The verbs that no move needs: what each does to the world, and what going back makes of it.

use dr_core::event::{Ending, Status};
use dr_testkit::{Rig, Run, settled};

use super::support::{Shop, ended, said, shop};

async fn ran(shop: &Shop, steps: &str) -> Run {
    let run =
        Rig::new(&shop.world, &format!("phases:\n  - {{ name: do, within: 20s, steps: [ {steps} ] }}\n"));
    let run = run.run().await;
    ended(&run, Ending::Succeeded);
    run
}

#[tokio::test(start_paused = true)]
async fn a_side_that_a_run_fenced_takes_writes_again_after_unfence() {
    let shop = shop();
    let plan = "
phases:
  - { name: fence, within: 20s, steps: [ { fence: orders } ] }
  - { name: look, within: 20s, steps: [ { wait: 1s } ] }
  - { name: open, within: 20s, steps: [ { unfence: orders } ] }
";
    let rig = Rig::new(&shop.world, plan);
    let (run, writable) = tokio::join!(rig.run(), async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        shop.orders.writable()
    });
    ended(&run, Ending::Succeeded);
    assert_eq!((writable, shop.orders.writable()), (vec![], vec!["east".into()]));
    assert_eq!(said(&run, "open/unfence:orders"), "east accepts writes again");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_paused_takes_no_row_until_it_is_unpaused() {
    let shop = shop();
    let paused = |shop: &Shop| shop.world.snapshot().to_string().contains("paused");
    ran(&shop, "{ pause: orders }").await;
    assert!(paused(&shop));
    ran(&shop, "{ unpause: orders }").await;
    assert!(!paused(&shop));
}

#[tokio::test(start_paused = true)]
async fn workloads_run_with_what_they_were_configured_to() {
    let shop = shop();
    ran(&shop, "{ configure: services, in: source, set: { env/STORE: west } }").await;
    let runs_with: Vec<_> = shop.services.runs_with("east", "env/STORE").into_values().collect();
    assert_eq!(runs_with, [Some("west".to_owned()), Some("west".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_there_on_each_side_that_it_was_wanted_on() {
    let shop = shop();
    ran(&shop, "{ backup: orders, copy_to: target }").await;
    let world = shop.world.snapshot().to_string();
    for side in ["east", "west"] {
        assert!(world.contains(&format!("orders/{side}/copy ")), "{world}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_triggered_calls_whoever_hears_it() {
    let shop = shop();
    let pager = shop.world.alarm("pager", &["on call"]);
    let run = ran(&shop, "{ trigger: pager }").await;
    assert_eq!((pager.calls("east"), pager.calls("west")), (0, 1));
    assert_eq!(said(&run, "do/trigger:pager"), "west: it went off and reached on call");
}

#[tokio::test(start_paused = true)]
async fn what_a_run_paused_configured_and_copied_is_put_back_when_it_goes_back() {
    let shop = shop();
    shop.services.scale_by_hand("west", 3);
    let before = shop.world.snapshot();
    shop.services.break_rollouts("east", Some("image not found"));
    let plan = "
phases:
  - name: do
    within: 20s
    steps:
      - { pause: orders }
      - { backup: orders }
      - { configure: services, in: target, set: { env/STORE: west } }
  - { name: down, within: 20s, steps: [ { scale: services, in: source, replicas: 5 } ] }
";
    let run = Rig::new(&shop.world, plan).run().await;
    ended(&run, Ending::RolledBack);
    for step in ["do/pause:orders", "do/backup:orders", "do/configure:services"] {
        assert_eq!(run.step(step).status, Status::Undone, "{}", run.story());
    }
    assert_eq!(settled(&shop.world).await, before);
}
