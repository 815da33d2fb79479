//! Whatever events follow each other: they fold, or the first that cannot follow is an error, and what folds keeps to
//! what a run may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dr_core::event::{
    Actor, Began, Debt, DebtKind, Ending, Entry, Event, FORMAT, Found, Mode, OutageSeen, Request, RunState,
    Status, Suspension,
};
use dr_core::plan::{OnFailure, RtoRpoBudget};
use dr_core::resource::{Applied, Before, Class, Diff, Prepared, Roles, Urgency};
use dr_core::runbook::{Script, ScriptPhase, ScriptStep};
use dr_core::{ErrorKind, Failure, Happened, Retry, StepId, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The script's steps, and one that is not among them.
const STEPS: [(&str, Class); 4] = [
    ("a/observe:x", Class::Read),
    ("a/fence:x", Class::Fence),
    ("a/promote:x", Class::PointOfNoReturn),
    ("a/route:y", Class::Reversible),
];
const STRANGER: &str = "a/nobody:z";

fn began() -> Began {
    let step = |(id, class): &(&str, Class)| ScriptStep {
        id: StepId::new(*id),
        phase: "a".into(),
        verb: "verb".to_owned(),
        resource: Some("x".into()),
        kind: None,
        call: serde_json::json!({}),
        class: *class,
        after: Vec::new(),
        within: Duration::from_secs(1),
        when: None,
        optional: false,
    };
    Began {
        run: "20261121T020000Z-abcdef".into(),
        format: FORMAT,
        tool: "dr".to_owned(),
        mode: Mode::Failover,
        urgency: Urgency::Planned,
        on_failure: OnFailure::Hold,
        actor: actor(),
        plan: "orders".to_owned(),
        plan_hash: String::new(),
        roles: Roles { source: "us".into(), target: "eu".into() },
        budget: RtoRpoBudget::default(),
        outages: Vec::new(),
        losses: Vec::new(),
        identities: Vec::new(),
        overrides: Vec::new(),
        emulated: BTreeMap::new(),
        outage_since: None,
        outage_declared: false,
        detected: None,
        script: Script {
            phases: vec![ScriptPhase { name: "a".into(), within: None }],
            steps: STEPS.iter().map(step).collect(),
        },
    }
}

fn actor() -> Actor {
    Actor { name: "alice".into(), from: "bastion".into() }
}

fn was() -> Prepared {
    Prepared::would(Diff::one("role", "standby", "primary"), Before::nothing())
}

fn failure(happened: Happened) -> Failure {
    Failure { kind: ErrorKind::Timeout, retry: Retry::Permanent, happened, text: "no answer".into() }
}

/// What can happen to a step, whether or not it may.
fn of_a_step() -> impl Strategy<Value = Event> {
    let step = prop_oneof![
        20 => select(STEPS.to_vec()).prop_map(|(id, _)| StepId::new(id)),
        1 => Just(StepId::new(STRANGER)),
    ];
    let happened = select(vec![Happened::No, Happened::Maybe]);
    let found = select(vec![Found::Done, Found::NotDone, Found::Cancelled, Found::Unknown]);
    (step, 0..13, happened, found, any::<u32>()).prop_map(|(step, kind, happened, found, attempt)| match kind
    {
        0..3 => Event::Started { step, attempt, was: was() },
        3..5 => Event::Succeeded {
            step,
            attempt,
            applied: Applied { said: "so".into(), data: serde_json::Value::Null },
        },
        5 => Event::Failed { step, attempt, failure: failure(happened), retry_in: None },
        6 => Event::Failed {
            step,
            attempt,
            failure: failure(happened),
            retry_in: Some(Duration::from_secs(1)),
        },
        7 => Event::Settled { step, found },
        8 => Event::Skipped { step, why: "optional".into() },
        9 => Event::Previewed { step, prepared: was() },
        10 => Event::UndoStarted { step },
        11 => Event::Undone { step },
        _ => Event::UndoFailed { step, failure: failure(happened) },
    })
}

fn event() -> impl Strategy<Value = Event> {
    let debt = Debt { kind: DebtKind::Guard, resource: "x".into(), side: "us".into(), why: "silent".into() };
    let ask = |request| Event::Requested { request, actor: actor(), reason: "go".into() };
    let beside = vec![
        Event::Driven { actor: actor(), epoch: 1 },
        Event::TurnedBack { why: "failed".into() },
        Event::Progress { step: StepId::new(STRANGER), text: "waiting".into() },
        ask(Request::Abort),
        ask(Request::GoUnplanned),
        ask(Request::Done { step: StepId::new(STEPS[0].0) }),
        Event::FenceBroken { why: "a write".into() },
        Event::Outage(OutageSeen::Ended {
            probe: "x".into(),
            at: Timestamp::from_millis(0),
            served_by: None,
        }),
        Event::DebtOpened(debt.clone()),
        Event::DebtPaid(debt),
        Event::Suspended { why: Suspension::Held, text: String::new() },
        Event::Unknown,
    ];
    let rare = vec![
        Event::Began(Box::new(began())),
        Event::Ended { ending: Ending::Aborted, text: String::new(), timings: BTreeMap::new() },
    ];
    prop_oneof![30 => of_a_step(), 6 => select(beside), 1 => select(rare)]
}

/// An event with what may be wrong about its line: how far its number and its ownership go on from those before.
fn line() -> impl Strategy<Value = (Event, u64, i64)> {
    (
        event(),
        prop_oneof![60 => Just(1_u64), 1 => select(vec![0, 2])],
        prop_oneof![60 => 0..2_i64, 1 => Just(-1_i64)],
    )
}

fn entry(seq: u64, epoch: u64, event: Event) -> Entry {
    Entry { seq, epoch, at: Timestamp::from_millis(1_000), elapsed_ms: 0, event }
}

/// What the events so far say of one step, told again and not derived from a table of edges.
#[derive(Debug, Default)]
struct Told {
    /// An intent stands that nothing has answered yet.
    under_way: bool,
    undoing: bool,
    intents: u32,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// P34: any sequence of events.
    #[test]
    fn what_folds_keeps_to_what_a_run_may_be_and_all_else_is_an_error(lines in vec(line(), 0..60)) {
        let mut state = RunState::begin(&entry(1, 1, Event::Began(Box::new(began())))).unwrap();
        let mut told: BTreeMap<StepId, Told> = BTreeMap::new();
        let mut ended = false;
        let mut first_found = BTreeMap::new();
        for (event, step_on, epoch_on) in lines {
            let before = state.clone();
            let epoch = before.epoch.saturating_add_signed(epoch_on);
            let entry = entry(before.seq + step_on, epoch, event.clone());
            let folded = state.fold(&entry);
            if step_on != 1 || epoch < before.epoch || ended || matches!(event, Event::Began(_)) {
                prop_assert!(folded.is_err(), "{:?}", event);
            }
            if let Err(illegal) = folded {
                prop_assert_eq!(illegal.seq, entry.seq);
                // Nothing was derived from it but its number.
                state = before;
                continue;
            }
            ended |= matches!(event, Event::Ended { .. });
            follow(&before, &state, &event, &mut told)?;
            for (id, step) in &state.steps {
                if let Some(was) = &step.was {
                    let first = first_found.entry(id.clone()).or_insert_with(|| was.clone());
                    prop_assert_eq!(&*first, was, "what undo puts back is what the first attempt found");
                }
            }
        }
        holds_together(&state)?;
    }

    #[test]
    fn a_replay_is_the_fold_of_every_event_and_stops_at_the_first_that_cannot_follow(lines in vec(line(), 0..40)) {
        let mut entries = vec![entry(1, 1, Event::Began(Box::new(began())))];
        let mut epoch = 1_u64;
        for (event, step_on, epoch_on) in lines {
            epoch = epoch.saturating_add_signed(epoch_on);
            let seq = entries.len() as u64 + step_on;
            entries.push(entry(seq, epoch, event));
        }
        let mut state = RunState::begin(&entries[0]).unwrap();
        let folded = entries[1..].iter().try_for_each(|entry| state.fold(entry));
        match (RunState::replay(&entries), folded) {
            (Ok(Some(replayed)), Ok(())) => prop_assert_eq!(replayed, state),
            (Err(one), Err(other)) => prop_assert_eq!(one, other),
            (replayed, folded) => prop_assert!(false, "{:?} against {:?}", replayed.map(drop), folded),
        }
    }
}

/// The event may follow, by the rules in words.
fn follow(
    before: &RunState,
    after: &RunState,
    event: &Event,
    told: &mut BTreeMap<StepId, Told>,
) -> Result<(), TestCaseError> {
    fn about<'t>(told: &'t mut BTreeMap<StepId, Told>, step: &StepId) -> &'t mut Told {
        assert_ne!(step.as_str(), STRANGER, "it is no step of the script");
        told.entry(step.clone()).or_default()
    }
    match event {
        Event::Started { step, .. } => {
            let told = about(told, step);
            prop_assert!(!told.undoing, "it starts while it is being put back");
            (told.under_way, told.intents) = (true, told.intents + 1);
            prop_assert!(after.steps[step].may_have_acted, "an intent may have acted");
        }
        Event::Succeeded { step, .. } => {
            let told = about(told, step);
            prop_assert!(told.under_way, "it succeeds without an intent");
            told.under_way = false;
        }
        Event::Failed { step, .. } | Event::Settled { step, .. } | Event::Skipped { step, .. } => {
            about(told, step).under_way = false;
            prop_assert_ne!(before.steps[step].status, Status::Succeeded, "{:?} after success", event);
        }
        Event::Previewed { step, .. } => {
            prop_assert_eq!(about(told, step).intents, 0, "a preview of what was begun");
        }
        Event::UndoStarted { step } => about(told, step).undoing = true,
        Event::Undone { step } => {
            prop_assert!(about(told, step).undoing, "it is undone, and nobody began to");
            prop_assert!(!after.steps[step].may_have_acted);
        }
        Event::UndoFailed { step, .. } => {
            prop_assert!(about(told, step).undoing, "an undo failed that nobody began");
            prop_assert!(after.steps[step].may_have_acted == before.steps[step].may_have_acted);
        }
        _ => prop_assert_eq!(
            after.steps.values().map(|step| step.status).collect::<Vec<_>>(),
            before.steps.values().map(|step| step.status).collect::<Vec<_>>(),
            "{:?} moves a step",
            event
        ),
    }
    Ok(())
}

fn holds_together(state: &RunState) -> Result<(), TestCaseError> {
    let intents: BTreeSet<&StepId> = state.intents.iter().collect();
    prop_assert_eq!(intents.len(), state.intents.len(), "an intent is listed once");
    for (id, step) in &state.steps {
        prop_assert!(!step.may_have_acted || intents.contains(id), "{} acted without an intent", id);
    }
    let crossed = state.steps.iter().any(|(id, step)| id.as_str() == STEPS[2].0 && step.may_have_acted);
    prop_assert_eq!(state.is_past_no_return(), crossed);
    prop_assert!(state.to_undo().all(|id| id.as_str() != STEPS[0].0), "a look is nothing to undo");
    Ok(())
}

#[test]
fn a_run_does_not_begin_with_anything_else_nor_with_two_steps_of_one_name() {
    let mut twice = began();
    twice.script.steps.push(twice.script.steps[0].clone());
    for (seq, event) in [
        (1, Event::TurnedBack { why: String::new() }),
        (2, Event::Began(Box::new(began()))),
        (1, Event::Began(Box::new(twice))),
    ] {
        assert!(RunState::begin(&entry(seq, 1, event)).is_err());
    }
}
