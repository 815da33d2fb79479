//! The sentences of `configure`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dr_core::resource::{Configure, Cx, Progress, Setting};
use dr_core::{Error, Side};

use super::effect::effect;
use super::fixture::{Fixture, Lever, Subject, Told};
use super::report::{Report, Stop, Suite, ensure, fails};

/// Tries the settings of the subject ([`Subject::settings`]) on the workloads of the target.
pub async fn configure(fixture: &dyn Fixture) -> Report {
    let of_effect = effect(fixture, |subject| subject.target.clone(), async |subject| all(subject)).await;
    let mut suite = Suite::new(fixture, "configure");
    setting(&mut suite).await;
    hiding(&mut suite).await;
    of_effect.and(suite.done())
}

async fn setting(suite: &mut Suite<'_>) {
    suite
        .case("it returns when every workload runs with what was set", async |subject| {
            let call = all(subject)?;
            told(subject, &subject.target, &first(subject)?).await?;
            let left = apply(subject, &call).await?;
            ensure(left.side == subject.target, format!("{left:?}"))?;
            ensure(left.settings.iter().eq(call.set.keys()), format!("{left:?}"))?;
            let here: Vec<String> =
                subject.staff(&subject.target).await?.into_iter().map(|one| one.name).collect();
            let missing = here.iter().find(|name| !left.workloads.contains(name));
            ensure(missing.is_none() && !here.is_empty(), format!("{missing:?} is not in {left:?}"))?;
            for (name, is) in &call.set {
                let told = told(subject, &subject.target, name).await?;
                ensure(!told.is_empty(), format!("nothing runs with {name}"))?;
                let wrong = told.iter().find(|(_, has)| !means(subject, is, has.as_deref()));
                ensure(wrong.is_none(), format!("{name} shall be {is}: {}", masked(subject, &wrong)))?;
            }
            Ok(())
        })
        .await;
    suite
        .case("undo puts every setting back as it was, and an absent one is absent again", async |subject| {
            let call = all(subject)?;
            let before = every(subject, &subject.target).await?;
            let absent = before.values().flat_map(Told::values).any(Option::is_none);
            ensure(absent, "the fixture has no setting that is absent before: nothing would be shown")?;
            let effect = subject.effect::<Configure>()?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            effect.apply(&subject.cx(), &call, &was).await?;
            ensure(before != every(subject, &subject.target).await?, "nothing was set")?;
            effect.undo(&subject.cx(), &call, &was.before).await?;
            let after = every(subject, &subject.target).await?;
            ensure(
                before == after,
                format!("{} became {}", masked(subject, &before), masked(subject, &after)),
            )
        })
        .await;
    suite
        .case("what is set for some workloads is set for no other", async |subject| {
            let name = first(subject)?;
            let before = told(subject, &subject.target, &name).await?;
            let chosen = before.keys().next().filter(|_| before.len() > 1).cloned();
            let chosen = chosen.ok_or_else(|| Stop::Skip("there is only one workload".to_owned()))?;
            let mut call = all(subject)?;
            call.set.retain(|setting, _| *setting == name);
            call.of = vec![chosen.clone()];
            let left = apply(subject, &call).await?;
            ensure(left.workloads == [chosen.clone()], format!("{left:?}"))?;
            let after = told(subject, &subject.target, &name).await?;
            let changed: Vec<&String> = after
                .iter()
                .filter(|(workload, has)| before.get(*workload) != Some(*has))
                .map(|(name, _)| name)
                .collect();
            ensure(changed == [&chosen], format!("of {chosen} alone; changed: {changed:?}"))
        })
        .await;
    suite
        .case("the other side's settings stay as they are", async |subject| {
            let before = every(subject, &subject.source).await?;
            apply(subject, &all(subject)?).await?;
            ensure(before == every(subject, &subject.source).await?, "they changed as well")
        })
        .await;
    suite
        .case("a workload that is not there is an error, and nothing changes", async |subject| {
            let call = Configure { of: vec!["no-such-workload".to_owned()], ..all(subject)? };
            let before = subject.look().await?;
            let effect = subject.effect::<Configure>()?;
            if let Ok(was) = effect.prepare(&subject.cx(), &call).await {
                ensure(!was.is_already(), "prepare says `already`")?;
                fails(effect.apply(&subject.cx(), &call, &was).await, "it claims success")?;
            }
            ensure(before == subject.look().await?, "the world changed")
        })
        .await;
    suite
        .case("it claims no success where the workloads cannot start with it", async |subject| {
            let call = all(subject)?;
            let effect = subject.effect::<Configure>()?;
            let was = effect.prepare(&subject.cx(), &call).await?;
            subject.pull(Lever::BreakRollouts(subject.target.clone())).await?;
            let error = fails(effect.apply(&subject.cx(), &call, &was).await, "it claims success")?;
            ensure(!error.message().is_empty(), "it does not say why")
        })
        .await;
}

