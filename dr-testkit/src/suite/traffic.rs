//! The sentences of `route`.

use dr_core::ErrorKind;
use dr_core::resource::{Propagation, Route, Routing};

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};
use super::shares::shares;

/// Tries traffic: callers sent to the target, all of them and, where it can, a share.
pub async fn traffic(fixture: &dyn Fixture) -> Report {
    let of_effect =
        effect(fixture, |subject| subject.target.clone(), async |subject| Ok(route(subject))).await;
    let mut suite = Suite::new(fixture, "traffic");
    suite
        .case("it returns when those who answer for the name say so", async |subject| {
            let (effect, call) = (subject.effect::<Route>()?, route(subject));
            let was = effect.prepare(&subject.cx(), &call).await?;
            let routed = effect.apply(&subject.cx(), &call, &was).await?;
            ensure(routed.side == subject.target, format!("{routed:?}"))?;
            if routed.propagation != Propagation::Answers {
                return Ok(());
            }
            let seen = routing(subject).await?;
            ensure(seen.side() == Some(&subject.target), format!("{seen}"))
        })
        .await;
    suite
        .case("callers may use the old answer for its own time to live", async |subject| {
            let before = routing(subject).await?;
            let (effect, call) = (subject.effect::<Route>()?, route(subject));
            let was = effect.prepare(&subject.cx(), &call).await?;
            let routed = effect.apply(&subject.cx(), &call, &was).await?;
            ensure(
                before.ttl.is_none_or(|ttl| routed.old_ttl >= ttl),
                format!("{:?}, {routed:?}", before.ttl),
            )
        })
        .await;
    suite
        .case(
            "a record that somebody else changed after it was looked at is a conflict, and stays",
            async |subject| {
                let (effect, call) = (subject.effect::<Route>()?, route(subject));
                let was = effect.prepare(&subject.cx(), &call).await?;
                subject.pull(Lever::Meddle("route")).await?;
                let theirs = subject.look().await?;
                let result = effect.apply(&subject.cx(), &call, &was).await;
                let kind = result.as_ref().err().map(dr_core::Error::kind);
                ensure(kind == Some(ErrorKind::Conflict), format!("{result:?}"))?;
                ensure(theirs == subject.look().await?, "their change is gone")
            },
        )
        .await;
    elsewhere(&mut suite).await;
    of_effect.and(suite.done()).and(shares(fixture).await)
}

/// Sent to an address that the run was told, in place of the resource's own.
async fn elsewhere(suite: &mut Suite<'_>) {
    suite
        .case("an address that the call brings is used in place of its own", async |subject| {
            let (effect, call) = (subject.effect::<Route>()?, told(subject)?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            let routed = effect.apply(&subject.cx(), &call, &was).await?;
            ensure(routed.side == subject.target, format!("{routed:?}"))?;
            let prepared = effect.prepare(&subject.cx(), &call).await?;
            ensure(prepared.is_already(), format!("{prepared:?}"))?;
            let seen = routing(subject).await?;
            let mut answers = seen.answers.iter().filter_map(|answer| answer.values.as_ref());
            ensure(answers.all(|values| *values == subject.elsewhere), format!("{seen}"))
        })
        .await;
    suite
        .case("undo, which is told no address, puts back what was there before one was", async |subject| {
            let (effect, call) = (subject.effect::<Route>()?, told(subject)?);
            let before = subject.look().await?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            ensure(before != subject.look().await?, "nothing changed")?;
            effect.undo(&subject.cx(), &route(subject), &was.before).await?;
            let after = subject.look().await?;
            ensure(before == after, format!("{before}\nbecame\n{after}"))
        })
        .await;
}

fn told(subject: &Subject) -> Result<Route, Stop> {
    if subject.elsewhere.is_empty() {
        return Err(Stop::Skip("the fixture names no other address of the target".to_owned()));
    }
    Ok(Route { values: Some(subject.elsewhere.clone()), ..route(subject) })
}

fn route(subject: &Subject) -> Route {
    Route::to(subject.target.clone())
}

pub(super) async fn routing(subject: &Subject) -> Result<Routing, Stop> {
    let observer = subject.resource.observer::<Routing>();
    let observer = observer.ok_or_else(|| Stop::Broken("traffic that cannot be observed".to_owned()))?;
    Ok(observer.observe(&subject.cx()).await?)
}
