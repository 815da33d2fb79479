//! The sentences of [`dr_core::resource::Observe`].

use std::time::Duration;

use dr_core::resource::Fact;
use tokio::time::Instant;

use super::fixture::{Fixture, Lever};
use super::report::{Report, Stop, Suite, ensure};
use super::rule;

/// Tries every observation that a resource offers.
pub async fn observe(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "observe");
    suite
        .case("it looks and changes nothing", async |subject| {
            let before = subject.look().await?;
            ensure(!subject.resource.watches().is_empty(), "it offers no observation")?;
            for watch in subject.resource.watches() {
                watch.watch(&subject.cx()).await?;
            }
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite
        .case(
            "it is bounded by its deadline, and one side's silence does not hide the other",
            async |subject| {
                subject.pull(Lever::Silence(subject.source.clone())).await?;
                for watch in subject.resource.watches() {
                    let time = Duration::from_secs(3);
                    let began = Instant::now();
                    let seen = watch.watch(&subject.cx_within(time)).await?;
                    let took = began.elapsed();
                    ensure(
                        took <= time + Duration::from_millis(200),
                        format!("{time:?} given, {took:?} taken"),
                    )?;
                    let other = seen.sides.get(&subject.target);
                    let known = other.is_none_or(|facts| facts.values().any(|fact| *fact != Fact::Unknown));
                    ensure(
                        known,
                        format!("{}: nothing is known of {}: {seen:?}", seen.group, subject.target),
                    )?;
                }
                Ok(())
            },
        )
        .await;
    suite
        .case("what is unknown about a part is unknown, never a default", async |subject| {
            subject.pull(Lever::Silence(subject.source.clone())).await?;
            let mut silent = 0;
            for watch in subject.resource.watches() {
                let seen = watch.watch(&subject.cx()).await?;
                let Some(facts) = seen.sides.get(&subject.source) else { continue };
                silent += 1;
                let invented: Vec<_> = facts.iter().filter(|(_, fact)| **fact != Fact::Unknown).collect();
                let told: Vec<String> =
                    invented.iter().map(|(name, fact)| format!("{name} {fact}")).collect();
                let side = &subject.source;
                let seen = format!("{side} is silent, and {} says of it: {}", seen.group, told.join(", "));
                rule::PART.holds(told.is_empty(), seen)?;
            }
            if silent == 0 { Err(Stop::Skip("no observation is by side".to_owned())) } else { Ok(()) }
        })
        .await;
    suite.done()
}
