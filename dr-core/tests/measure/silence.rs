//! Heartbeats, and whether everybody who listens agrees that a side is silent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dr_core::measure::{
    HEARTBEAT_FORMAT, Heartbeat, Keeper, KeeperSpec, Publish, SideHeard, SignOfLife, Silence, Vantage,
    silence,
};
use dr_core::resource::{
    Answer, Ask, Cancel, Cx, NodeState, Observe, Prober, Reach, Replication, Role, Seat, SeatKind, SideState,
    SilencePolicy,
};
use dr_core::{Clock, Error, ErrorKind, Result, Side, Timestamp, TokioClock, async_trait};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn policy() -> SilencePolicy {
    SilencePolicy { accept_after: Duration::from_secs(30), vantage_points: 2 }
}

/// A heartbeat of second 100 that hears nothing of `us` since `since`.
fn beat(name: &str, seat: &str, since: Option<i64>) -> Heartbeat {
    let heard =
        SideHeard { reach: Some(Reach::Unreachable), silent_since: since.map(at), last_sign_of_life: None };
    Heartbeat {
        v: HEARTBEAT_FORMAT,
        name: name.to_owned(),
        plan: "p".to_owned(),
        seat: if seat == "outside" { Vantage::Outside } else { Vantage::At(Side::new(seat)) },
        at: at(100),
        since_begin: Duration::from_secs(1_000),
        interval: Duration::from_secs(1),
        outage: None,
        sides: BTreeMap::from([(Side::new("us"), heard)]),
        answered_by: BTreeMap::new(),
    }
}

fn alive(name: &str, seat: &str, sign: i64) -> Heartbeat {
    let mut beat = beat(name, seat, None);
    let sign = SignOfLife { at: at(sign), what: "orders: db answers".to_owned() };
    let reach = Some(Reach::Answers);
    beat.sides.insert("us".into(), SideHeard { reach, silent_since: None, last_sign_of_life: Some(sign) });
    beat
}

fn said(beats: &[Heartbeat]) -> Silence {
    silence(beats, &"us".into(), &"eu".into(), &policy(), at(101))
}

