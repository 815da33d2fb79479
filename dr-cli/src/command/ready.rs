//! `dr ready`: every credential, route and permission that a run needs, proven from this very seat, as if the source were
//! gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use dr_core::resource::{Ask, Call, Cx, Proof, Redactor, SeatKind, Urgency, Verdict, Wanted};
use dr_core::runbook::{CheckRoom, Script};
use dr_core::{Backends, Env, Resource, ResourceName, RunId, Side, StepId};
use serde_json::json;

use crate::actor;
use crate::args::ReadyArgs;
use crate::bound::{Loaded, load};
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::secrets;
use crate::snippet;
use crate::state;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// All of a resource's proofs together. A side that is silent must not make a person wait longer than this.
const WITHIN: Duration = Duration::from_secs(20);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// What the proofs of the state store stand under.
const STATE: &str = "the state store";

/// Proves and tells.
pub(crate) async fn run(backends: &Backends, args: &ReadyArgs) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    let roles = loaded.roles(&args.plan, false)?;
    let urgency = if args.with_source { Urgency::Planned } else { Urgency::Unplanned };
    let (script, findings) = loaded.check(&roles, urgency).map_err(|findings| {
        snippet::show(&findings, &loaded.path, &loaded.plan.text);
        Problem::shown(Exit::Plan)
    })?;
    let redactor = secrets::redactor().clone();
    let gone = (!args.with_source).then_some(&roles.source);
    let mut proofs = resources(&loaded, &script, gone, &redactor).await;
    proofs.insert(0, (STATE.to_owned(), vec![store(&loaded, args).await]));

    let all = || proofs.iter().flat_map(|(_, proofs)| proofs);
    let blocked = findings.iter().filter(|finding| finding.blocks()).count();
    let ready = blocked == 0 && all().all(|proof| proof.verdict == Verdict::Proven);
    if args.json {
        let told: BTreeMap<&String, &Vec<Proof>> =
            proofs.iter().map(|(name, proofs)| (name, proofs)).collect();
        let value = json!({
            "plan": loaded.plan.name, "ready": ready, "without": gone, "findings_that_block": blocked, "proofs": told,
        });
        anstream::println!("{}", redactor.redact(&value.to_string()));
    } else {
        let without = gone.map_or(String::new(), |side| format!("  {DIM}as if {side} were gone{DIM:#}"));
        anstream::println!("{BOLD}{}{BOLD:#}{without}", loaded.plan.name);
        for (name, proofs) in &proofs {
            anstream::print!("{}", redactor.redact(&render(name, proofs)));
        }
        anstream::println!("\n{}", summary(all(), blocked));
    }
    Ok(if ready { Exit::Success } else { Exit::NotReady })
}

/// The two writes that a run rests on.
async fn store(loaded: &Loaded, args: &ReadyArgs) -> Proof {
    let what = "read it, and write it by compare-and-set";
    let opened = match state::open(loaded, &args.plan).await {
        Ok(opened) => opened,
        Err(problem) => return Proof::missing(what, problem.message),
    };
    let proven = tokio::time::timeout(WITHIN, opened.store.prove(&actor::host(), &actor::here())).await;
    match proven {
        Ok(Ok(())) => Proof::proven(what, opened.at),
        Ok(Err(error)) => Proof::missing(what, format!("{}: {}", opened.at, error.chain())),
        Err(_) => Proof::unknown(what, format!("{}: no answer within {WITHIN:?}", opened.at)),
    }
}

/// Every resource side by side, each within its time.
async fn resources(
    loaded: &Loaded,
    script: &Script,
    gone: Option<&Side>,
    redactor: &Redactor,
) -> Vec<(String, Vec<Proof>)> {
    let env = Env::system();
    let mut tasks = Vec::new();
    let mut told = Vec::new();
    for (name, configured) in &loaded.configured {
        let wanted = wanted(script, name, gone);
        let sides: Vec<Side> = configured.sides().into_keys().filter(|side| Some(side) != gone).collect();
        match loaded.connect_one(name, &env, redactor).await {
            Err(problem) => {
                told.push((name.to_string(), vec![Proof::missing("connect to it", problem.message)]))
            }
            Ok(resource) => {
                let gone = gone.cloned();
                let proving = async move { prove(&resource, &wanted, &sides, gone.as_ref()).await };
                tasks.push((name.to_string(), tokio::spawn(proving)));
            }
        }
    }
    for (name, proving) in tasks {
        let proofs =
            proving.await.unwrap_or_else(|error| vec![Proof::unknown("all of it", error.to_string())]);
        told.push((name, proofs));
    }
    told.sort_by(|one, other| one.0.cmp(&other.0));
    told
}

/// The verbs that the run uses on a resource, but for what it does to the side that is gone.
fn wanted(script: &Script, name: &ResourceName, gone: Option<&Side>) -> Vec<Wanted> {
    let of_it = script.steps.iter().filter(|step| step.resource.as_ref() == Some(name));
    let all: BTreeSet<Wanted> = of_it
        .map(|step| {
            let side = ["in", "to", "served_by"].iter().find_map(|key| step.call.get(*key)?.as_str());
            Wanted { verb: step.verb.clone(), side: side.map(Side::new) }
        })
        // The core's own: it looks by what the backend shows, and no backend knows the verb.
        .filter(|wanted| wanted.verb != CheckRoom::VERB)
        .filter(|wanted| gone.is_none() || wanted.side.as_ref() != gone)
        .collect();
    all.into_iter().collect()
}

