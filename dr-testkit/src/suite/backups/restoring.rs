//! The sentences of `restore`.

use std::time::Duration;

use dr_core::resource::{BackedUp, Point, Prepared, Replication, Restore, Restored};
use dr_core::{ErrorKind, Happened, Timestamp};

use super::{ids, of_side, take};
use crate::suite::effect::effect;
use crate::suite::fixture::{Fixture, Lever, Subject};
use crate::suite::report::{Report, Stop, Suite, ensure, ensure_kind, fails};

/// What the restored thing is called.
const NAME: &str = "suite-restored";

/// Tries `restore` on the target, of a copy that the source sent there.
pub async fn restoring(fixture: &dyn Fixture) -> Report {
    let of_effect = effect(
        fixture,
        |subject| subject.target.clone(),
        async |subject| {
            subject.effect::<Restore>()?;
            take(subject, "suite/copied", true).await?;
            Ok(restore(subject, Point::Latest, NAME))
        },
    )
    .await;
    let mut suite = Suite::new(fixture, "restore");
    points(&mut suite).await;
    beside(&mut suite).await;
    of_effect.and(suite.done())
}

async fn points(suite: &mut Suite<'_>) {
    suite
        .case("the latest is the newest copy that can be restored", async |subject| {
            let (_, second) = two(subject).await?;
            let left = apply(subject, &restore(subject, Point::Latest, NAME)).await?;
            ensure(left.side == subject.target && !left.what.is_empty(), format!("{left:?}"))?;
            ensure(Some(&left.from) == second.copies.get(&subject.target), format!("{second:?}, {left:?}"))
        })
        .await;
    suite
        .case("a moment is the state as it was then, and nothing younger", async |subject| {
            let (first, second) = two(subject).await?;
            let moment = first.taken.plus(Duration::from_millis(500));
            let left = apply(subject, &restore(subject, Point::At(moment), NAME)).await?;
            ensure(
                left.holds.is_some_and(|at| first.taken <= at && at <= moment && at < second.taken),
                format!("as of {moment}: {left:?}"),
            )
        })
        .await;
    suite
        .case("a copy's name is that copy", async |subject| {
            let (first, _) = two(subject).await?;
            let id = first.copies.get(&subject.target).cloned().unwrap_or_default();
            let left = apply(subject, &restore(subject, Point::Copy(id.clone()), NAME)).await?;
            ensure(left.from == id && left.holds == Some(first.taken), format!("{first:?}, {left:?}"))
        })
        .await;
    suite
        .case("a copy that is not there is not found, and nothing happens", async |subject| {
            take(subject, "suite/copied", true).await?;
            missing(subject, Point::Copy("suite-no-such-copy".to_owned())).await
        })
        .await;
    suite
        .case("a moment before every copy is not found, and nothing happens", async |subject| {
            take(subject, "suite/copied", true).await?;
            missing(subject, Point::At(Timestamp::from_millis(1))).await
        })
        .await;
    suite
        .case("a copy that cannot be restored is not taken for the latest", async |subject| {
            take(subject, "suite/copied", true).await?;
            subject.pull(Lever::SpoilCopies(subject.target.clone())).await?;
            missing(subject, Point::Latest).await
        })
        .await;
}

