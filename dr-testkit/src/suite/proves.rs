//! The sentences of [`dr_core::resource::Proves`].

use std::sync::Arc;
use std::time::Duration;

use dr_core::Side;
use dr_core::resource::{Cx, Proof, Proves, Verdict, Wanted};
use tokio::time::Instant;

use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};

/// Tries the proof of what every verb of the resource needs, on the target.
pub async fn proves(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "proves");
    suite
        .case(
            "where everything is there it is proven, and each proof says what was tried and seen",
            async |subject| {
                let all = prove(subject, &subject.cx(), None).await?;
                ensure(count(&all, Verdict::Proven) > 0, format!("nothing is proven: {all:?}"))?;
                let doubt = all.iter().find(|proof| proof.verdict != Verdict::Proven);
                ensure(doubt.is_none(), format!("{doubt:?}"))?;
                let mute =
                    all.iter().find(|proof| proof.what.trim().is_empty() || proof.said.trim().is_empty());
                ensure(mute.is_none(), format!("{mute:?}"))
            },
        )
        .await;
    suite
        .case("it changes nothing", async |subject| {
            let before = subject.look().await?;
            prove(subject, &subject.cx(), None).await?;
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite
        .case(
            "the side that is gone is never contacted: black-holed, it is missed by nobody",
            async |subject| {
                let gone = Some(&subject.source);
                let began = Instant::now();
                let before = prove(subject, &subject.cx(), gone).await?;
                let usual = began.elapsed();
                subject.pull(Lever::Silence(subject.source.clone())).await?;
                let began = Instant::now();
                let after = prove(subject, &subject.cx(), gone).await?;
                let took = began.elapsed();
                ensure(
                    took <= usual + Duration::from_millis(800),
                    format!("{usual:?} while it was there, {took:?} without it: it was waited for"),
                )?;
                ensure(verdicts(&before) == verdicts(&after), format!("{before:?}, without it {after:?}"))
            },
        )
        .await;
    suite
        .case("what cannot be learnt is unknown, in time, and never counted as there", async |subject| {
            let before = prove(subject, &subject.cx(), None).await?;
            subject.pull(Lever::Silence(subject.target.clone())).await?;
            let (time, began) = (Duration::from_secs(3), Instant::now());
            let after = prove(subject, &subject.cx_within(time), None).await?;
            let took = began.elapsed();
            ensure(took <= time + Duration::from_millis(500), format!("{time:?} given, {took:?} taken"))?;
            ensure(count(&after, Verdict::Unknown) > 0, format!("nothing is unknown: {after:?}"))?;
            ensure(
                count(&after, Verdict::Proven) < count(&before, Verdict::Proven),
                format!("as much is proven with {} silent: {after:?}", subject.target),
            )
        })
        .await;
    suite
        .case("a permission that was taken away is missing, and named", async |subject| {
            proving(subject)?;
            if subject.permissions.is_empty() {
                return Err(Stop::Skip("the fixture names no permissions".to_owned()));
            }
            for permission in &subject.permissions {
                subject.pull(Lever::Forbid(permission.clone())).await?;
                let all = prove(subject, &subject.cx(), Some(&subject.source)).await?;
                let named =
                    |proof: &&Proof| proof.what.contains(permission) || proof.said.contains(permission);
                let about: Vec<&Proof> = all.iter().filter(named).collect();
                ensure(
                    about.iter().any(|proof| proof.verdict == Verdict::Missing),
                    format!("no missing `{permission}` among {all:?}"),
                )?;
            }
            Ok(())
        })
        .await;
    suite
        .case("a verb that it cannot do is not proven", async |subject| {
            let wanted = Wanted { verb: "no-such-verb".to_owned(), side: Some(subject.target.clone()) };
            let all = proving(subject)?.prove(&subject.cx(), &[wanted], None).await;
            let about: Vec<&Proof> = all.iter().filter(|proof| proof.what.contains("no-such-verb")).collect();
            ensure(!about.is_empty(), format!("it says nothing of it: {all:?}"))?;
            ensure(about.iter().all(|proof| proof.verdict != Verdict::Proven), format!("{about:?}"))
        })
        .await;
    suite.done()
}

fn proving(subject: &Subject) -> Result<Arc<dyn Proves>, Stop> {
    subject.resource.proves().ok_or_else(|| Stop::Skip("it proves nothing".to_owned()))
}

async fn prove(subject: &Subject, cx: &Cx, gone: Option<&Side>) -> Result<Vec<Proof>, Stop> {
    let verbs = subject.resource.verbs();
    let wanted: Vec<Wanted> =
        verbs.map(|verb| Wanted { verb: verb.to_owned(), side: Some(subject.target.clone()) }).collect();
    Ok(proving(subject)?.prove(cx, &wanted, gone).await)
}

fn count(proofs: &[Proof], verdict: Verdict) -> usize {
    proofs.iter().filter(|proof| proof.verdict == verdict).count()
}

fn verdicts(proofs: &[Proof]) -> Vec<(&str, Verdict)> {
    let mut all: Vec<_> = proofs.iter().map(|proof| (proof.what.as_str(), proof.verdict)).collect();
    all.sort_by_key(|(what, _)| *what);
    all
}
