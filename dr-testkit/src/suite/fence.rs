//! The sentences of `fence`, `unfence` and [`dr_core::resource::Holds`].

use dr_core::ErrorKind;
use dr_core::resource::{Fence, FenceHow, FenceOutcome, FenceProof, Fencing, Written};

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};
use super::rule;

/// Tries a fence on the source, and the word on whether it holds. For stores and for workloads: what only one of them
/// has is skipped on the other.
pub async fn fence(fixture: &dyn Fixture) -> Report {
    let of_effect =
        effect(fixture, |subject| subject.source.clone(), async |subject| Ok(call(subject))).await;
    let mut suite = Suite::new(fixture, "fence");
    suite
        .case("it succeeds with a proof about its side, never with accepted silence", async |subject| {
            let proof = fenced(subject).await?;
            ensure(proof.side == subject.source, format!("{proof:?}"))
        })
        .await;
    suite
        .case("before, it is open; after, it is confirmed, looked at anew", async |subject| {
            let before = holds(subject).await?;
            let seen = format!("nobody has fenced it, and it says: {before:?}");
            rule::HOLDS.holds(matches!(before, Fencing::Open { .. }), seen)?;
            fenced(subject).await?;
            let after = holds(subject).await?;
            let seen = format!("`fence` had returned a proof, and then it says: {after:?}");
            rule::HOLDS.holds(matches!(after, Fencing::Confirmed(_)), seen)
        })
        .await;
    suite
        .case("a fenced side acknowledges no write", async |subject| {
            let ledger =
                subject.resource.ledger().ok_or_else(|| Stop::Skip("it keeps no ledger".to_owned()))?;
            ledger.open(&subject.cx(), "suite").await?;
            let before = ledger.write_to(&subject.cx(), &subject.source, "suite", 1).await;
            ensure(before == Written::Acked, format!("unfenced: {before:?}"))?;
            fenced(subject).await?;
            for row in 2..6 {
                let written = ledger.write_to(&subject.cx(), &subject.source, "suite", row).await;
                ensure(written != Written::Acked, "it acknowledged a row")?;
            }
            Ok(())
        })
        .await;
    suite
        .case("silence is no fence and no proof of one", async |subject| {
            subject.pull(Lever::Silence(subject.source.clone())).await?;
            match subject.effect::<Fence>()?.apply(&subject.cx(), &call(subject), &nothing()).await {
                Ok(outcome) => return Err(Stop::Broken(format!("{outcome:?}"))),
                Err(error) => ensure(error.kind() == ErrorKind::Unreachable, format!("{error:?}"))?,
            }
            let seen =
                subject.resource.holds().ok_or_else(no_holds)?.holds(&subject.cx(), &subject.source).await;
            let silent = matches!(&seen, Ok(Fencing::Unreachable))
                || seen.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unreachable);
            ensure(silent, format!("{seen:?}"))
        })
        .await;
    suite
        .case("what accepts connections and never answers is hung, and alive", async |subject| {
            subject.pull(Lever::Hang(subject.source.clone())).await?;
            let seen =
                subject.resource.holds().ok_or_else(no_holds)?.holds(&subject.cx(), &subject.source).await;
            let hung = matches!(&seen, Ok(Fencing::Hung))
                || seen.as_ref().is_err_and(|error| error.kind() == ErrorKind::Hung);
            ensure(hung, format!("{seen:?}"))
        })
        .await;
    suite
        .case("a fence that somebody lifted is not confirmed", async |subject| {
            fenced(subject).await?;
            subject.pull(Lever::LiftFence(subject.source.clone())).await?;
            let seen = holds(subject).await?;
            let told = format!("somebody has lifted it by hand, and it says: {seen:?}");
            rule::HOLDS.holds(!matches!(seen, Fencing::Confirmed(_)), told)
        })
        .await;
    suite
        .case("where the writers are what is fenced, none is left and none is wanted", async |subject| {
            let proof = fenced(subject).await?;
            if proof.how != FenceHow::NoWriters {
                return Err(Stop::Skip(format!("it is fenced otherwise: {}", proof.how)));
            }
            let left = subject.staff(&subject.source).await?;
            ensure(left.iter().all(|one| (one.ready, one.desired) == (0, 0)), format!("{left:?}"))?;
            ensure(proof.position.is_none(), format!("there is no log to have an end: {proof:?}"))
        })
        .await;
    of_effect.and(suite.done())
}

fn call(subject: &Subject) -> Fence {
    let mut call: Fence = serde_json::from_value(serde_json::json!({})).unwrap_or_else(|_| unreachable!());
    dr_core::resource::Call::aim(&mut call, &subject.roles());
    call
}

fn nothing() -> dr_core::resource::Prepared {
    dr_core::resource::Prepared::unknown("not looked at", dr_core::resource::Before::nothing())
}

fn no_holds() -> Stop {
    Stop::Skip("it does not say whether its fence holds".to_owned())
}

async fn holds(subject: &Subject) -> Result<Fencing, Stop> {
    let holds = subject.resource.holds().ok_or_else(no_holds)?;
    Ok(holds.holds(&subject.cx(), &subject.source).await?)
}

/// Fences the source.
pub(super) async fn fenced(subject: &Subject) -> Result<FenceProof, Stop> {
    let effect = subject.effect::<Fence>()?;
    let call = call(subject);
    let was = effect.prepare(&subject.cx(), &call).await?;
    match effect.apply(&subject.cx(), &call, &was).await? {
        FenceOutcome::Confirmed(proof) => Ok(proof),
        FenceOutcome::Accepted(risk) => Err(Stop::Broken(format!("a backend accepted a risk: {risk:?}"))),
    }
}