async fn beside(suite: &mut Suite<'_>) {
    suite
        .case("it never restores over what is there", async |subject| {
            let (first, second) = two(subject).await?;
            let copy =
                |of: &BackedUp| Point::Copy(of.copies.get(&subject.target).cloned().unwrap_or_default());
            apply(subject, &restore(subject, copy(&first), NAME)).await?;
            let before = subject.look().await?;
            let (effect, call) = (subject.effect::<Restore>()?, restore(subject, copy(&second), NAME));
            let cx = subject.cx_of("suite/over");
            let error = match effect.prepare(&cx, &call).await {
                Ok(was) => {
                    ensure(!was.is_already(), "it takes another copy's restored state for its own")?;
                    fails(effect.apply(&cx, &call, &was).await, "it restored over it")?
                }
                Err(error) => error,
            };
            ensure_kind(&error, &[ErrorKind::Conflict, ErrorKind::Refused])?;
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite
        .case("undo discards what was restored and nothing else", async |subject| {
            take(subject, "suite/copied", true).await?;
            let call = restore(subject, Point::Latest, "suite-kept");
            apply(subject, &call).await?;
            let before = subject.look().await?;
            let copies = ids(subject, &subject.target).await?;
            let (effect, call) = (subject.effect::<Restore>()?, restore(subject, Point::Latest, NAME));
            let cx = subject.cx_of("suite/discarded");
            let was = effect.prepare(&cx, &call).await?;
            effect.apply(&cx, &call, &was).await?;
            ensure(before != subject.look().await?, "nothing was restored that can be seen")?;
            effect.undo(&cx, &call, &was.before).await?;
            let after = subject.look().await?;
            ensure(before == after, format!("the world was\n{before}\nand is\n{after}"))?;
            ensure(copies == ids(subject, &subject.target).await?, "a copy went with it")
        })
        .await;
    suite
        .case("what was restored takes no part in replication and no writes", async |subject| {
            take(subject, "suite/copied", true).await?;
            let observer = subject.resource.observer::<Replication>();
            let observer = observer.ok_or_else(|| Stop::Skip("it replicates nothing".to_owned()))?;
            let before = observer.observe(&subject.cx()).await?;
            apply(subject, &restore(subject, Point::Latest, NAME)).await?;
            let after = observer.observe(&subject.cx()).await?;
            let parts = |seen: &Replication| {
                let sides = seen.sides.iter();
                let nodes = |side: &dr_core::resource::SideState| {
                    side.nodes
                        .iter()
                        .map(|node| (node.node.clone(), node.role, node.writable))
                        .collect::<Vec<_>>()
                };
                sides.map(|(side, is)| (side.clone(), nodes(is), is.strangers.clone())).collect::<Vec<_>>()
            };
            ensure(parts(&before) == parts(&after), format!("{before}\nbecame\n{after}"))
        })
        .await;
}

/// What cannot be found has to say so, before anything is done.
async fn missing(subject: &Subject, point: Point) -> Result<(), Stop> {
    let before = subject.look().await?;
    let (effect, call) = (subject.effect::<Restore>()?, restore(subject, point, NAME));
    let error = match effect.prepare(&subject.cx(), &call).await {
        Ok(was) => {
            ensure(!was.is_already(), "prepare says `already`")?;
            fails(effect.apply(&subject.cx(), &call, &was).await, "it claims success")?
        }
        Err(error) => error,
    };
    ensure_kind(&error, &[ErrorKind::NotFound])?;
    ensure(error.happened() == Happened::No, format!("{error:?}"))?;
    ensure(before == subject.look().await?, "the world changed")
}

/// Two copies on the target, the second younger by more than a second.
async fn two(subject: &Subject) -> Result<(BackedUp, BackedUp), Stop> {
    subject.effect::<Restore>()?;
    let (first, _) = take(subject, "suite/first", true).await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (second, _) = take(subject, "suite/second", true).await?;
    let there = of_side(subject, &subject.target).await?;
    ensure(there.len() >= 2 && first.taken < second.taken, format!("{first:?}, {second:?}, {there:?}"))?;
    Ok((first, second))
}

fn restore(subject: &Subject, point: Point, into: &str) -> Restore {
    Restore { side: subject.target.clone().into(), point, into: Some(into.to_owned()), only: None }
}

async fn apply(subject: &Subject, call: &Restore) -> Result<Restored, Stop> {
    let effect = subject.effect::<Restore>()?;
    let was: Prepared = effect.prepare(&subject.cx(), call).await?;
    Ok(effect.apply(&subject.cx(), call, &was).await?)
}
