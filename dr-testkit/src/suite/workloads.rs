//! The sentences of `scale`.

use std::time::Duration;

use dr_core::ErrorKind;
use dr_core::resource::{At, Cx, Replicas, Scale};
use tokio::time::Instant;

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure, ensure_kind, fails};

/// Tries workloads: more room on the target.
pub async fn workloads(fixture: &dyn Fixture) -> Report {
    let of_effect =
        effect(fixture, |subject| subject.target.clone(), async |subject| Ok(scale(subject, 2))).await;
    let mut suite = Suite::new(fixture, "workloads");
    suite
        .case("it returns when as many are ready as were asked for", async |subject| {
            let scaled = apply(subject, &scale(subject, 2)).await?;
            ensure(!scaled.workloads.is_empty(), "no workload")?;
            ensure(
                scaled.workloads.iter().all(|one| (one.ready, one.desired) == (2, 2)),
                format!("{scaled:?}"),
            )?;
            let there = subject.staff(&subject.target).await?;
            ensure(there.iter().all(|one| one.ready == 2) && !there.is_empty(), format!("{there:?}"))
        })
        .await;
    suite
        .case("as many as on another side are as many as that side wants", async |subject| {
            let same = Replicas::SameAs(At::Named(subject.source.clone()));
            let scaled = apply(subject, &Scale { replicas: same, ..scale(subject, 0) }).await?;
            for wanted in subject.staff(&subject.source).await? {
                let got = scaled.workloads.iter().find(|one| one.name == wanted.name).map(|one| one.ready);
                ensure(got == Some(wanted.desired), format!("{}: {got:?}", wanted.name))?;
            }
            Ok(())
        })
        .await;
    suite
        .case("a roll-out that can no longer succeed fails at once, in the system's words", async |subject| {
            subject.pull(Lever::BreakRollouts(subject.target.clone())).await?;
            let began = Instant::now();
            let call = scale(subject, 2);
            let effect = subject.effect::<Scale>()?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            let result = effect.apply(&subject.cx(), &call, &was).await;
            let error = result.err().ok_or_else(|| Stop::Broken("it claims success".to_owned()))?;
            ensure(began.elapsed() < subject.patience.mul_f64(0.8), "it waited for its deadline")?;
            ensure(!error.message().is_empty(), "it does not say why")
        })
        .await;
    parts(&mut suite).await;
    before(&mut suite).await;
    of_effect.and(suite.done())
}

async fn parts(suite: &mut Suite<'_>) {
    suite
        .case("a part of what another side wants is rounded up", async |subject| {
            for percent in [50, 1, 100] {
                let replicas = Replicas::Percent { percent, of: At::Named(subject.source.clone()) };
                let scaled = apply(subject, &Scale { replicas, ..scale(subject, 0) }).await?;
                for wanted in subject.staff(&subject.source).await? {
                    let should = Replicas::part_of(percent, wanted.desired);
                    let got =
                        scaled.workloads.iter().find(|one| one.name == wanted.name).map(|one| one.ready);
                    ensure(
                        got == Some(should),
                        format!("{percent} % of {} of {} are {got:?}", wanted.desired, wanted.name),
                    )?;
                }
            }
            Ok(())
        })
        .await;
}

/// `before` is what was there before a run first scaled that side; a later run notes anew.
async fn before(suite: &mut Suite<'_>) {
    suite
        .case(
            "as many as before are as many as there were before the run first scaled that side",
            async |subject| {
                let was = counts(subject).await?;
                by(subject, "suites", Replicas::Count(2)).await?;
                by(subject, "suites", Replicas::Count(1)).await?;
                by(subject, "suites", Replicas::Before).await?;
                let now = counts(subject).await?;
                ensure(was == now, format!("{was:?} before, {now:?} now"))
            },
        )
        .await;
    suite
        .case("another run finds what an earlier one noted", async |subject| {
            let was = counts(subject).await?;
            by(subject, "suites", Replicas::Count(2)).await?;
            by(subject, "return", Replicas::Before).await?;
            let now = counts(subject).await?;
            ensure(was == now, format!("{was:?} before, {now:?} now"))
        })
        .await;
    suite
        .case("a later run notes anew what it finds", async |subject| {
            by(subject, "suites", Replicas::Count(2)).await?;
            by(subject, "second", Replicas::Count(1)).await?;
            by(subject, "return", Replicas::Before).await?;
            let now = counts(subject).await?;
            ensure(now.iter().all(|(_, desired)| *desired == 2), format!("2 before the last run: {now:?}"))
        })
        .await;
    suite
        .case("where nobody noted how many there were, it is refused and nothing changes", async |subject| {
            let world = subject.look().await?;
            let (effect, call) =
                (subject.effect::<Scale>()?, Scale { replicas: Replicas::Before, ..scale(subject, 0) });
            let error = match effect.prepare(&subject.cx(), &call).await {
                Ok(was) => {
                    ensure(!was.is_already(), "prepare says `already`")?;
                    fails(effect.apply(&subject.cx(), &call, &was).await, "it claims success")?
                }
                Err(error) => error,
            };
            ensure_kind(&error, &[ErrorKind::Refused, ErrorKind::Unsupported])?;
            ensure(world == subject.look().await?, "the world changed")
        })
        .await;
}

/// Scales the target, in a run of that name.
async fn by(subject: &Subject, run: &str, replicas: Replicas) -> Result<(), Stop> {
    let (effect, call) = (subject.effect::<Scale>()?, Scale { replicas, ..scale(subject, 0) });
    let run = format!("20270115T080000Z-{run}");
    let cx = Cx::new(run.as_str().into(), "suite/case".into(), subject.patience);
    let was = match effect.prepare(&cx, &call).await {
        Err(error) if call.replicas == Replicas::Before && error.kind() == ErrorKind::Unsupported => {
            return Err(Stop::Skip("it notes no earlier numbers, and says so".to_owned()));
        }
        prepared => prepared?,
    };
    effect.apply(&cx, &call, &was).await?;
    Ok(())
}

async fn counts(subject: &Subject) -> Result<Vec<(String, u32)>, Stop> {
    subject.effect::<Scale>()?;
    let there = subject.staff(&subject.target).await?;
    Ok(there.into_iter().map(|one| (one.name, one.desired)).collect())
}

fn scale(subject: &Subject, replicas: u32) -> Scale {
    Scale { side: At::Named(subject.target.clone()), replicas: Replicas::Count(replicas), after_drain: false }
}

async fn apply(subject: &Subject, call: &Scale) -> Result<dr_core::resource::Scaled, Stop> {
    let effect = subject.effect::<Scale>()?;
    let was = effect.prepare(&subject.cx(), call).await?;
    let cx = subject.cx_within(subject.patience.max(Duration::from_secs(10)));
    Ok(effect.apply(&cx, call, &was).await?)
}