fn why(beats: &[Heartbeat]) -> String {
    match said(beats) {
        Silence::NotAgreed { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_who_hear_nothing_agree_since_the_later_of_them() {
    let vantage_points = vec!["a".to_owned(), "b".to_owned()];
    let agreed = said(&[beat("b", "outside", Some(60)), beat("a", "eu", Some(40))]);
    assert_eq!(agreed, Silence::Agreed { since: at(60), vantage_points });
    assert_eq!(agreed.clone().risk(&"us".into(), &policy(), at(101)).unwrap().silent_since, at(60));
    let early = agreed.risk(&"us".into(), &policy(), at(80)).unwrap_err();
    assert_eq!(early, "us has been silent for 20s, the plan accepts it after 30s");
}

#[test]
fn one_of_them_sits_on_the_target_and_one_outside_both() {
    assert!(why(&[beat("a", "outside", Some(1)), beat("b", "outside", Some(1))]).contains("on eu"));
    assert!(why(&[beat("a", "eu", Some(1)), beat("b", "eu", Some(1))]).contains("outside both"));
    assert!(why(&[beat("a", "eu", Some(1)), beat("b", "us", Some(1))]).contains("1 of 2"));
    assert!(why(&[]).contains("0 of 2"));
}

#[test]
fn one_name_is_one_vantage_point() {
    assert!(why(&[beat("a", "eu", Some(1)), beat("a", "outside", Some(1))]).contains("1 of 2"));
}

#[test]
fn a_heartbeat_that_is_not_fresh_counts_for_nothing() {
    let stale = |mut beat: Heartbeat, seconds| {
        beat.at = at(seconds);
        beat
    };
    let outside = beat("b", "outside", Some(60));
    for seconds in [97, 105] {
        assert!(why(&[stale(beat("a", "eu", Some(40)), seconds), outside.clone()]).contains("1 of 2"));
    }
    let old_veto = stale(alive("c", "us", 90), 90);
    assert!(matches!(said(&[beat("a", "eu", Some(40)), outside, old_veto]), Silence::Agreed { .. }));
}

/// P24: one answer among the failures.
#[test]
fn any_sign_of_life_vetoes() {
    let silent = [beat("a", "eu", Some(40)), beat("b", "outside", Some(60))];
    for witness in [alive("c", "us", 100), alive("c", "outside", 100), alive("c", "eu", 61)] {
        let Silence::Vetoed { by, why, .. } = said(&[silent.to_vec(), vec![witness]].concat()) else {
            panic!()
        };
        assert_eq!((by.as_str(), why.as_str()), ("c", "orders: db answers"));
    }
    assert!(matches!(said(&[silent.to_vec(), vec![alive("c", "eu", 50)]].concat()), Silence::Agreed { .. }));
}

#[test]
fn a_caller_that_was_answered_vetoes() {
    let mut answered = beat("b", "outside", Some(60));
    answered.answered_by.insert("us".into(), at(61));
    let Silence::Vetoed { why, .. } = said(&[beat("a", "eu", Some(40)), answered]) else { panic!() };
    assert_eq!(why, "callers were answered by us");
}

#[test]
fn who_could_not_look_does_not_agree() {
    assert!(why(&[beat("a", "eu", Some(40)), beat("b", "outside", None)]).contains("1 of 2"));
}

#[test]
fn a_heartbeat_survives_its_text() {
    let beat = alive("a", "eu", 99);
    let text = serde_json::to_string(&beat).unwrap();
    assert!(text.contains("\"seat\":\"eu\"") && text.contains("\"interval\":\"1s\""), "{text}");
    assert_eq!(serde_json::from_str::<Heartbeat>(&text).unwrap(), beat);
}

proptest! {
    #[test]
    fn more_silence_never_removes_a_veto(silent in prop::collection::vec((0_i64..101, 0_usize..3), 0..6), sign in 98_i64..101) {
        let seats = ["eu", "outside", "us"];
        let mut beats: Vec<Heartbeat> = silent.iter().zip(0..)
            .map(|((since, seat), name)| beat(&format!("s{name}"), seats[*seat], Some(*since))).collect();
        beats.push(alive("witness", "outside", sign));
        let vetoed = matches!(said(&beats), Silence::Vetoed { .. });
        prop_assert!(vetoed);
    }
}

/// A store whose source does what `world` says at that many seconds.
#[derive(Debug)]
struct Store {
    begun: Instant,
    world: fn(u64) -> Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Alive,
    Silent,
    /// Silent, but the target's receiver still receives.
    Sending,
    /// Nothing answers at all.
    Alone,
    /// The look itself fails.
    Failing,
    /// The look does not end.
    Endless,
}

impl Store {
    fn now(&self) -> Source {
        (self.world)(self.begun.elapsed().as_secs())
    }
}

#[async_trait]
impl Observe<Replication> for Store {
    async fn observe(&self, cx: &Cx) -> Result<Replication> {
        let now = self.now();
        let node = |name: &str, reach, role, receiving| {
            let mut node = NodeState::new(name, reach);
            (node.role, node.receiving) = (role, receiving);
            SideState::new(vec![node])
        };
        let (us, eu) = match now {
            Source::Alive => (Reach::Answers, Reach::Answers),
            Source::Silent | Source::Sending => (Reach::Unreachable, Reach::Answers),
            Source::Alone => (Reach::Unreachable, Reach::Unreachable),
            Source::Failing => return Err(Error::new(ErrorKind::Unreachable, "no network")),
            Source::Endless => std::future::pending().await,
        };
        let receiving = Some(matches!(now, Source::Alive | Source::Sending));
        let sides = [
            ("us".into(), node("db.us", us, Role::Unknown, None)),
            ("eu".into(), node("db.eu", eu, Role::Standby, receiving)),
        ];
        Ok(Replication::new(cx.now(), BTreeMap::from(sides)))
    }
}

#[async_trait]
impl Seat for Store {
    async fn ask(&mut self, _: Ask, _: Duration) -> Answer {
        match self.now() {
            Source::Alive => Answer::good(Some("us".into()), false, Duration::ZERO),
            _ => Answer::none("refused", Duration::ZERO),
        }
    }
}

impl Prober for Store {
    fn seat(&self, _: SeatKind) -> Box<dyn Seat> {
        Box::new(Self { begun: self.begun, world: self.world })
    }
}

#[derive(Debug, Default)]
struct Published(Mutex<Vec<Heartbeat>>);

#[async_trait]
impl Publish for Published {
    async fn publish(&self, heartbeat: &Heartbeat) -> Result<()> {
        self.0.lock().unwrap().push(heartbeat.clone());
        Ok(())
    }
}

/// What a keeper that looks each second has published after so many seconds.
async fn kept(world: fn(u64) -> Source, seconds: u64) -> Vec<Heartbeat> {
    let published = Arc::new(Published::default());
    let store = Arc::new(Store { begun: Instant::now(), world });
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(at(0)));
    let spec = KeeperSpec::new("k", "p", Vantage::Outside);
    let (keeper, _live) = Keeper::new(spec, clock, Arc::clone(&published) as _);
    let prober: Arc<dyn Prober> = Arc::clone(&store) as _;
    let keeper = keeper.watching("orders".into(), store).asking("shop".into(), &prober);
    let (canceller, stop) = Cancel::pair();
    let until = async {
        sleep(Duration::from_millis(seconds * 1_000 + 500)).await;
        canceller.cancel();
    };
    tokio::join!(keeper.run(stop), until);
    published.0.lock().unwrap().clone()
}

fn silent_since(beats: &[Heartbeat]) -> Vec<Option<Timestamp>> {
    beats.iter().map(|beat| beat.sides.get("us").and_then(|heard| heard.silent_since)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_side_is_silent_from_the_first_look_that_heard_nothing() {
    let beats = kept(|second| if second < 2 { Source::Alive } else { Source::Silent }, 4).await;
    assert_eq!(silent_since(&beats), [None, None, Some(at(2)), Some(at(2)), Some(at(2))]);
    let last = &beats[4].sides["us"];
    assert_eq!(last.last_sign_of_life.as_ref().unwrap().at, at(1));
    assert_eq!(beats[4].answered_by["us"], at(1));
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_begins_the_silence_anew() {
    let beats = kept(|second| if second == 2 { Source::Sending } else { Source::Silent }, 4).await;
    assert_eq!(silent_since(&beats)[1..], [Some(at(0)), None, Some(at(3)), Some(at(3))]);
    assert!(beats[2].sides["us"].last_sign_of_life.as_ref().unwrap().what.contains("db.eu receives"));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_failed_or_did_not_end_begins_it_anew() {
    for broken in [
        (|second| if second == 2 { Source::Failing } else { Source::Silent }) as fn(u64) -> Source,
        |second| if second == 2 { Source::Endless } else { Source::Silent },
    ] {
        let beats = kept(broken, 8).await;
        assert_eq!(silent_since(&beats)[1..3], [Some(at(0)), None]);
        assert!(silent_since(&beats)[3] >= Some(at(3)));
    }
}

#[tokio::test(start_paused = true)]
async fn who_hears_nobody_says_nothing_of_anybody() {
    let beats = kept(|_| Source::Alone, 3).await;
    assert_eq!(silent_since(&beats), [None; 4]);
}

/// P24: outages just below and above the threshold.
#[tokio::test(start_paused = true)]
async fn the_alarm_comes_after_three_failures_in_a_row() {
    let beats =
        kept(|second| if second < 2 || second == 3 { Source::Alive } else { Source::Silent }, 7).await;
    let outages: Vec<_> =
        beats.iter().map(|beat| beat.outage.clone().map(|now| (now.since, now.detected))).collect();
    assert_eq!(beats[2].outage.as_ref().unwrap().good_until, Some(at(1)));
    assert_eq!(outages[..2], [None, None]);
    assert_eq!(outages[2], Some((at(2), None)));
    assert_eq!(outages[3], None);
    assert_eq!(outages[4], Some((at(4), None)));
    assert_eq!(outages[6], Some((at(4), Some(at(6)))));
    assert_eq!(outages[7], Some((at(4), Some(at(6)))));
}
