//! `post-mortem.md`: the review's template with the facts filled in. What only people know is left for them.

use std::collections::BTreeSet;

use dr_core::event::Status;

use crate::markdown::{Page, code, inline};
use crate::metrics::Metrics;
use crate::seconds::Seconds;
use crate::story::Story;

/// The page.
pub(crate) fn post_mortem(story: &Story<'_>, metrics: &Metrics) -> String {
    let mut page = Page::default();
    let began = story.began();
    let day = story.state.began_at.to_string().get(..10).unwrap_or_default().to_owned();
    page.heading(1, &format!("DR Drill Post-Mortem - {day}"));
    page.heading(2, "Drill Details");
    page.list(&[
        format!("**Type:** {}", began.mode),
        format!("**Source Region:** {}", inline(began.roles.source.as_str())),
        format!("**Target Region:** {}", inline(began.roles.target.as_str())),
        format!("**Executed By:** {}", executed_by(story)),
        format!("**Run:** {}", code(began.run.as_str())),
        format!("**Ending:** {}", ending(story)),
    ]);
    page.heading(2, "Metrics");
    page.list(&[
        format!("**RTO:** {}", metric(metrics.rto_seconds, metrics.rto_target_seconds, metrics.rto_met)),
        format!("**RPO:** {}", metric(metrics.rpo_seconds, metrics.rpo_target_seconds, metrics.rpo_met)),
    ]);
    page.heading(2, "What Went Well");
    page.list(&or_blank(went_well(story, metrics)));
    page.heading(2, "What Didn't Go Well");
    page.list(&or_blank(went_badly(story, metrics)));
    page.heading(2, "Action Items");
    page.list(&or(actions(story), "[ ] [Action] - Owner: [name] - Due: [date]"));
    page.heading(2, "Runbook Updates Needed");
    page.list(&or_blank(Vec::new()));
    page.heading(2, "Next Drill");
    page.list(&["**Scheduled:** [date]".to_owned(), "**Focus Area:** [area to improve]".to_owned()]);
    page.finish()
}

fn executed_by(story: &Story<'_>) -> String {
    let drives = story.later_drives().iter().map(|drive| drive.actor);
    let mut known = BTreeSet::new();
    let names: Vec<String> = std::iter::once(&story.began().actor)
        .chain(drives)
        .map(|actor| inline(&actor.to_string()))
        .filter(|name| known.insert(name.clone()))
        .collect();
    names.join(", ")
}

fn ending(story: &Story<'_>) -> String {
    match (&story.ended, story.suspended()) {
        (Some(ended), _) => ended.ending.to_string(),
        (None, Some((why, _))) => format!("not ended ({why})"),
        (None, None) => "not ended".to_owned(),
    }
}

fn metric(actual: Option<Seconds>, target: Option<Seconds>, met: Option<bool>) -> String {
    let actual = actual.map_or("not measured".to_owned(), |actual| format!("{actual}s"));
    let target = target.map_or("no target".to_owned(), |target| format!("{target}s"));
    let verdict = match met {
        Some(true) => "MET",
        Some(false) => "EXCEEDED",
        None => "UNKNOWN",
    };
    format!("{actual} / {target} - {verdict}")
}

fn went_well(story: &Story<'_>, metrics: &Metrics) -> Vec<String> {
    let mut items = Vec::new();
    if metrics.rto_met == Some(true) {
        items.push("The RTO was met.".to_owned());
    }
    if metrics.rpo_met == Some(true) {
        items.push("The RPO was met.".to_owned());
    }
    if metrics.lost_writes == Some(0) && metrics.acknowledged_writes.is_some_and(|writes| writes > 0) {
        items.push("No acknowledged write was lost.".to_owned());
    }
    let phases = &story.began().script.phases;
    items.extend(phases.iter().filter_map(|phase| {
        let (took, within) = (metrics.timings.get(phase.name.as_str())?, phase.within?);
        (took.as_duration() <= within).then(|| {
            format!("{} took {took}s of its {}s.", inline(phase.name.as_str()), Seconds::from(within))
        })
    }));
    items
}

fn went_badly(story: &Story<'_>, metrics: &Metrics) -> Vec<String> {
    let mut items = Vec::new();
    if metrics.rto_met == Some(false) {
        items.push("The RTO was exceeded.".to_owned());
    }
    if metrics.rto_met.is_none() && metrics.rto_target_seconds.is_some() {
        items.push("The RTO was not measured.".to_owned());
    }
    if metrics.rpo_met == Some(false) {
        items.push("The RPO was exceeded.".to_owned());
    }
    if metrics.rpo_met.is_none() && metrics.rpo_target_seconds.is_some() {
        items.push("The RPO was not measured.".to_owned());
    }
    if let Some(lost) = metrics.lost_writes.filter(|lost| *lost > 0) {
        items.push(format!("Acknowledged writes lost: {lost}."));
    }
    items.extend(story.began().script.phases.iter().filter_map(|phase| {
        let (took, within) = (metrics.timings.get(phase.name.as_str())?, phase.within?);
        (took.as_duration() > within).then(|| {
            format!("{} took {took}s, more than its {}s.", inline(phase.name.as_str()), Seconds::from(within))
        })
    }));
    items.extend(story.steps().iter().filter_map(|step| {
        let failure = step.last_failure()?;
        let after = if step.status() == Status::Succeeded { " (it succeeded later)" } else { "" };
        Some(format!("{}: {}{after}", code(step.step.id.as_str()), inline(&failure.text)))
    }));
    items
}

fn actions(story: &Story<'_>) -> Vec<String> {
    let debts = story.state.debts.iter().map(|debt| {
        format!(
            "[ ] Pay the open debt: {} of {} - Owner: [name] - Due: [date]",
            debt.kind,
            code(debt.resource.as_str())
        )
    });
    let overrides = story.began().overrides.iter().map(|passed| {
        format!("[ ] Make the override of {} unnecessary - Owner: [name] - Due: [date]", code(&passed.gate))
    });
    debts.chain(overrides).collect()
}

fn or_blank(items: Vec<String>) -> Vec<String> {
    or(items, "[Bullet points]")
}

fn or(items: Vec<String>, blank: &str) -> Vec<String> {
    if items.is_empty() { vec![blank.to_owned()] } else { items }
}
