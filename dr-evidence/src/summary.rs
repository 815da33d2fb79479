//! `summary.md`: one page for whoever asks how it went. The verdict first.

use dr_core::event::{Debt, Ending, Mode, Status, Suspension};
use dr_core::measure::{Basis, Gap, LossMeasured, OutageMeasured};
use dr_core::plan::{Finding, Limit};
use dr_core::resource::{FenceOutcome, Standing};
use dr_core::time::show_duration;

use crate::log::request_in_words;
use crate::markdown::{Page, code, count, counted, inline};
use crate::metrics::Metrics;
use crate::seconds::Seconds;
use crate::story::{StepStory, Story};

/// How many lost rows are named; all of them are in the journal.
const ROWS_NAMED: usize = 20;

/// How many outages are named; all of them are in the journal.
const GAPS_NAMED: usize = 5;

/// The page.
pub(crate) fn summary(story: &Story<'_>, metrics: &Metrics, findings: &[Finding]) -> String {
    let mut page = Page::default();
    verdict(&mut page, story, metrics);
    figures(&mut page, story, metrics);
    phases(&mut page, story, metrics);
    changes(&mut page, story);
    not_exercised(&mut page, story);
    callers(&mut page, story);
    losses(&mut page, story, metrics);
    overrides(&mut page, story);
    risks(&mut page, story);
    emulated(&mut page, story);
    acknowledged(&mut page, findings);
    debts(&mut page, story);
    people(&mut page, story);
    page.finish()
}

fn verdict(page: &mut Page, story: &Story<'_>, metrics: &Metrics) {
    let began = story.began();
    let outcome = match (&story.ended, story.suspended()) {
        (Some(ended), _) if !began.mode.is_live() => format!("dry run {}", ended.ending),
        (Some(ended), _) => ended.ending.to_string(),
        (None, Some((why, _))) => format!("NOT ENDED: {why}"),
        (None, None) => "NOT ENDED".to_owned(),
    };
    page.heading(1, &format!("{}: {outcome}", began.plan));
    let (source, target) = (inline(began.roles.source.as_str()), inline(began.roles.target.as_str()));
    let sentences = [Some(outcome_in_words(story)), outage_in_words(metrics), loss_in_words(metrics)];
    page.paragraph(&format!(
        "**{source} → {target}.** {}",
        sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
    ));
    if let Some(since) = story.state.nobody_can_write_since().filter(|_| !story.is_over()) {
        page.paragraph(&format!("**NOBODY CAN WRITE since {}.**", since.clock()));
    }
    let said = match (&story.ended, story.suspended()) {
        (Some(ended), _) => ended.text,
        (None, Some((_, text))) => text,
        (None, None) => "",
    };
    if !said.trim().is_empty() {
        page.paragraph(&format!("> {}", inline(said)));
    }
    let end = match &story.ended {
        Some(ended) if ended.at.clock() == story.state.began_at.clock() => String::new(),
        Some(ended) => format!(" to {}", ended.at.clock()),
        None => format!(", last heard of at {}", story.state.last_at.clock()),
    };
    let took = metrics.run_seconds.map_or(String::new(), |took| format!(" ({})", show(took)));
    page.paragraph(&format!(
        "{} {}, {} {}{end} UTC{took}, begun by {}.",
        capital(began.mode.as_str()),
        code(began.run.as_str()),
        story.state.began_at.to_string().get(..10).unwrap_or_default(),
        story.state.began_at.clock(),
        inline(&began.actor.to_string())
    ));
}

fn outcome_in_words(story: &Story<'_>) -> String {
    let Some(ended) = &story.ended else {
        let run = code(&format!("dr resume {}", story.began().run));
        return match story.suspended().map(|(why, _)| why) {
            Some(Suspension::Interrupted) => format!("Somebody interrupted it; {run} goes on."),
            Some(Suspension::Held) => {
                format!("It failed where going back is not allowed: a person decides, then {run} goes on.")
            }
            Some(Suspension::Stuck) => {
                format!("Something could not be put back: after the manual steps {run} goes on.")
            }
            Some(Suspension::JournalLost) => {
                format!("Its journal could not be written any more; {run} reads the world again and goes on.")
            }
            Some(Suspension::OwnershipLost) => "Another process drives it now.".to_owned(),
            None => format!("The process that drove it fell silent; {run} goes on."),
        };
    };
    match ended.ending {
        Ending::Succeeded if !story.began().mode.is_live() => {
            "Nothing was changed: this is what would happen.".to_owned()
        }
        Ending::Succeeded => "Everything is as the plan says.".to_owned(),
        Ending::OverBudget => {
            "Everything is as the plan says, but it took or lost more than the budget allows.".to_owned()
        }
        Ending::Recovered => {
            let open = counted(story.state.debts.len() as u64, "debt is", "debts are");
            format!("Service is back; {open} open.")
        }
        Ending::NothingToDo => "It was so already: nothing was done.".to_owned(),
        Ending::Refused => "It was refused before anything was touched.".to_owned(),
        Ending::RolledBack => {
            "It failed before the point of no return, and what was done was put back.".to_owned()
        }
        Ending::Aborted => "A person ended it.".to_owned(),
    }
}

