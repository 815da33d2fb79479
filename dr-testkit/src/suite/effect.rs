//! The sentences of [`dr_core::resource::Effect`], for any verb.

use std::cell::Cell;
use std::time::Duration;

use dr_core::resource::{Before, Call, Class, Prepared, Standing};
use dr_core::{ErrorKind, Happened, Side, Timestamp};
use serde_json::Value;
use tokio::time::Instant;

use super::fixture::{Fixture, Lever, Subject};
use super::report::{Report, Stop, Suite, ensure};
use super::rule;

/// Tries every sentence of the effect contract on one verb. `call` makes the call, after whatever has to be done to the
/// subject first (a promotion is preceded by a fence); `on` says which side it acts on, to be silenced.
pub async fn effect<C: Call>(
    fixture: &dyn Fixture,
    on: impl Fn(&Subject) -> Side,
    call: impl AsyncFn(&Subject) -> Result<C, Stop>,
) -> Report {
    let mut suite = Suite::new(fixture, C::VERB);
    let class = Cell::new(None);
    let call = async |subject: &Subject| {
        let call = call(subject).await;
        class.set(call.as_ref().ok().map(C::class).or(class.get()));
        call
    };
    looking(&mut suite, &on, &call).await;
    making(&mut suite, &on, &call).await;
    match class.get() {
        Some(Class::Reversible | Class::Fence) => {
            putting_back(&mut suite, &call).await;
            suite.skip(NO_RETURN, "it is no point of no return");
        }
        Some(Class::Read | Class::Irreversible) => {
            PUTTING_BACK.iter().for_each(|sentence| suite.skip(sentence, "it is not put back"));
            suite.skip(NO_RETURN, "it is no point of no return");
        }
        Some(Class::PointOfNoReturn) => {
            PUTTING_BACK.iter().for_each(|sentence| suite.skip(sentence, "it is not put back"));
            no_return(&mut suite, &call).await;
        }
        None => {
            PUTTING_BACK.iter().for_each(|sentence| suite.skip(sentence, "no call could be made"));
            suite.skip(NO_RETURN, "no call could be made");
        }
    }
    suite.done()
}

const PUTTING_BACK: [&str; 4] = [
    "undo puts back what was there, and a repeat changes nothing",
    "undo of what never was applied changes nothing",
    "undo puts back wherever the apply got to",
    "undo after somebody else's change is a conflict, and the change stays",
];
const NO_RETURN: &str = "undo of a point of no return that took effect is an error";

async fn looking<C: Call>(
    suite: &mut Suite<'_>,
    on: &impl Fn(&Subject) -> Side,
    call: &impl AsyncFn(&Subject) -> Result<C, Stop>,
) {
    suite
        .case("prepare never changes anything", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let before = subject.look().await?;
            let first = effect.prepare(&subject.cx(), &call).await?;
            let second = effect.prepare(&subject.cx(), &call).await?;
            ensure(first == second, format!("{first:?}, then {second:?}"))?;
            rule::LOOKS_ONLY.same(&before, &subject.look().await?)
        })
        .await;
    suite
        .case("prepare says what would change while it is not so", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let prepared = effect.prepare(&subject.cx(), &call).await?;
            match &prepared.standing {
                Standing::Would { diff } => ensure(!diff.0.is_empty(), "an empty difference"),
                Standing::Already | Standing::Unknown { .. } => Err(rule::ALREADY
                    .broken(format!("it was not so yet, and `prepare` says: {}", told(&prepared)))),
            }
        })
        .await;
    suite
        .case("prepare says `already` once it is so", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            rule::OBSERVED.succeeded("`apply`", effect.apply(&subject.cx(), &call, &was).await)?;
            let prepared = effect.prepare(&subject.cx(), &call).await?;
            let seen = format!("`apply` had returned, and `prepare` says: {}", told(&prepared));
            rule::OBSERVED.holds(prepared.is_already(), seen)
        })
        .await;
    suite
        .case("what cannot be read is unknown or an error, never `already`", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            subject.pull(Lever::Silence(on(subject))).await?;
            match effect.prepare(&subject.cx(), &call).await {
                Ok(prepared) => {
                    let unknown = matches!(prepared.standing, Standing::Unknown { .. });
                    let seen = format!("{} is silent, and `prepare` says: {}", on(subject), told(&prepared));
                    rule::NOT_READ.holds(unknown, seen)
                }
                Err(_) => Ok(()),
            }
        })
        .await;
    suite
        .case("it reads the version of the state before that it records", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let Prepared { before, .. } = effect.prepare(&subject.cx(), &call).await?;
            let kept: Option<Before> =
                serde_json::to_string(&before).ok().and_then(|text| serde_json::from_str(&text).ok());
            ensure(
                effect.reads().contains(&before.version),
                format!("it writes version {}", before.version),
            )?;
            ensure(kept.as_ref() == Some(&before), "the state before does not survive a journal")
        })
        .await;
}

