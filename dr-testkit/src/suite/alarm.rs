//! The sentences of `trigger` and of [`dr_core::resource::Alarms`].

use dr_core::Side;
use dr_core::resource::{AlarmStands, AlarmState, Alarms, Fact, Observation, Trigger};

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure, fails};

/// Tries an alarm of the target that is quiet, armed and reaches somebody.
pub async fn alarm(fixture: &dyn Fixture) -> Report {
    let of_effect =
        effect(fixture, |subject| subject.target.clone(), async |subject| Ok(trigger(subject))).await;
    let mut suite = Suite::new(fixture, "alarm");
    seeing(&mut suite).await;
    going_off(&mut suite).await;
    of_effect.and(suite.done())
}

async fn seeing(suite: &mut Suite<'_>) {
    suite
        .case("it says of each alarm how it stands, why, and whom it reaches", async |subject| {
            let there = there(subject).await?;
            ensure(!there.is_empty(), "there is no alarm")?;
            let good = |one: &AlarmState| {
                !one.name.is_empty()
                    && one.armed
                    && one.stands == AlarmStands::Quiet
                    && !one.reaches.is_empty()
            };
            ensure(there.iter().all(good), format!("{there:?}"))
        })
        .await;
    suite
        .case("a side that cannot be read is unknown, never without alarms", async |subject| {
            there(subject).await?;
            subject.pull(Lever::Silence(subject.target.clone())).await?;
            let seen = observe(subject).await?;
            ensure(seen.sides.get(&subject.target) == Some(&None), format!("{:?}", seen.sides))
        })
        .await;
    suite
        .case("an alarm without data is not quiet", async |subject| {
            subject.pull(Lever::Starve(subject.target.clone())).await?;
            let (all, facts) = (there(subject).await?, facts(subject).await?);
            ensure(all.iter().any(|one| one.stands == AlarmStands::NoData), format!("{all:?}"))?;
            let quiet = facts.get("quiet");
            ensure(matches!(quiet, Some(Fact::Part { is, of }) if is < of), format!("quiet: {quiet:?}"))
        })
        .await;
    suite
        .case("an alarm that reaches nobody, or does not act, is not heard", async |subject| {
            subject.pull(Lever::Deafen(subject.target.clone())).await?;
            let all = there(subject).await?;
            ensure(all.iter().any(|one| one.reaches.is_empty()), format!("{all:?}"))?;
            let heard = facts(subject).await?.remove("heard");
            ensure(matches!(heard, Some(Fact::Part { is, of }) if is < of), format!("heard: {heard:?}"))?;
            if subject.levers.pull(&Lever::Disarm(subject.target.clone())).await {
                let all = there(subject).await?;
                ensure(all.iter().any(|one| !one.armed), format!("{all:?}"))?;
            }
            Ok(())
        })
        .await;
}

async fn going_off(suite: &mut Suite<'_>) {
    suite
        .case("it succeeds when it reached whom it should, and is quiet again", async |subject| {
            let before = there(subject).await?;
            let (effect, call) = (subject.effect::<Trigger>()?, trigger(subject));
            let was = effect.prepare(&subject.cx(), &call).await?;
            let left = effect.apply(&subject.cx(), &call, &was).await?;
            ensure(left.side == subject.target, format!("{left:?}"))?;
            ensure(!left.reached.is_empty(), "it reached nobody, and calls that a success")?;
            let mut should = before.iter().flat_map(|one| &one.reaches);
            let missed = should.find(|who| !left.reached.contains(who));
            ensure(missed.is_none(), format!("{missed:?} was not reached: {left:?}"))?;
            let after = there(subject).await?;
            ensure(after.iter().all(|one| one.stands == AlarmStands::Quiet), format!("{after:?}"))
        })
        .await;
    suite
        .case("another step sets it off again", async |subject| {
            let (effect, call) = (subject.effect::<Trigger>()?, trigger(subject));
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            let again = effect.prepare(&subject.cx_of("suite/again"), &call).await?;
            ensure(!again.is_already(), "it takes an earlier step's alarm for its own")
        })
        .await;
    suite
        .case("where nobody hears it, it fails", async |subject| {
            subject.pull(Lever::Deafen(subject.target.clone())).await?;
            attempt(subject).await
        })
        .await;
    suite
        .case("where it does not act, it fails", async |subject| {
            subject.pull(Lever::Disarm(subject.target.clone())).await?;
            attempt(subject).await
        })
        .await;
    suite
        .case("where it is not seen to be quiet again, it fails", async |subject| {
            subject.pull(Lever::Starve(subject.target.clone())).await?;
            attempt(subject).await
        })
        .await;
    suite
        .case("undo leaves it quiet, wherever it got to", async |subject| {
            let (effect, call) = (subject.effect::<Trigger>()?, trigger(subject));
            let was = effect.prepare(&subject.cx(), &call).await?;
            let cut = std::time::Duration::from_millis(10);
            let _ = tokio::time::timeout(cut, effect.apply(&subject.cx(), &call, &was)).await;
            effect.undo(&subject.cx(), &call, &was.before).await?;
            let after = there(subject).await?;
            ensure(after.iter().all(|one| one.stands == AlarmStands::Quiet), format!("{after:?}"))
        })
        .await;
}

/// A try that has to fail, and to say why.
async fn attempt(subject: &Subject) -> Result<(), Stop> {
    let (effect, call) = (subject.effect::<Trigger>()?, trigger(subject));
    let error = match effect.prepare(&subject.cx(), &call).await {
        Ok(was) => {
            ensure(!was.is_already(), "prepare says `already`")?;
            fails(effect.apply(&subject.cx(), &call, &was).await, "it claims success")?
        }
        Err(error) => error,
    };
    ensure(!error.message().is_empty(), "it does not say why")
}

fn trigger(subject: &Subject) -> Trigger {
    Trigger { side: subject.target.clone().into(), saying: None }
}

async fn observe(subject: &Subject) -> Result<Alarms, Stop> {
    let observer = subject.resource.observer::<Alarms>();
    let observer = observer.ok_or_else(|| Stop::Broken("alarms that cannot be observed".to_owned()))?;
    Ok(observer.observe(&subject.cx()).await?)
}

async fn there(subject: &Subject) -> Result<Vec<AlarmState>, Stop> {
    let known = observe(subject).await?.sides.remove(&subject.target).flatten();
    known.ok_or_else(|| Stop::Broken(format!("the alarms of {} are unknown", subject.target)))
}

async fn facts(subject: &Subject) -> Result<dr_core::resource::Facts, Stop> {
    let side: &Side = &subject.target;
    Ok(observe(subject).await?.facts_by_side().remove(side).unwrap_or_default())
}