fn outage_in_words(metrics: &Metrics) -> Option<String> {
    let seconds = metrics.rto_seconds?;
    if metrics.rto_basis == Some(Basis::Estimate) {
        return Some(format!("It is expected to take {}.", seconds.for_people()));
    }
    let time = show(seconds);
    Some(match metrics.rto_met {
        Some(true) => format!("Callers were without the service for {time}, within the budget."),
        Some(false) => {
            format!("Callers were without the service for {}, **over the budget**.", seconds.for_people())
        }
        None => format!("Callers were without the service for {time}."),
    })
}

fn loss_in_words(metrics: &Metrics) -> Option<String> {
    let (acknowledged, lost) = (metrics.acknowledged_writes?, metrics.lost_writes?);
    if acknowledged == 0 {
        return None;
    }
    let of = counted(acknowledged, "acknowledged write", "acknowledged writes");
    Some(match lost {
        0 => format!("Of {of} none was lost."),
        1 => format!("Of {of} **1 was lost**."),
        _ => format!("Of {of} **{} were lost**.", count(lost)),
    })
}

fn figures(page: &mut Page, story: &Story<'_>, metrics: &Metrics) {
    let budget = &story.began().budget;
    let moved = story.began().mode.is_live() && story.state.has_touched();
    page.table(
        ["", "measured", "allowed", "verdict", "seen from"],
        &[
            [
                "**RTO**".to_owned(),
                figure(metrics.rto_at_least_seconds, metrics.rto_seconds),
                allowed(budget.rto),
                judged(metrics.rto_met, budget.rto, moved),
                basis(metrics.rto_basis, story.began().outages.first().map(|first| first.probe.as_str())),
            ],
            [
                "**RPO**".to_owned(),
                figure(metrics.rpo_at_least_seconds, metrics.rpo_seconds),
                allowed(budget.rpo),
                judged(metrics.rpo_met, budget.rpo, moved),
                basis(metrics.rpo_basis, story.began().losses.first().map(|first| first.store.as_str())),
            ],
        ],
    );
    let parts: Vec<String> = [
        ("detection", metrics.detection_seconds),
        ("decision", metrics.decision_seconds),
        ("execution", metrics.execution_seconds),
        ("tail", metrics.tail_seconds),
    ]
    .into_iter()
    .filter_map(|(name, part)| Some(format!("{name} {}", show(part?))))
    .collect();
    if !parts.is_empty() {
        page.paragraph(&format!("The RTO in its parts: {}.", parts.join(" · ")));
    }
    if story.began().outage_declared
        && let Some(since) = story.began().outage_since
    {
        page.paragraph(&format!(
            "The outage's beginning, {since}, was declared by a person, not seen by a prober."
        ));
    }
}

fn phases(page: &mut Page, story: &Story<'_>, metrics: &Metrics) {
    page.heading(2, "What happened");
    let steps = story.steps();
    let rows: Vec<[String; 4]> = story
        .began()
        .script
        .phases
        .iter()
        .map(|phase| {
            let took = metrics.timings.get(phase.name.as_str());
            let over = took.zip(phase.within).is_some_and(|(took, within)| took.as_duration() > within);
            let outcome = outcome_of(steps.iter().filter(|step| step.step.phase == phase.name));
            [
                inline(phase.name.as_str()),
                took.map_or("–".to_owned(), show),
                phase.within.map_or("–".to_owned(), show_duration),
                if over { format!("{outcome}, over its share") } else { outcome },
            ]
        })
        .collect();
    page.table(["phase", "took", "share", "outcome"], &rows);
    let told: Vec<String> = steps.iter().filter_map(tell).collect();
    if !told.is_empty() {
        page.list(&told);
    }
    if let Some((at, why)) = story.turned_back() {
        page.paragraph(&format!("At {} the run turned back: {}.", at.clock(), inline(why)));
    }
}

