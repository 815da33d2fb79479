//! The sentences of [`dr_core::resource::Addresses`].

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::Addresses;
use dr_core::{ErrorKind, Side};
use tokio::time::Instant;

use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure, ensure_kind, fails};

/// Tries the word on where a side is entered.
pub async fn addresses(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "addresses");
    suite
        .case("each side has at least one address, and they are sorted", async |subject| {
            for side in [&subject.source, &subject.target] {
                let all = ask(subject, side).await?;
                ensure(!all.is_empty(), format!("{side}: none, where `NotReady` is the answer"))?;
                ensure(all.is_sorted_by(|one, next| one < next), format!("{side}: {all:?}"))?;
                ensure(all.iter().all(|one| !one.trim().is_empty()), format!("{side}: {all:?}"))?;
            }
            Ok(())
        })
        .await;
    suite
        .case("two sides are not entered at the same address", async |subject| {
            let (here, there) = (ask(subject, &subject.source).await?, ask(subject, &subject.target).await?);
            ensure(here.iter().all(|one| !there.contains(one)), format!("{here:?} and {there:?}"))
        })
        .await;
    suite
        .case("asking changes nothing", async |subject| {
            let before = subject.look().await?;
            ask(subject, &subject.target).await?;
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite
        .case("while there is none it is not ready, never empty and never the one before", async |subject| {
            ask(subject, &subject.target).await?;
            subject.pull(Lever::NoAddress(subject.target.clone())).await?;
            let result = known(subject)?.addresses(&subject.cx(), &subject.target).await;
            ensure_kind(&fails(result, "an address, where there is none")?, &[ErrorKind::NotReady])
        })
        .await;
    suite
        .case("it is read from what is there now", async |subject| {
            let before = ask(subject, &subject.target).await?;
            subject.pull(Lever::Readdress(subject.target.clone())).await?;
            let after = ask(subject, &subject.target).await?;
            ensure(before != after, format!("{before:?} still, after they changed"))
        })
        .await;
    suite
        .case("a silent side has no known address, and it says so in time", async |subject| {
            ask(subject, &subject.target).await?;
            subject.pull(Lever::Silence(subject.target.clone())).await?;
            let (time, began) = (Duration::from_secs(2), Instant::now());
            let result = known(subject)?.addresses(&subject.cx_within(time), &subject.target).await;
            fails(result, "an address of a side that does not answer")?;
            let took = began.elapsed();
            ensure(
                took <= time + Duration::from_millis(500),
                format!("{time:?} were given, it took {took:?}"),
            )
        })
        .await;
    suite.done()
}

fn known(subject: &Subject) -> Result<Arc<dyn Addresses>, Stop> {
    subject.resource.addresses().ok_or_else(|| Stop::Skip("it knows no addresses".to_owned()))
}

async fn ask(subject: &Subject, side: &Side) -> Result<Vec<String>, Stop> {
    Ok(known(subject)?.addresses(&subject.cx(), side).await?)
}
