//! The sentences of `promote`, `follow`, `pause` and `unpause`.

use std::time::Duration;

use dr_core::resource::{
    At, Basis, FenceHow, FenceProof, Follow, FollowHow, Pause, Promote, Replication, Role, Unpause, Urgency,
    Written,
};
use dr_core::{ErrorKind, Side};

use super::effect::effect;
use super::fence::fenced;
use super::fixture::{Fixture, Subject};
use super::report::{Report, Stop, Suite, ensure};
use super::rule;

/// Tries a replicated store: promotion, following, pausing, and what they mean together. Its parts are suites of their
/// own, so that slow stores can run them side by side.
pub async fn store(fixture: &dyn Fixture) -> Report {
    let verbs = promotion(fixture).await.and(following(fixture).await);
    let pauses = pausing(fixture).await.and(unpausing(fixture).await);
    verbs.and(pauses).and(copying(fixture).await)
}

/// Tries `promote` as an effect: planned, after a fence on the source.
pub async fn promotion(fixture: &dyn Fixture) -> Report {
    effect(fixture, target, async |subject| {
        let proof = fenced(subject).await?;
        Ok(promote(subject, Some(Basis::Planned { fences: vec![proof] })))
    })
    .await
}

/// Tries `follow` as an effect, after a promotion of the target.
pub async fn following(fixture: &dyn Fixture) -> Report {
    effect(fixture, source, async |subject| {
        promoted(subject).await?;
        Ok(follow(subject))
    })
    .await
}

/// Tries `pause` as an effect.
pub async fn pausing(fixture: &dyn Fixture) -> Report {
    effect(fixture, target, async |subject| Ok(Pause { side: subject.target.clone().into() })).await
}

/// Tries `unpause` as an effect, after a pause.
pub async fn unpausing(fixture: &dyn Fixture) -> Report {
    effect(fixture, target, async |subject| {
        let (effect, call) = (subject.effect::<Pause>()?, Pause { side: subject.target.clone().into() });
        let was = effect.prepare(&subject.cx(), &call).await?;
        effect.apply(&subject.cx(), &call, &was).await?;
        Ok(Unpause { side: subject.target.clone().into() })
    })
    .await
}

fn target(subject: &Subject) -> Side {
    subject.target.clone()
}

fn source(subject: &Subject) -> Side {
    subject.source.clone()
}

