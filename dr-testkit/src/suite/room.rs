//! The sentences of [`dr_core::resource::Room`].

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{At, Hazard, Replicas, Room, Scale};
use tokio::time::Instant;

use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure, fails};

const FITS: u32 = 2;

/// Tries the word on whether there is room for a scale of the target.
pub async fn room(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "room");
    suite
        .case("a scale that fits meets no hazard that blocks", async |subject| {
            limited(subject).await?;
            let found = ask(subject, FITS).await?;
            ensure(!found.iter().any(|hazard| hazard.blocks), format!("{found:?}"))
        })
        .await;
    suite
        .case(
            "one replica too many meets a hazard that blocks, with a code and a sentence",
            async |subject| {
                limited(subject).await?;
                for replicas in [FITS + 1, FITS + 500] {
                    let found = ask(subject, replicas).await?;
                    let blocking = found.iter().find(|hazard| hazard.blocks);
                    let hazard = blocking.ok_or_else(|| {
                        Stop::Broken(format!("{replicas} where {FITS} fit, and nothing blocks: {found:?}"))
                    })?;
                    ensure(
                        is_code(&hazard.code),
                        format!("`{}` cannot be named by an override", hazard.code),
                    )?;
                    ensure(!hazard.message.trim().is_empty(), "it does not say why")?;
                }
                Ok(())
            },
        )
        .await;
    suite
        .case("asking changes nothing", async |subject| {
            limited(subject).await?;
            let before = subject.look().await?;
            ask(subject, FITS + 1).await?;
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite
        .case(
            "what a silent side has room for cannot be learnt: an error, in time, never room",
            async |subject| {
                ask(subject, 1).await?;
                subject.pull(Lever::Silence(subject.target.clone())).await?;
                let (time, began) = (Duration::from_secs(2), Instant::now());
                let result = measure(subject)?.room(&subject.cx_within(time), &scale(subject, 1)).await;
                fails(result, "an answer about a side that does not answer")?;
                let took = began.elapsed();
                ensure(
                    took <= time + Duration::from_millis(500),
                    format!("{time:?} were given, it took {took:?}"),
                )
            },
        )
        .await;
    suite.done()
}

/// What can be written after `--override`.
fn is_code(code: &str) -> bool {
    !code.is_empty() && code.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-')
}

fn scale(subject: &Subject, replicas: u32) -> Scale {
    Scale { side: At::Named(subject.target.clone()), replicas: Replicas::Count(replicas), after_drain: false }
}

fn measure(subject: &Subject) -> Result<Arc<dyn Room>, Stop> {
    subject.resource.room().ok_or_else(|| Stop::Skip("it measures no room".to_owned()))
}

async fn limited(subject: &Subject) -> Result<(), Stop> {
    measure(subject)?;
    subject.pull(Lever::LimitRoom(subject.target.clone(), FITS)).await
}

async fn ask(subject: &Subject, replicas: u32) -> Result<Vec<Hazard>, Stop> {
    Ok(measure(subject)?.room(&subject.cx(), &scale(subject, replicas)).await?)
}
