//! The prober's open loop, in stopped time.

use std::sync::Arc;
use std::time::Duration;

use dr_core::event::OutageSeen;
use dr_core::measure::{
    Acceptance, ProbeLog, ProbeLoop, ProbeSpec, ProbeWatch, Sample, SampleMark, SampleSink, Sitting,
    measure_outage,
};
use dr_core::resource::{Answer, Ask, Cancel, Canceller, Health, Prober, Seat, SeatKind};
use dr_core::{Clock, Error, Result, Timestamp, TokioClock, async_trait};
use tokio::time::{Instant, sleep};

/// What happens to a question asked at that many milliseconds.
type World = fn(u64, SeatKind) -> Fate;

#[derive(Debug, Clone, Copy)]
enum Fate {
    Good(u64),
    Bad,
    Refused,
    Silence,
    /// A seat that does not keep to its time.
    Broken,
}

#[derive(Debug)]
struct Scripted {
    world: World,
    begun: Instant,
}

#[derive(Debug)]
struct ScriptedSeat {
    world: World,
    begun: Instant,
    kind: SeatKind,
}

impl Prober for Scripted {
    fn seat(&self, kind: SeatKind) -> Box<dyn Seat> {
        Box::new(ScriptedSeat { world: self.world, begun: self.begun, kind })
    }
}

#[async_trait]
impl Seat for ScriptedSeat {
    async fn ask(&mut self, ask: Ask, within: Duration) -> Answer {
        let asked = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        match (self.world)(asked, self.kind) {
            Fate::Good(after) => {
                sleep(Duration::from_millis(after)).await;
                Answer::good(Some("eu".into()), ask.write, Duration::from_millis(after))
            }
            Fate::Bad => Answer::bad("HTTP 503", None, Duration::ZERO),
            Fate::Refused => Answer::none("refused", Duration::ZERO),
            Fate::Silence => {
                sleep(within).await;
                Answer::none("silence", within)
            }
            Fate::Broken => std::future::pending().await,
        }
    }
}

fn spec(seat: SeatKind) -> ProbeSpec {
    ProbeSpec {
        probe: "shop".into(),
        every: Duration::from_millis(250),
        within: Duration::from_secs(2),
        seats: vec![seat],
        accept: Acceptance { recovered_after: 3, served_by: None, write: false, binds_from: None },
    }
}

fn start<S: SampleSink + 'static>(spec: ProbeSpec, world: World, sink: S) -> (ProbeLoop<S>, ProbeWatch) {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(Timestamp::from_millis(0)));
    ProbeLoop::new(spec, Arc::new(Scripted { world, begun: Instant::now() }), clock, sink)
}

async fn stop_after(millis: u64, canceller: Canceller) {
    // Between two due times.
    sleep(Duration::from_millis(millis + 100)).await;
    canceller.cancel();
}

async fn asked(spec: ProbeSpec, world: World, millis: u64) -> (ProbeLog, ProbeWatch) {
    let (looping, watch) = start(spec, world, ProbeLog::default());
    let (canceller, stop) = Cancel::pair();
    let (log, ()) = tokio::join!(looping.run(stop), stop_after(millis, canceller));
    (log, watch)
}

fn samples(log: &ProbeLog) -> Vec<Sample> {
    let mut samples = log.sittings[0].1.clone();
    samples.sort_by_key(|sample| sample.due_ms);
    samples
}

fn letters(log: &ProbeLog) -> String {
    samples(log)
        .iter()
        .map(|sample| match sample.health {
            Health::Good => 'g',
            Health::Bad { .. } => 'b',
            Health::None { .. } => 'n',
        })
        .collect()
}

fn dues(log: &ProbeLog) -> Vec<u64> {
    samples(log).iter().map(|sample| sample.due_ms).collect()
}