/// Tries what a store's verbs mean together: who takes writes, what is lost, how far a copy lags.
pub async fn copying(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "store");
    suite
        .case("without a basis every promotion is refused, and nothing changes", async |subject| {
            let before = subject.look().await?;
            let (effect, call) = (subject.effect::<Promote>()?, promote(subject, None));
            let was = effect.prepare(&subject.cx(), &call).await?;
            let result = effect.apply(&subject.cx(), &call, &was).await;
            let kind = result.as_ref().err().map(dr_core::Error::kind);
            let seen = format!("it was asked without a basis, and returned {result:?}");
            rule::GROUNDED.holds(kind == Some(ErrorKind::Refused), seen)?;
            rule::GROUNDED.same(&before, &subject.look().await?)
        })
        .await;
    suite
        .case(
            "a planned promotion that the store cannot prove is not ready, and nothing changes",
            async |subject| {
                let before = subject.look().await?;
                let claimed = FenceProof::new(
                    subject.source.clone(),
                    FenceHow::StoppedAndBarred,
                    dr_core::Timestamp::system(),
                );
                let call = promote(subject, Some(Basis::Planned { fences: vec![claimed] }));
                let effect = subject.effect::<Promote>()?;
                let was = effect.prepare(&subject.cx(), &call).await?;
                let result = effect.apply(&subject.cx_within(Duration::from_secs(3)), &call, &was).await;
                let kind = result.as_ref().err().map(dr_core::Error::kind);
                let seen = format!("the source takes writes, and it returned {result:?}");
                rule::PLANNED.holds(kind == Some(ErrorKind::NotReady), seen)?;
                rule::PLANNED.same(&before, &subject.look().await?)
            },
        )
        .await;
    suite
        .case(
            "a promotion succeeded means that the side takes writes and nobody else does",
            async |subject| {
                let promotion = promoted(subject).await?;
                ensure(promotion.side == subject.target, format!("{promotion:?}"))?;
                let seen = replication(subject).await?;
                let writable: Vec<&str> = seen.writable_sides().into_iter().map(Side::as_str).collect();
                let told = match writable.as_slice() {
                    [] => "no side takes writes".to_owned(),
                    sides => format!("what takes writes is {}", sides.join(" and ")),
                };
                let seen = format!("`promote` of {} had returned, and {told}", subject.target);
                rule::WRITER.holds(writable == [subject.target.as_str()], seen)
            },
        )
        .await;
    suite
        .case(
            "in an unplanned run, what an earlier attempt promoted is not told as a promotion that lost nothing",
            async |subject| {
                promoted(subject).await?;
                let mut cx = subject.cx();
                (cx.urgency, cx.attempt) = (Urgency::Unplanned, 2);
                let now = dr_core::Timestamp::system();
                let fence = FenceProof::new(subject.source.clone(), FenceHow::StoppedAndBarred, now);
                let call = promote(subject, Some(Basis::Planned { fences: vec![fence] }));
                let effect = subject.effect::<Promote>()?;
                let was = effect.prepare(&cx, &call).await?;
                let again = effect.apply(&cx, &call, &was).await?;
                let seen = format!("an earlier attempt had promoted it, and this one says: {again}");
                rule::EARLIER.holds(!matches!(again.basis, Basis::Planned { .. }), seen)
            },
        )
        .await;
    suite
        .case("a planned promotion loses no acknowledged row", async |subject| {
            let ledger =
                subject.resource.ledger().ok_or_else(|| Stop::Skip("it keeps no ledger".to_owned()))?;
            ledger.open(&subject.cx(), "suite").await?;
            let mut acked = Vec::new();
            for row in 1..=50 {
                if ledger.write(&subject.cx(), "suite", row).await == Written::Acked {
                    acked.push(row);
                }
            }
            ensure(acked.len() > 10, "hardly a row was acknowledged")?;
            promoted(subject).await?;
            let kept = ledger.survivors(&subject.cx(), &subject.target, "suite", 1, 50).await?;
            let lost: Vec<_> = acked.into_iter().filter(|row| !kept.rows.contains(row)).collect();
            rule::PLANNED
                .holds(lost.is_empty(), format!("acknowledged rows are missing on the target: {lost:?}"))
        })
        .await;
    suite
        .case("an idle copy that has caught up lags by nothing", async |subject| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let seen = replication(subject).await?;
            let lag = seen.leader(&subject.target).and_then(|node| node.lag);
            let seen = format!("nobody writes, the copy has all of it, and its lag is {lag:?}");
            rule::LAG.holds(lag == Some(Duration::ZERO), seen)
        })
        .await;
    suite
        .case(
            "a copy whose replication is cut lags by more than nothing, or by an unknown time",
            async |subject| {
                subject.pull(super::fixture::Lever::CutReplication).await?;
                if let Some(ledger) = subject.resource.ledger() {
                    ledger.open(&subject.cx(), "suite").await?;
                    ledger.write(&subject.cx(), "suite", 1).await;
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
                let seen = replication(subject).await?;
                let lag = seen.leader(&subject.target).and_then(|node| node.lag);
                rule::LAG.holds(lag != Some(Duration::ZERO), "replication is cut, and the lag is zero")
            },
        )
        .await;
    suite
        .case("an old writer that follows is a standby of the new one", async |subject| {
            promoted(subject).await?;
            let (effect, call) = (subject.effect::<Follow>()?, follow(subject));
            let was = effect.prepare(&subject.cx(), &call).await?;
            let following = effect.apply(&subject.cx(), &call, &was).await?;
            ensure(following.how != FollowHow::Already, format!("{following:?}"))?;
            let seen = replication(subject).await?;
            let role = seen.leader(&subject.source).map(|node| node.role);
            ensure(role == Some(Role::Standby), format!("{role:?}"))
        })
        .await;
    suite.done()
}

fn promote(subject: &Subject, basis: Option<Basis>) -> Promote {
    Promote {
        side: At::Named(subject.target.clone()),
        accept_loss: None,
        graceful_for: Duration::from_secs(10),
        basis,
    }
}

fn follow(subject: &Subject) -> Follow {
    Follow { side: At::Named(subject.source.clone()), of: At::Named(subject.target.clone()) }
}

async fn replication(subject: &Subject) -> Result<Replication, Stop> {
    let observer = subject.resource.observer::<Replication>();
    let observer = observer.ok_or_else(|| Stop::Broken("a store that cannot be observed".to_owned()))?;
    Ok(observer.observe(&subject.cx()).await?)
}

/// Fences the source and promotes the target, waiting for the planned proof as a run does.
async fn promoted(subject: &Subject) -> Result<dr_core::resource::Promotion, Stop> {
    let proof = fenced(subject).await?;
    let (effect, call) =
        (subject.effect::<Promote>()?, promote(subject, Some(Basis::Planned { fences: vec![proof] })));
    let was = effect.prepare(&subject.cx(), &call).await?;
    let cx = subject.cx();
    loop {
        match effect.apply(&cx, &call, &was).await {
            Err(error) if error.kind() == ErrorKind::NotReady && cx.left() > Duration::from_millis(100) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return Ok(other?),
        }
    }
}