/// `done`, or `2 done, 1 failed`.
fn outcome_of<'s>(steps: impl Iterator<Item = &'s StepStory<'s>>) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for step in steps {
        let word = word(step);
        match kinds.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => kinds.push((word, 1)),
        }
    }
    match kinds.as_slice() {
        [] => "no steps".to_owned(),
        [(word, _)] => (*word).to_owned(),
        _ => kinds.iter().map(|(word, number)| format!("{number} {word}")).collect::<Vec<_>>().join(", "),
    }
}

fn word(step: &StepStory<'_>) -> &'static str {
    match step.status() {
        Status::Pending => "not reached",
        Status::Started | Status::Retrying | Status::InDoubt => "in doubt",
        Status::Succeeded if step.was_already() => "already so",
        Status::Succeeded => "done",
        Status::Failed => "failed",
        Status::Skipped if step.not_exercised().is_some() => "not exercised",
        Status::Skipped => "skipped",
        Status::Previewed => "previewed",
        Status::Undoing => "undo in doubt",
        Status::Undone => "undone",
        Status::UndoFailed => "UNDO FAILED",
    }
}

/// What is worth a line about a step; what was not reached, or has a section of its own, is not.
fn tell(step: &StepStory<'_>) -> Option<String> {
    let name = code(step.step.id.as_str());
    let took = step.took().filter(|took| *took > Seconds::default());
    let took = took.map_or(String::new(), |took| format!(" ({})", show(took)));
    let tries = match step.attempts() {
        0 | 1 => String::new(),
        attempts => format!(", attempt {attempts}"),
    };
    let last = step.last_failure().map(|failure| inline(&failure.text));
    let because = last.clone().map_or(String::new(), |last| format!(": {last}"));
    Some(match step.status() {
        Status::Pending | Status::Previewed => return None,
        Status::Succeeded => match step.applied().filter(|applied| !applied.said.trim().is_empty()) {
            Some(applied) => format!("{name}{took}{tries}: {}", inline(&applied.said)),
            None => format!("{name}{took}{tries}: done"),
        },
        Status::Failed => format!("{name}{took} **failed**{tries}{because}"),
        Status::Started => format!("{name}{tries} **is in doubt**: it was started, nothing more is known"),
        Status::Retrying | Status::InDoubt => format!("{name}{took} **is in doubt**{tries}{because}"),
        Status::Skipped if step.not_exercised().is_some() => return None,
        Status::Skipped => {
            let why = step.skipped().map_or(String::new(), |why| format!(": {}", inline(why)));
            format!("{name} was skipped{why}")
        }
        Status::Undoing => format!("{name}: its undo **is in doubt**"),
        Status::Undone => match last {
            Some(last) => format!("{name} was undone, after: {last}"),
            None => format!("{name} was undone"),
        },
        Status::UndoFailed => format!("{name} **could not be undone**{because}"),
    })
}

fn changes(page: &mut Page, story: &Story<'_>) {
    if story.began().mode != Mode::DryRun {
        return;
    }
    let mut rows = Vec::new();
    for step in story.steps() {
        let Some(prepared) = step.previewed() else { continue };
        let name = code(step.step.id.as_str());
        match &prepared.standing {
            Standing::Already => rows.push([name, "–".to_owned(), "already so".to_owned(), "–".to_owned()]),
            Standing::Would { diff } => rows.extend(diff.0.iter().map(|change| {
                [name.clone(), inline(&change.what), inline(&change.from), inline(&change.to)]
            })),
            Standing::Unknown { why } => {
                rows.push([name, "–".to_owned(), format!("not known: {}", inline(why)), "–".to_owned()]);
            }
        }
    }
    if !rows.is_empty() {
        page.heading(2, "What would change");
        page.table(["step", "what", "is", "would be"], &rows);
    }
}

fn not_exercised(page: &mut Page, story: &Story<'_>) {
    section(page, "What this dry run could not exercise", &story.steps(), |step| {
        let why = step.not_exercised()?;
        Some(format!("{}: {}", code(step.step.id.as_str()), inline(why)))
    });
}

fn callers(page: &mut Page, story: &Story<'_>) {
    let outages = story.measurement().map_or(&[][..], |measured| measured.outages.as_slice());
    section(page, "Callers", outages, |outage| {
        Some(format!("{}: {}", code(outage.probe.as_str()), outage_of(outage)))
    });
}

fn outage_of(outage: &OutageMeasured) -> String {
    let asked =
        format!("asked {} times, {} of them not answered well", count(outage.asked), count(outage.failed));
    let gap = |gap: &Gap| {
        let from = gap.from.clock();
        let long = |seconds: f64| Seconds::from_f64(seconds).map_or("unknown".to_owned(), show);
        match (gap.to, gap.at_most) {
            (Some(to), Some(at_most)) => format!("{from} to {} ({})", to.clock(), long(at_most)),
            (Some(to), None) => format!("{from} to {} (at least {})", to.clock(), long(gap.at_least)),
            (None, _) => format!("since {from}, **it lasts**"),
        }
    };
    let named = outage.gaps.iter().take(GAPS_NAMED).map(gap).collect::<Vec<_>>().join(", ");
    let gaps = match (outage.asked, outage.gaps.len(), outage.gaps.len().saturating_sub(GAPS_NAMED)) {
        (0, _, _) => "nothing was measured".to_owned(),
        (_, 0, _) => "no outage".to_owned(),
        (_, 1, _) => format!("out {named}"),
        (_, gaps, 0) => format!("out {gaps} times: {named}"),
        (_, gaps, more) => format!("out {gaps} times: {named} and {more} more"),
    };
    let latency = match (outage.latency_before_ms, outage.latency_after_ms) {
        (None, None) => String::new(),
        (before, after) => {
            let shown = |ms: Option<f64>| ms.map_or("unknown".to_owned(), |ms| format!("{ms:.1} ms"));
            format!("; a good answer took {} before, {} after", shown(before), shown(after))
        }
    };
    format!("{asked}; {gaps}{latency}")
}

fn losses(page: &mut Page, story: &Story<'_>, metrics: &Metrics) {
    let losses = story.measurement().map_or(&[][..], |measured| measured.losses.as_slice());
    let ledgers = losses.iter().map(|loss| format!("{}: {}", code(loss.store.as_str()), loss_of(loss)));
    let stray = metrics.stray_writes.map(|stray| {
        format!("{} found on an old writer alone", counted(stray, "ledger row was", "ledger rows were"))
    });
    let items: Vec<String> = ledgers.chain(stray).collect();
    section(page, "Writes", &items, |item| Some(item.clone()));
}

fn loss_of(loss: &LossMeasured) -> String {
    let tried = format!(
        "{} tried, {} acknowledged, {} unknown",
        count(loss.attempted),
        count(loss.acknowledged),
        count(loss.unknown)
    );
    let lost = match loss.lost.as_deref() {
        None => "**how many acknowledged rows are lost is not known**".to_owned(),
        Some([]) => "none lost".to_owned(),
        Some(rows) => {
            let named: Vec<String> = rows.iter().take(ROWS_NAMED).map(ToString::to_string).collect();
            let more = rows.len().saturating_sub(ROWS_NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {} more", count(more as u64)) };
            format!("**{} lost**: {}{more}", counted(rows.len() as u64, "row", "rows"), named.join(", "))
        }
    };
    let recovered = match loss.recovered {
        None | Some(0) => String::new(),
        Some(rows) => format!("; {} there although never acknowledged", counted(rows, "row is", "rows are")),
    };
    format!("{tried}; {lost}{recovered}")
}

fn overrides(page: &mut Page, story: &Story<'_>) {
    section(page, "Overrides", &story.began().overrides, |passed| {
        Some(format!("{}: {}", code(&passed.gate), inline(&passed.reason)))
    });
}

fn risks(page: &mut Page, story: &Story<'_>) {
    section(page, "Accepted risks", &story.steps(), |step| {
        let outcome = step.applied().filter(|_| step.step.verb == "fence")?;
        match serde_json::from_value(outcome.data.clone()) {
            Ok(FenceOutcome::Confirmed(_)) => None,
            Ok(accepted @ FenceOutcome::Accepted(_)) => {
                Some(format!("{}: {}", code(step.step.id.as_str()), inline(&accepted.to_string())))
            }
            // What cannot be read is shown rather than taken for a proof.
            Err(_) => Some(format!(
                "{}: what it left cannot be read: {}",
                code(step.step.id.as_str()),
                inline(&outcome.said)
            )),
        }
    });
}

/// What was rehearsed against something that is not the real system says little about the real one.
fn emulated(page: &mut Page, story: &Story<'_>) {
    let all: Vec<_> = story.began().emulated.iter().collect();
    section(page, "Emulated, not the real system", &all, |(resource, what)| {
        Some(format!("{}: {}", code(resource.as_str()), inline(what)))
    });
}

fn acknowledged(page: &mut Page, findings: &[Finding]) {
    section(page, "Warnings acknowledged", findings, |finding| {
        let reason = finding.acknowledged.as_deref()?;
        Some(format!("{}: {}. Reason: {}", code(&finding.code), inline(&finding.message), inline(reason)))
    });
}

fn debts(page: &mut Page, story: &Story<'_>) {
    let item = |debt: &Debt| {
        Some(format!(
            "**{}** of {} on {}: {}",
            debt.kind,
            code(debt.resource.as_str()),
            inline(debt.side.as_str()),
            inline(&debt.why)
        ))
    };
    section(page, "Open debts", &story.state.debts, item);
    if !story.state.debts.is_empty() {
        page.paragraph("They block the next failover by name until `dr protect` pays them.");
    }
    section(page, "Debts paid", &story.paid_debts, |debt| item(debt));
}

fn people(page: &mut Page, story: &Story<'_>) {
    page.heading(2, "Who");
    let began = story.began();
    let mut items =
        vec![format!("{} {} began the run", story.state.began_at.clock(), inline(&began.actor.to_string()))];
    items.extend(
        story
            .later_drives()
            .iter()
            .map(|drive| format!("{} {} took it on", drive.at.clock(), inline(&drive.actor.to_string()))),
    );
    items.extend(story.requests.iter().map(|asked| {
        format!(
            "{} {} asked to {}: {}",
            asked.at.clock(),
            inline(&asked.actor.to_string()),
            inline(&request_in_words(asked.request)),
            inline(asked.reason)
        )
    }));
    if let Some((at, (why, _))) = story.suspended_at().zip(story.suspended()) {
        items.push(format!("{} the drive stopped: {why}", at.clock()));
    }
    page.list(&items);
    page.paragraph(&format!(
        "Plan {} · {} · check this bundle with {} or {}.",
        code(&format!("{:.12}", began.plan_hash)),
        inline(&began.tool),
        code("dr evidence verify"),
        code("sha256sum -c SHA256SUMS")
    ));
}

/// A section with a list, if there is anything to list.
fn section<T>(page: &mut Page, title: &str, of: &[T], item: impl Fn(&T) -> Option<String>) {
    let items: Vec<String> = of.iter().filter_map(item).collect();
    if !items.is_empty() {
        page.heading(2, title);
        page.list(&items);
    }
}

fn figure(at_least: Option<Seconds>, at_most: Option<Seconds>) -> String {
    match (at_least, at_most) {
        (_, None) => "not measured".to_owned(),
        (Some(at_least), Some(at_most)) if at_least < at_most => {
            format!("{}, at least {at_least} s", at_most.for_people())
        }
        (_, Some(at_most)) => at_most.for_people(),
    }
}

fn allowed(limit: Option<Limit>) -> String {
    limit.map_or("–".to_owned(), |limit| inline(&limit.to_string()))
}

/// Where something was moved, a target that nobody measured is worth a word of its own.
fn judged(met: Option<bool>, limit: Option<Limit>, moved: bool) -> String {
    match (met, limit) {
        (Some(true), _) => "met".to_owned(),
        (Some(false), _) => "**exceeded**".to_owned(),
        (None, Some(_)) if moved => "**unknown**".to_owned(),
        (None, _) => "–".to_owned(),
    }
}

fn basis(basis: Option<Basis>, by: Option<&str>) -> String {
    match (basis, by) {
        (None, _) => "–".to_owned(),
        (Some(Basis::Client), Some(by)) => format!("the client's seat, {}", code(by)),
        (Some(Basis::Client), None) => "the client's seat".to_owned(),
        (Some(Basis::Run), _) => "the run's own clock".to_owned(),
        (Some(Basis::Lag), _) => "replication lag".to_owned(),
        (Some(Basis::Estimate), _) => "an estimate".to_owned(),
    }
}

/// A short length of time in running text.
fn show(seconds: Seconds) -> String {
    if seconds < Seconds::from(std::time::Duration::from_secs(60)) {
        format!("{seconds} s")
    } else {
        show_duration(seconds.as_duration())
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
