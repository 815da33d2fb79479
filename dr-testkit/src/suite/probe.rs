//! The sentences of [`dr_core::resource::Prober`] and its seats.

use std::time::Duration;

use dr_core::resource::{Ask, Health, SeatKind};
use tokio::time::Instant;

use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};

const WITHIN: Duration = Duration::from_secs(1);

/// Tries a prober of a healthy service that the source serves.
pub async fn probe(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "probe");
    for kind in [SeatKind::Caching, SeatKind::Kept] {
        suite
            .case(&format!("a {kind:?} seat hears a good answer and who gave it"), async |subject| {
                let answer = prober(subject)?.seat(kind).ask(Ask { write: false }, WITHIN).await;
                ensure(answer.is_good(), &answer)?;
                let named = answer.served_by.as_ref().is_none_or(|side| *side == subject.source);
                ensure(named, &answer)?;
                ensure(!answer.wrote, "it claims a write that nobody asked for")
            })
            .await;
        suite
            .case(&format!("silence is an answer to a {kind:?} seat, and in time"), async |subject| {
                let mut seat = prober(subject)?.seat(kind);
                seat.ask(Ask { write: false }, WITHIN).await;
                subject.pull(Lever::Silence(subject.source.clone())).await?;
                let began = Instant::now();
                let answer = seat.ask(Ask { write: false }, WITHIN).await;
                let took = began.elapsed();
                ensure(took <= WITHIN + Duration::from_millis(100), format!("it took {took:?}"))?;
                ensure(matches!(answer.health, Health::None { .. }), &answer)?;
                subject.pull(Lever::Heal(subject.source.clone())).await?;
                let mut again = seat.ask(Ask { write: false }, WITHIN).await;
                for _ in 0..50 {
                    if again.is_good() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    again = seat.ask(Ask { write: false }, WITHIN).await;
                }
                ensure(again.is_good(), format!("it never hears the healed service: {again}"))
            })
            .await;
    }
    suite
        .case("a question that has to write says whether it wrote", async |subject| {
            let answer = prober(subject)?.seat(SeatKind::Caching).ask(Ask { write: true }, WITHIN).await;
            ensure(answer.wrote == answer.is_good(), &answer)
        })
        .await;
    suite
        .case("the verb `probe` comes with it", async |subject| {
            ensure(subject.resource.verbs().any(|verb| verb == "probe"), "it does not")
        })
        .await;
    suite.done()
}

fn prober(subject: &Subject) -> Result<std::sync::Arc<dyn dr_core::resource::Prober>, Stop> {
    subject.resource.prober().ok_or_else(|| Stop::Skip("it is no prober".to_owned()))
}