fn hole_from_one_to_three_seconds(at: u64, _: SeatKind) -> Fate {
    if (1_000..3_000).contains(&at) { Fate::Silence } else { Fate::Good(5) }
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_one_sample_for_each_due_time() {
    let (log, _) = asked(spec(SeatKind::Caching), hole_from_one_to_three_seconds, 5_000).await;
    assert_eq!(dues(&log), (0..=20).map(|slot| slot * 250).collect::<Vec<_>>());
    assert_eq!(letters(&log), "ggggnnnnnnnnggggggggg");
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_has_one_sample_for_each_due_time_as_well() {
    let (log, _) = asked(spec(SeatKind::Kept), hole_from_one_to_three_seconds, 5_000).await;
    assert_eq!(dues(&log), (0..=20).map(|slot| slot * 250).collect::<Vec<_>>());
    assert_eq!(letters(&log), "ggggnnnnnnnnggggggggg");
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_is_no_outage_for_a_kept_connection() {
    let (log, watch) = asked(spec(SeatKind::Kept), |_, _| Fate::Good(600), 5_000).await;
    assert_eq!(letters(&log), "g".repeat(21));
    assert!(samples(&log).iter().all(|sample| sample.took_ms <= 1_200.0));
    assert!(samples(&log).iter().any(|sample| sample.took_ms > 600.0), "waiting for the connection counts");
    assert_eq!(watch.live.borrow().failed, 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_beyond_its_patience_is_none() {
    let (log, _) = asked(spec(SeatKind::Kept), |_, _| Fate::Good(1_900), 4_000).await;
    let late = samples(&log).into_iter().filter(|sample| sample.took_ms > 2_000.0);
    assert!(late.into_iter().all(|sample| !sample.is_well(false)));
}

#[tokio::test(start_paused = true)]
async fn a_seat_that_does_not_keep_its_time_is_thrown_away() {
    for seat in [SeatKind::Caching, SeatKind::Kept] {
        let world: World = |at, _| if at == 0 { Fate::Broken } else { Fate::Good(1) };
        let (log, _) = asked(spec(seat), world, 4_000).await;
        assert_eq!(log.len(), 17);
        assert!(letters(&log).starts_with('n') && letters(&log).ends_with("ggg"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_open_questions_are_awaited_at_the_end_but_not_longer_than_their_patience() {
    let begun = Instant::now();
    let (log, _) = asked(spec(SeatKind::Caching), |_, _| Fate::Silence, 1_000).await;
    assert_eq!(letters(&log), "nnnnn");
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn the_begin_and_the_end_of_an_outage_are_told_by_due_times() {
    let world: World = |at, _| if (1_000..2_000).contains(&at) { Fate::Refused } else { Fate::Good(5) };
    let (_, mut watch) = asked(spec(SeatKind::Caching), world, 4_000).await;
    let at = Timestamp::from_millis;
    assert_eq!(
        watch.seen.recv().await,
        Some(OutageSeen::Began { probe: "shop".into(), at: at(1_000), why: "refused".into() })
    );
    assert_eq!(
        watch.seen.recv().await,
        Some(OutageSeen::Ended { probe: "shop".into(), at: at(2_000), served_by: Some("eu".into()) })
    );
    assert_eq!(watch.seen.recv().await, None);
    assert_eq!(watch.live.borrow().out_since, None);
}

#[tokio::test(start_paused = true)]
async fn a_late_failure_of_an_old_question_is_no_new_outage() {
    let world: World = hole_from_one_to_three_seconds;
    let (_, mut watch) = asked(spec(SeatKind::Caching), world, 8_000).await;
    let mut told = Vec::new();
    while let Some(seen) = watch.seen.recv().await {
        told.push(seen);
    }
    assert_eq!(told.len(), 2, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_over_when_no_seat_is_out() {
    let both = ProbeSpec { seats: vec![SeatKind::Caching, SeatKind::Kept], ..spec(SeatKind::Kept) };
    let world: World = |at, seat| match seat {
        SeatKind::Caching if (1_000..2_000).contains(&at) => Fate::Bad,
        SeatKind::Kept if (1_500..3_000).contains(&at) => Fate::Bad,
        SeatKind::Caching | SeatKind::Kept => Fate::Good(1),
    };
    let (log, mut watch) = asked(both.clone(), world, 5_000).await;
    watch.seen.recv().await.unwrap();
    let Some(OutageSeen::Ended { at, .. }) = watch.seen.recv().await else { panic!("no end") };
    assert_eq!(at, Timestamp::from_millis(3_000));
    let measured = measure_outage(&"shop".into(), &log, &both.accept).unwrap();
    assert_eq!(measured.gaps.len(), 1);
    assert_eq!(measured.gaps[0].to, Some(at));
}

#[tokio::test(start_paused = true)]
async fn dropped_in_the_middle_it_leaves_what_was_settled() {
    let (looping, watch) = start(spec(SeatKind::Caching), |_, _| Fate::Good(5), ProbeLog::default());
    let run = looping.run(Cancel::never());
    assert!(tokio::time::timeout(Duration::from_millis(1_100), run).await.is_err());
    assert_eq!(watch.live.borrow().asked, 5);
}

#[derive(Debug)]
struct FullDisk;

impl SampleSink for FullDisk {
    fn begin(&mut self, _: &Sitting) -> Result<()> {
        Ok(())
    }
    fn put(&mut self, _: &Sample) -> Result<()> {
        Err(Error::invalid("no space left on device"))
    }
    fn sync(&mut self) -> Result<Option<SampleMark>> {
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_told_and_does_not_stop_the_asking() {
    let (looping, watch) = start(spec(SeatKind::Caching), |_, _| Fate::Good(5), FullDisk);
    let (canceller, stop) = Cancel::pair();
    tokio::join!(looping.run(stop), stop_after(2_000, canceller));
    let live = watch.live.borrow();
    assert_eq!(live.asked, 9);
    assert_eq!(live.unrecorded.as_deref(), Some("no space left on device"));
}

#[tokio::test]
async fn a_due_time_that_the_process_slept_through_is_not_asked_late() {
    let quick = ProbeSpec { every: Duration::from_millis(50), ..spec(SeatKind::Caching) };
    let (looping, _watch) = start(quick, |_, _| Fate::Good(0), ProbeLog::default());
    let (canceller, stop) = Cancel::pair();
    let sleeper = async {
        sleep(Duration::from_millis(20)).await;
        std::thread::sleep(Duration::from_millis(400));
        sleep(Duration::from_millis(120)).await;
        canceller.cancel();
    };
    let (log, ()) = tokio::join!(looping.run(stop), sleeper);
    let holes = dues(&log).windows(2).filter(|pair| pair[1] - pair[0] >= 300).count();
    assert!(holes > 0, "{:?}", dues(&log));
}