async fn making<C: Call>(
    suite: &mut Suite<'_>,
    on: &impl Fn(&Subject) -> Side,
    call: &impl AsyncFn(&Subject) -> Result<C, Stop>,
) {
    suite
        .case("a repeat ends in the same world and returns the same outcome", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            let first = effect.apply(&subject.cx(), &call, &was).await?;
            let before = subject.look().await?;
            let second = effect.apply(&subject.cx(), &call, &was).await;
            let second = rule::CONVERGENT.succeeded("the second `apply`", second)?;
            let shown =
                |outcome: &C::Outcome| serde_json::to_value(outcome).map(timeless).unwrap_or_default();
            let how = C::VERB != "follow";
            let seen = format!("the first `apply` returned\n{first:?}\nand the second\n{second:?}");
            rule::CONVERGENT.holds(!how || shown(&first) == shown(&second), seen)?;
            rule::CONVERGENT.same(&before, &subject.look().await?)
        })
        .await;
    suite
        .case("dropped at any await it may be called again", async |subject| {
            for after in [0_u64, 1, 5, 20, 80] {
                let call = match call(subject).await {
                    Ok(call) => call,
                    // What has to be done first can be done once only: the first round has shown something.
                    Err(_) if after > 0 => break,
                    Err(stop) => return Err(stop),
                };
                let effect = subject.effect::<C>()?;
                let was = effect.prepare(&subject.cx(), &call).await?;
                let cut = Duration::from_millis(after);
                if tokio::time::timeout(cut, effect.apply(&subject.cx(), &call, &was)).await.is_ok() {
                    break;
                }
                let again = effect.apply(&subject.cx(), &call, &was).await;
                rule::DROPPED.succeeded(&format!("dropped after {cut:?}, the next `apply`"), again)?;
                let prepared = effect.prepare(&subject.cx(), &call).await?;
                let seen = format!("dropped after {cut:?} and repeated, `prepare` says: {}", told(&prepared));
                rule::DROPPED.holds(prepared.is_already(), seen)?;
            }
            Ok(())
        })
        .await;
    suite
        .case("it keeps to its deadline on a silent side", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            subject.pull(Lever::Silence(on(subject))).await?;
            let time = Duration::from_secs(2);
            let began = Instant::now();
            let cx = subject.cx_within(time);
            let result = tokio::time::timeout(time * 3, effect.apply(&cx, &call, &was)).await;
            let took = began.elapsed();
            rule::IN_TIME.holds(
                took <= time + Duration::from_millis(500),
                format!("{time:?} were given, it took {took:?}"),
            )?;
            rule::OBSERVED.holds(!matches!(result, Ok(Ok(_))), CLAIMS)
        })
        .await;
    suite
        .case("an error says that nothing happened only where nothing did", async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            let before = subject.look().await?;
            subject.pull(Lever::Silence(on(subject))).await?;
            let result = effect.apply(&subject.cx(), &call, &was).await;
            subject.pull(Lever::Heal(on(subject))).await?;
            match result {
                Ok(_) => Err(rule::OBSERVED.broken(CLAIMS)),
                Err(error) if error.happened() == Happened::No => {
                    rule::PROVEN.same(&before, &subject.look().await?)
                }
                Err(_) => Ok(()),
            }
        })
        .await;
}

async fn putting_back<C: Call>(suite: &mut Suite<'_>, call: &impl AsyncFn(&Subject) -> Result<C, Stop>) {
    suite
        .case(PUTTING_BACK[0], async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let before = subject.look().await?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            rule::PUT_BACK.succeeded("`undo`", effect.undo(&subject.cx(), &call, &was.before).await)?;
            rule::PUT_BACK.same(&before, &subject.look().await?)?;
            let again = effect.undo(&subject.cx(), &call, &was.before).await;
            rule::PUT_BACK.succeeded("the second `undo`", again)?;
            rule::PUT_BACK.same(&before, &subject.look().await?)
        })
        .await;
    suite
        .case(PUTTING_BACK[1], async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let before = subject.look().await?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            let undone = effect.undo(&subject.cx(), &call, &was.before).await;
            rule::PUT_BACK.succeeded("`undo` of what never was applied", undone)?;
            rule::PUT_BACK.same(&before, &subject.look().await?)
        })
        .await;
    suite
        .case(PUTTING_BACK[2], async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let before = subject.look().await?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            let cut = Duration::from_millis(10);
            let _ = tokio::time::timeout(cut, effect.apply(&subject.cx(), &call, &was)).await;
            let undone = effect.undo(&subject.cx(), &call, &was.before).await;
            rule::PUT_BACK.succeeded(&format!("`undo` of an `apply` dropped after {cut:?}"), undone)?;
            rule::PUT_BACK.same(&before, &subject.look().await?)
        })
        .await;
    suite
        .case(PUTTING_BACK[3], async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            subject.pull(Lever::Meddle(C::VERB)).await?;
            let theirs = subject.look().await?;
            let result = effect.undo(&subject.cx(), &call, &was.before).await;
            let kind = result.as_ref().err().map(dr_core::Error::kind);
            let seen = format!("somebody else had changed it, and `undo` returned {result:?}");
            rule::CONFLICT.holds(kind == Some(ErrorKind::Conflict), seen)?;
            rule::CONFLICT.same(&theirs, &subject.look().await?)
        })
        .await;
}

async fn no_return<C: Call>(suite: &mut Suite<'_>, call: &impl AsyncFn(&Subject) -> Result<C, Stop>) {
    suite
        .case(NO_RETURN, async |subject| {
            let (effect, call) = (subject.effect::<C>()?, call(subject).await?);
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            let world = subject.look().await?;
            let result = effect.undo(&subject.cx(), &call, &was.before).await;
            rule::CANCELS.holds(result.is_err(), "it took effect, and `undo` returned that it never will")?;
            rule::CANCELS.same(&world, &subject.look().await?)
        })
        .await;
}

const CLAIMS: &str = "the side does not answer, and `apply` claims success";

/// What `prepare` says, for people.
fn told(prepared: &Prepared) -> String {
    match &prepared.standing {
        Standing::Already => "already".to_owned(),
        Standing::Would { diff } => format!("would change {diff}"),
        Standing::Unknown { why } => format!("unknown: {why}"),
    }
}

/// An outcome without its moments: a real system does not remember when it was changed.
fn timeless(outcome: Value) -> Value {
    match outcome {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => Value::Null,
        Value::Array(items) => Value::Array(items.into_iter().map(timeless).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, timeless(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => outcome,
    }
}
