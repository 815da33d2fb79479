//! The sentences of `route` where callers are shared out.

use dr_core::resource::{Route, Routed, Routing, Share};
use dr_core::{ErrorKind, Happened};

use super::effect::effect;
use super::fixture::{Fixture, Subject};
use super::report::{Report, Stop, Suite, ensure, ensure_kind, fails};
use super::traffic::routing;

/// Tries shares, where the observation shows that they are kept.
pub(super) async fn shares(fixture: &dyn Fixture) -> Report {
    let of_effect = effect(
        fixture,
        |subject| subject.target.clone(),
        async |subject| {
            shown(subject).await?;
            part(subject, 10)
        },
    )
    .await;
    let mut suite = Suite::new(fixture, "shares");
    suite
        .case("the shares of all sides are all the callers", async |subject| {
            let seen = shown(subject).await?;
            let all: u32 = seen.shares.values().map(|share| u32::from(share.percent())).sum();
            ensure(all == 100, format!("{:?}", seen.shares))?;
            ensure(seen.shares.get(&subject.source) == Some(&Share::ALL), format!("{:?}", seen.shares))
        })
        .await;
    suite
        .case("a share is what the side gets, and the rest stays where it was", async |subject| {
            shown(subject).await?;
            let (left, _) = send(subject, 10, "suite/ten").await?;
            ensure(left.share.percent() == 10, format!("{left:?}"))?;
            ensure_share(subject, 10).await
        })
        .await;
    suite
        .case("undo of a step puts back the share before it, not none", async |subject| {
            shown(subject).await?;
            send(subject, 10, "suite/ten").await?;
            let (_, was) = send(subject, 50, "suite/fifty").await?;
            ensure_share(subject, 50).await?;
            let effect = subject.effect::<Route>()?;
            effect.undo(&subject.cx_of("suite/fifty"), &part(subject, 50)?, &was.before).await?;
            ensure_share(subject, 10).await
        })
        .await;
    suite
        .case("growing shares end with all callers on the target", async |subject| {
            shown(subject).await?;
            for percent in [10, 50, 100] {
                send(subject, percent, &format!("suite/{percent}")).await?;
            }
            ensure_share(subject, 100).await?;
            let seen = routing(subject).await?;
            ensure(seen.side() == Some(&subject.target), format!("{seen}"))
        })
        .await;
    suite
        .case("while callers are shared out no one side has them all", async |subject| {
            shown(subject).await?;
            send(subject, 50, "suite/fifty").await?;
            let seen = routing(subject).await?;
            ensure(seen.side().is_none(), format!("{:?} has them all: {seen}", seen.side()))
        })
        .await;
    of_effect.and(suite.done())
}

/// Tries that what sends all callers or none refuses a share of them, instead of sending all. For kinds whose
/// [`dr_core::resource::Configured::splits_traffic`] is `false`.
pub async fn all_or_none(fixture: &dyn Fixture) -> Report {
    let mut suite = Suite::new(fixture, "all or none");
    suite
        .case("a share of the callers is refused, and nothing changes", async |subject| {
            ensure(routing(subject).await?.shares.is_empty(), "it shows shares: it can send some of them")?;
            let (effect, call) = (subject.effect::<Route>()?, part(subject, 10)?);
            let before = subject.look().await?;
            let error = match effect.prepare(&subject.cx(), &call).await {
                Ok(was) => fails(effect.apply(&subject.cx(), &call, &was).await, "10 % were asked for")?,
                Err(error) => error,
            };
            ensure_kind(&error, &[ErrorKind::Unsupported, ErrorKind::Invalid, ErrorKind::Refused])?;
            ensure(error.happened() == Happened::No, format!("{error:?}"))?;
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite.done()
}

async fn shown(subject: &Subject) -> Result<Routing, Stop> {
    let seen = routing(subject).await?;
    if seen.shares.is_empty() {
        return Err(Stop::Skip("it sends all callers or none".to_owned()));
    }
    Ok(seen)
}

fn part(subject: &Subject, percent: u8) -> Result<Route, Stop> {
    let share =
        Share::of_percent(percent).ok_or_else(|| Stop::Broken(format!("{percent} % are no share")))?;
    Ok(Route::to(subject.target.clone()).sharing(share))
}

async fn send(
    subject: &Subject,
    percent: u8,
    step: &str,
) -> Result<(Routed, dr_core::resource::Prepared), Stop> {
    let (effect, call) = (subject.effect::<Route>()?, part(subject, percent)?);
    let was = effect.prepare(&subject.cx_of(step), &call).await?;
    let left = effect.apply(&subject.cx_of(step), &call, &was).await?;
    Ok((left, was))
}

async fn ensure_share(subject: &Subject, percent: u8) -> Result<(), Stop> {
    let shares = routing(subject).await?.shares;
    let of = |side| shares.get(side).copied().unwrap_or(Share::NONE).percent();
    let (there, here) = (of(&subject.target), of(&subject.source));
    ensure((there, here) == (percent, 100 - percent), format!("{percent} % were to be there: {shares:?}"))
}
