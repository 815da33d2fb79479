//! The sentences of `scale`.

use std::time::Duration;

use dr_core::resource::{At, Replicas, Scale, Staffing};
use tokio::time::Instant;

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};

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
            let observer = subject.resource.observer::<Staffing>();
            let observer =
                observer.ok_or_else(|| Stop::Broken("workloads that cannot be observed".to_owned()))?;
            let seen = observer.observe(&subject.cx()).await?;
            let there = seen.sides.get(&subject.target).cloned().flatten().unwrap_or_default();
            ensure(there.iter().all(|one| one.ready == 2) && !there.is_empty(), format!("{there:?}"))
        })
        .await;
    suite
        .case("as many as on another side are as many as that side wants", async |subject| {
            let same = Replicas::SameAs(At::Named(subject.source.clone()));
            let scaled = apply(subject, &Scale { replicas: same, ..scale(subject, 0) }).await?;
            let observer = subject.resource.observer::<Staffing>();
            let observer =
                observer.ok_or_else(|| Stop::Broken("workloads that cannot be observed".to_owned()))?;
            let seen = observer.observe(&subject.cx()).await?;
            for wanted in seen.sides.get(&subject.source).cloned().flatten().unwrap_or_default() {
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
    of_effect.and(suite.done())
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
