//! The sentences of [`dr_core::resource::Ledger`].

use std::sync::Arc;
use std::time::Duration;

use dr_core::resource::{Ledger, Written};
use tokio::time::Instant;

use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};

/// Tries a ledger whose writer is the source.
pub async fn ledger(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "ledger");
    suite
        .case("an acknowledged row is there", async |subject| {
            let ledger = opened(subject).await?;
            let written = ledger.write(&subject.cx(), "one", 7).await;
            ensure(written == Written::Acked, format!("{written:?}"))?;
            let rows = ledger.survivors(&subject.cx(), &subject.source, "one", 1, 10).await?.rows;
            ensure(rows.into_iter().eq([7]), "it is not, or something else is")
        })
        .await;
    suite
        .case("opening and closing are convergent", async |subject| {
            let ledger = opened(subject).await?;
            ledger.write(&subject.cx(), "one", 1).await;
            ledger.open(&subject.cx(), "one").await?;
            let rows = ledger.survivors(&subject.cx(), &subject.source, "one", 1, 10).await?.rows;
            ensure(rows.len() == 1, "a second opening emptied the book")?;
            ledger.close(&subject.cx(), "one").await?;
            Ok(ledger.close(&subject.cx(), "one").await?)
        })
        .await;
    suite
        .case("two books never count each other's rows", async |subject| {
            let ledger = opened(subject).await?;
            ledger.open(&subject.cx(), "two").await?;
            ledger.write(&subject.cx(), "one", 1).await;
            ledger.write(&subject.cx(), "two", 2).await;
            let one = ledger.survivors(&subject.cx(), &subject.source, "one", 1, 10).await?.rows;
            let two = ledger.survivors(&subject.cx(), &subject.source, "two", 1, 10).await?.rows;
            ensure(one.iter().eq([&1]) && two.iter().eq([&2]), format!("{one:?} and {two:?}"))
        })
        .await;
    suite
        .case("survivors are of the range that was asked for", async |subject| {
            let ledger = opened(subject).await?;
            for row in 1..=9 {
                ledger.write(&subject.cx(), "one", row).await;
            }
            let rows = ledger.survivors(&subject.cx(), &subject.source, "one", 3, 5).await?.rows;
            ensure(rows.iter().eq([&3, &4, &5]), format!("{rows:?}"))
        })
        .await;
    suite
        .case("a copy acknowledges nothing", async |subject| {
            let ledger = opened(subject).await?;
            let written = ledger.write_to(&subject.cx(), &subject.target, "one", 1).await;
            ensure(written != Written::Acked, "it acknowledged a row")
        })
        .await;
    suite
        .case("silence acknowledges nothing, in time; what was refused in it is not there", async |subject| {
            let ledger = opened(subject).await?;
            subject.pull(Lever::Silence(subject.source.clone())).await?;
            let time = Duration::from_secs(1);
            let mut all = Vec::new();
            for row in [1, 2] {
                let (began, cx) = (Instant::now(), subject.cx_within(time));
                let written = match row {
                    1 => ledger.write(&cx, "one", row).await,
                    _ => ledger.write_to(&cx, &subject.source, "one", row).await,
                };
                let took = began.elapsed();
                ensure(written != Written::Acked, format!("row {row} was acknowledged"))?;
                ensure(took <= time + Duration::from_millis(200), format!("{time:?} given, {took:?} taken"))?;
                all.push((row, written));
            }
            subject.pull(Lever::Heal(subject.source.clone())).await?;
            let kept = ledger.survivors(&subject.cx(), &subject.source, "one", 1, 2).await?.rows;
            let denied = all.iter().find(|(row, written)| *written == Written::Refused && kept.contains(row));
            ensure(denied.is_none(), format!("refused and there: {denied:?}"))
        })
        .await;
    suite.done()
}

async fn opened(subject: &Subject) -> Result<Arc<dyn Ledger>, Stop> {
    let ledger = subject.resource.ledger().ok_or_else(|| Stop::Skip("it keeps no ledger".to_owned()))?;
    ledger.open(&subject.cx(), "one").await?;
    Ok(ledger)
}