async fn prove(resource: &Resource, wanted: &[Wanted], sides: &[Side], gone: Option<&Side>) -> Vec<Proof> {
    let cx = Cx::new(RunId::new("ready"), StepId::new("ready"), WITHIN);
    if let Some(proves) = resource.proves() {
        let proofs = tokio::time::timeout(WITHIN, proves.prove(&cx, wanted, gone)).await;
        return proofs
            .unwrap_or_else(|_| vec![Proof::unknown("all of it", format!("no answer within {WITHIN:?}"))]);
    }
    let mut proofs = seen(resource, sides, &cx).await;
    if let Some(prober) = resource.prober() {
        let answer = prober.seat(SeatKind::Caching).ask(Ask::default(), ANSWER_WITHIN).await;
        proofs.push(match answer.is_good() {
            true => Proof::proven("ask it as a caller does", answer.to_string()),
            false => Proof::unknown("ask it as a caller does", answer.to_string()),
        });
    }
    let changes: Vec<&str> = wanted
        .iter()
        .map(|one| one.verb.as_str())
        .filter(|verb| !matches!(*verb, "observe" | "probe" | "check-roles"))
        .collect();
    if !changes.is_empty() {
        proofs.push(Proof::unknown(
            format!("the right to {}", changes.join(", ")),
            "this kind cannot try it without doing it; a drill can",
        ));
    }
    proofs
}

/// Whether each side that is not gone can be looked at.
async fn seen(resource: &Resource, sides: &[Side], cx: &Cx) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for watch in resource.watches() {
        let what = |side: &str| format!("look at its {} in {side}", watch.group());
        match cx.bound(watch.group(), watch.watch(cx)).await {
            Err(error) => proofs.push(Proof::missing(what("any side"), error.chain())),
            Ok(seen) => {
                for side in sides {
                    let facts = seen.sides.get(side);
                    let unknown = facts.is_none_or(|facts| {
                        facts.values().all(|fact| matches!(fact, dr_core::resource::Fact::Unknown))
                    });
                    if unknown && !seen.sides.is_empty() {
                        proofs.push(Proof::unknown(what(side.as_str()), "nothing of it is known"));
                    } else {
                        proofs.push(Proof::proven(what(side.as_str()), "it answers"));
                    }
                }
            }
        }
    }
    proofs
}

/// Pure, for snapshots.
fn render(name: &str, proofs: &[Proof]) -> String {
    let mut text = format!("\n{BOLD}{name}{BOLD:#}\n");
    if proofs.is_empty() {
        text.push_str(&format!("  {DIM}nothing of it is needed{DIM:#}\n"));
    }
    for proof in proofs {
        let line = match proof.verdict {
            Verdict::Proven => format!("  {GOOD}✓{GOOD:#} {}  {DIM}{}{DIM:#}\n", proof.what, proof.said),
            Verdict::Missing => format!("  {BAD}✗ {}{BAD:#}: {}\n", proof.what, proof.said),
            Verdict::Unknown => format!("  {WARN}? {}{WARN:#}: {}\n", proof.what, proof.said),
        };
        text.push_str(&line);
    }
    text
}

fn summary<'a>(proofs: impl Iterator<Item = &'a Proof>, blocked: usize) -> String {
    let (mut proven, mut missing, mut unknown) = (0, 0, 0);
    for proof in proofs {
        match proof.verdict {
            Verdict::Proven => proven += 1,
            Verdict::Missing => missing += 1,
            Verdict::Unknown => unknown += 1,
        }
    }
    let more = match blocked {
        0 => String::new(),
        1 => "; a finding of `dr check` blocks a run".to_owned(),
        many => format!("; {many} findings of `dr check` block a run"),
    };
    if missing + unknown + blocked == 0 {
        format!("{GOOD}READY{GOOD:#}: {proven} proven")
    } else {
        format!("{BAD}NOT READY{BAD:#}: {missing} missing, {unknown} unproven, {proven} proven{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_never_counted_as_there() {
        let proofs = [Proof::proven("a", ""), Proof::unknown("b", "")];
        let told = summary(proofs.iter(), 0);
        assert!(told.contains("NOT READY") && told.contains("1 unproven, 1 proven"), "{told}");
        assert_eq!(
            anstream::adapter::strip_str(&summary(proofs[..1].iter(), 0)).to_string(),
            "READY: 1 proven"
        );
    }

    #[test]
    fn what_cannot_run_is_not_ready() {
        let told = summary([Proof::proven("a", "")].iter(), 1);
        assert!(
            told.contains("NOT READY") && told.ends_with("a finding of `dr check` blocks a run"),
            "{told}"
        );
    }

    #[test]
    fn what_is_done_to_the_gone_side_is_not_wanted() {
        let step = |verb: &str, side: &str| {
            json!({ "id": format!("p/{verb}-{side}"), "phase": "p", "verb": verb, "resource": "orders",
                    "call": { "in": side }, "class": "reversible", "within": "1m" })
        };
        let script = json!({ "phases": [], "steps": [step("scale", "us"), step("scale", "eu")] });
        let script: Script = serde_json::from_value(script).unwrap();
        let gone = Side::new("us");
        let wanted = wanted(&script, &"orders".into(), Some(&gone));
        assert_eq!(wanted, [Wanted { verb: "scale".to_owned(), side: Some(Side::new("eu")) }]);
    }
}
