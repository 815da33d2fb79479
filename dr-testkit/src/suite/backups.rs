//! The sentences of `backup` and of [`dr_core::resource::Copies`]; those of `restore` are next door.

mod restoring;

use std::time::Duration;

use dr_core::resource::{BackedUp, Backup, Copies, CopyState, Prepared};
use dr_core::{ErrorKind, Side};

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};

pub use restoring::restoring;

/// Tries copies: taking them, looking at them, restoring them. Its parts are suites of their own, so that slow systems
/// can run them side by side.
pub async fn backups(fixture: &dyn Fixture) -> Report {
    backing_up(fixture).await.and(copies(fixture).await).and(restoring(fixture).await)
}

/// Tries `backup` as an effect, of the source, alone and with a copy on the target.
pub async fn backing_up(fixture: &dyn Fixture) -> Report {
    let on = |subject: &Subject| subject.source.clone();
    let alone = effect(fixture, on, async |subject| Ok(backup(subject, false))).await;
    let both = effect(fixture, on, async |subject| Ok(backup(subject, true))).await;
    alone.and(both)
}

/// Tries what copies mean: which there are, how old, whose.
pub async fn copies(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "copies");
    seeing(&mut suite).await;
    taking(&mut suite).await;
    suite.done()
}

async fn seeing(suite: &mut Suite<'_>) {
    suite
        .case("a copy that was taken is seen, usable, with the moment that it holds", async |subject| {
            let (left, _) = take(subject, "suite/one", false).await?;
            ensure(left.side == subject.source, format!("{left:?}"))?;
            let id = left.copies.get(&subject.source).cloned().unwrap_or_default();
            let seen = find(subject, &subject.source, &id).await?;
            let seen = seen.ok_or_else(|| Stop::Broken(format!("{id} is not among the copies")))?;
            ensure(seen.usable && !seen.state.is_empty() && !seen.of.is_empty(), format!("{seen:?}"))?;
            ensure(seen.taken == Some(left.taken), format!("{:?}, and {seen:?}", left.taken))
        })
        .await;
    suite
        .case("the age of a side is that of its newest usable copy", async |subject| {
            take(subject, "suite/one", false).await?;
            tokio::time::sleep(Duration::from_millis(1100)).await;
            let (left, _) = take(subject, "suite/two", false).await?;
            let seen = observe(subject).await?;
            let age = seen.age(&subject.source);
            ensure(age == Some(seen.at.since(left.taken)), format!("{age:?}, {left:?}"))
        })
        .await;
    suite
        .case("the newest copy comes first", async |subject| {
            for step in ["suite/one", "suite/two"] {
                take(subject, step, false).await?;
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            let all = of_side(subject, &subject.source).await?;
            let moments: Vec<_> = all.iter().filter_map(|copy| copy.taken).collect();
            ensure(moments.len() >= 2 && moments.is_sorted_by(|one, next| one >= next), format!("{all:?}"))
        })
        .await;
    suite
        .case("a copy that cannot be restored counts for no age", async |subject| {
            take(subject, "suite/one", false).await?;
            subject.pull(Lever::SpoilCopies(subject.source.clone())).await?;
            let seen = observe(subject).await?;
            let all = of_side(subject, &subject.source).await?;
            ensure(!all.is_empty() && all.iter().all(|copy| !copy.usable), format!("{all:?}"))?;
            ensure(seen.age(&subject.source).is_none(), format!("{:?}", seen.age(&subject.source)))
        })
        .await;
    suite
        .case("the copies of a silent side are unknown, never none", async |subject| {
            take(subject, "suite/one", true).await?;
            subject.pull(Lever::Silence(subject.source.clone())).await?;
            let seen = observe(subject).await?;
            ensure(seen.sides.get(&subject.source) == Some(&None), format!("{:?}", seen.sides))?;
            let other = seen.sides.get(&subject.target).cloned().flatten();
            ensure(other.is_some_and(|copies| !copies.is_empty()), format!("{:?}", seen.sides))
        })
        .await;
}

async fn taking(suite: &mut Suite<'_>) {
    suite
        .case("a copy on another side is there and usable when it returns", async |subject| {
            let (left, _) = take(subject, "suite/one", true).await?;
            let sides: Vec<&Side> = left.copies.keys().collect();
            ensure(
                sides.contains(&&subject.source) && sides.contains(&&subject.target),
                format!("{left:?}"),
            )?;
            for (side, id) in &left.copies {
                let seen = find(subject, side, id).await?;
                ensure(seen.as_ref().is_some_and(|copy| copy.usable), format!("{id} on {side}: {seen:?}"))?;
            }
            Ok(())
        })
        .await;
    suite
        .case(
            "a repeat of the same step takes no second copy, and another step takes its own",
            async |subject| {
                let before = ids(subject, &subject.source).await?.len();
                let (first, was) = take(subject, "suite/one", false).await?;
                let (effect, call) = (subject.effect::<Backup>()?, backup(subject, false));
                let again = effect.apply(&subject.cx_of("suite/one"), &call, &was).await?;
                ensure(first.copies == again.copies, format!("{first:?}, then {again:?}"))?;
                ensure(ids(subject, &subject.source).await?.len() == before + 1, "not one copy more")?;
                let (other, _) = take(subject, "suite/two", false).await?;
                ensure(first.copies != other.copies, format!("two steps, one copy: {other:?}"))?;
                ensure(ids(subject, &subject.source).await?.len() == before + 2, "not two copies more")
            },
        )
        .await;
    suite
        .case("undo removes the copy on every side, and no other", async |subject| {
            let (kept, _) = take(subject, "suite/kept", true).await?;
            let (gone, was) = take(subject, "suite/gone", true).await?;
            let effect = subject.effect::<Backup>()?;
            effect.undo(&subject.cx_of("suite/gone"), &backup(subject, true), &was.before).await?;
            for side in [&subject.source, &subject.target] {
                let left = ids(subject, side).await?;
                let has = |of: &BackedUp| of.copies.get(side).is_some_and(|id| left.contains(id));
                ensure(!has(&gone), format!("it is still on {side}: {left:?}"))?;
                ensure(has(&kept), format!("another step's copy is gone from {side}: {left:?}"))?;
            }
            Ok(())
        })
        .await;
    suite
        .case("taking a copy disturbs nobody: who writes goes on writing", async |subject| {
            let ledger =
                subject.resource.ledger().ok_or_else(|| Stop::Skip("it keeps no ledger".to_owned()))?;
            ledger.open(&subject.cx(), "suite").await?;
            take(subject, "suite/one", false).await?;
            let written = ledger.write_to(&subject.cx(), &subject.source, "suite", 1).await;
            ensure(written == dr_core::resource::Written::Acked, format!("{written:?}"))
        })
        .await;
}

fn backup(subject: &Subject, both: bool) -> Backup {
    let copy_to = both.then(|| subject.target.clone().into());
    Backup { side: subject.source.clone().into(), copy_to }
}

/// Takes a copy of the source in a step of its own. Where copies go to no other side, cases that need it are skipped.
async fn take(subject: &Subject, step: &str, both: bool) -> Result<(BackedUp, Prepared), Stop> {
    let (effect, call) = (subject.effect::<Backup>()?, backup(subject, both));
    let skip = |error: dr_core::Error| match error.kind() {
        ErrorKind::Unsupported if both => Stop::Skip("it copies to no other side".to_owned()),
        _ => Stop::from(error),
    };
    let was = effect.prepare(&subject.cx_of(step), &call).await.map_err(skip)?;
    let left = effect.apply(&subject.cx_of(step), &call, &was).await.map_err(skip)?;
    Ok((left, was))
}

async fn observe(subject: &Subject) -> Result<Copies, Stop> {
    let observer = subject.resource.observer::<Copies>();
    let observer = observer.ok_or_else(|| Stop::Skip("its copies cannot be observed".to_owned()))?;
    Ok(observer.observe(&subject.cx()).await?)
}

async fn of_side(subject: &Subject, side: &Side) -> Result<Vec<CopyState>, Stop> {
    let known = observe(subject).await?.sides.remove(side).flatten();
    known.ok_or_else(|| Stop::Broken(format!("the copies of {side} are unknown")))
}

async fn ids(subject: &Subject, side: &Side) -> Result<Vec<String>, Stop> {
    Ok(of_side(subject, side).await?.into_iter().map(|copy| copy.id).collect())
}

async fn find(subject: &Subject, side: &Side, id: &str) -> Result<Option<CopyState>, Stop> {
    Ok(of_side(subject, side).await?.into_iter().find(|copy| copy.id == id))
}