async fn hiding(suite: &mut Suite<'_>) {
    suite
        .case(
            "a secret's value shows in no outcome, no state before and no word of progress",
            async |subject| {
                let (call, hears) = (all(subject)?, Hears::default());
                secret(subject)?;
                let effect = subject.effect::<Configure>()?;
                let cx = hears.cx(subject);
                let was = effect.prepare(&cx, &call).await?;
                let left = effect.apply(&cx, &call, &was).await?;
                let again = effect.prepare(&cx, &call).await?;
                effect.undo(&cx, &call, &was.before).await?;
                let texts = [
                    format!("{was:?} {}", shown(serde_json::to_string(&was))?),
                    format!("{left:?} {left} {}", shown(serde_json::to_string(&left))?),
                    format!("{again:?}"),
                    hears.all(),
                ];
                texts.iter().try_for_each(|text| hides(subject, text))
            },
        )
        .await;
    suite
        .case("a secret's value shows in no error", async |subject| {
            let (call, hears) = (all(subject)?, Hears::default());
            secret(subject)?;
            let effect = subject.effect::<Configure>()?;
            let cx = hears.cx(subject);
            let was = effect.prepare(&cx, &call).await?;
            effect.apply(&cx, &call, &was).await?;
            let mut errors: Vec<Error> = Vec::new();
            if subject.levers.pull(&Lever::Meddle("configure")).await {
                errors.extend(effect.undo(&cx, &call, &was.before).await.err());
            }
            if subject.levers.pull(&Lever::BreakRollouts(subject.target.clone())).await {
                errors.extend(effect.apply(&cx, &call, &was).await.err());
            }
            if subject.levers.pull(&Lever::Silence(subject.target.clone())).await {
                errors.extend(effect.apply(&cx, &call, &was).await.err());
                errors.extend(effect.prepare(&cx, &call).await.err());
            }
            if errors.is_empty() {
                return Err(Stop::Skip("no lever here makes it fail".to_owned()));
            }
            errors.iter().try_for_each(|error| hides(subject, &format!("{error:?}")))?;
            hides(subject, &hears.all())
        })
        .await;
}

/// Everything that the subject sets, on the target.
fn all(subject: &Subject) -> Result<Configure, Stop> {
    subject.effect::<Configure>()?;
    if subject.settings.is_empty() {
        return Err(Stop::Skip("the fixture names no settings".to_owned()));
    }
    let set = subject.settings.iter().cloned().collect();
    Ok(Configure { side: subject.target.clone().into(), of: Vec::new(), set })
}

fn first(subject: &Subject) -> Result<String, Stop> {
    all(subject)?;
    subject.settings.first().map(|(name, _)| name.clone()).ok_or_else(|| Stop::Skip("no settings".to_owned()))
}

async fn apply(subject: &Subject, call: &Configure) -> Result<dr_core::resource::Settled, Stop> {
    let effect = subject.effect::<Configure>()?;
    let was = effect.prepare(&subject.cx(), call).await?;
    Ok(effect.apply(&subject.cx(), call, &was).await?)
}

async fn told(subject: &Subject, side: &Side, setting: &str) -> Result<Told, Stop> {
    let told = subject.levers.told(side, setting).await;
    told.ok_or_else(|| Stop::Skip("what workloads are told cannot be read beside it".to_owned()))
}

/// What the workloads of a side are told under each name that the subject sets.
async fn every(subject: &Subject, side: &Side) -> Result<BTreeMap<String, Told>, Stop> {
    let mut every = BTreeMap::new();
    for name in all(subject)?.set.into_keys() {
        let told = told(subject, side, &name).await?;
        every.insert(name, told);
    }
    Ok(every)
}

/// Whether a workload has what a setting means. A secret's value is one of the canaries.
fn means(subject: &Subject, setting: &Setting, has: Option<&str>) -> bool {
    match (setting, has) {
        (_, None) => false,
        (Setting::Text(text), Some(has)) => text == has,
        (Setting::Secret { .. }, Some(has)) => subject.canaries.iter().any(|canary| canary == has),
    }
}

fn secret(subject: &Subject) -> Result<(), Stop> {
    let any = subject.settings.iter().any(|(_, is)| matches!(is, Setting::Secret { .. }));
    if any && !subject.canaries.is_empty() {
        return Ok(());
    }
    Err(Stop::Skip("the fixture names no secret and its canary".to_owned()))
}

fn hides(subject: &Subject, text: &str) -> Result<(), Stop> {
    let shown = subject.canaries.iter().any(|canary| text.contains(canary.as_str()));
    ensure(!shown, format!("a secret shows in: {}", masked(subject, &text)))
}

fn shown(text: serde_json::Result<String>) -> Result<String, Stop> {
    text.map_err(|error| Stop::Broken(format!("it cannot be written as JSON: {error}")))
}

/// A suite's report is read by people as well: no secret in it either.
fn masked(subject: &Subject, shown: &impl std::fmt::Debug) -> String {
    subject.canaries.iter().fold(format!("{shown:?}"), |text, canary| text.replace(canary.as_str(), "•••"))
}

/// Keeps what a call says of its progress.
#[derive(Debug, Clone, Default)]
struct Hears(Arc<Mutex<String>>);

impl Hears {
    fn cx(&self, subject: &Subject) -> Cx {
        let (mut cx, heard) = (subject.cx(), Arc::clone(&self.0));
        cx.progress = Progress::to(move |said| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(said);
        });
        cx
    }

    fn all(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
