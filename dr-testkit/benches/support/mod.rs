//! Plans whose steps do nothing, so that what is measured is the engine's own.

mod nothing;
mod plans;

use std::collections::BTreeMap;
use std::sync::Arc;

use dr_core::engine::{Drive, DriveEnd, Driven, Hooks, Means};
use dr_core::event::{Actor, Began, Ending, FORMAT, Mode};
use dr_core::journal::Journal;
use dr_core::plan::{Format, OnFailure, Plan};
use dr_core::resource::{Backend, Configured, Redactor, Resource, Roles, Urgency};
use dr_core::runbook::{Binding, Runbook, compile};
use dr_core::{Env, Identity, ResourceName};

pub(crate) use plans::Shape;

/// A plan, bound.
#[derive(Debug)]
pub(crate) struct Bound {
    began: Began,
    resources: BTreeMap<ResourceName, Resource>,
}

/// Who runs benchmarks.
pub(crate) fn actor() -> Actor {
    Actor { name: "bench".to_owned(), from: "a benchmark".to_owned() }
}

impl Bound {
    /// Reads, binds and orders a plan of that shape: what a command does before it runs one.
    pub(crate) fn new(shape: Shape, steps: usize) -> Self {
        let text = shape.plan(steps);
        let plan = Plan::parse(&text, Format::Yaml).unwrap_or_else(|findings| panic!("{findings:#?}"));
        let name = ResourceName::new("thing");
        let configured = nothing::Nowhere.configure(plan.resources[&name].config.clone()).unwrap();
        let configured: BTreeMap<ResourceName, Arc<dyn Configured>> =
            BTreeMap::from([(name.clone(), Arc::from(configured))]);
        let roles = Roles { source: "east".into(), target: "west".into() };
        let script = compile(&plan, &configured, &roles).unwrap_or_else(|findings| panic!("{findings:#?}"));
        assert!(script.steps.len() >= steps, "nothing is measured that is not there");
        let began = Began {
            run: "20270115T080000Z-bench".into(),
            format: FORMAT,
            tool: "dr-testkit".to_owned(),
            mode: Mode::Switchover,
            urgency: Urgency::Planned,
            on_failure: OnFailure::Undo,
            actor: actor(),
            plan: plan.name,
            plan_hash: plan.hash,
            roles,
            budget: plan.budget,
            outages: Vec::new(),
            losses: Vec::new(),
            identities: vec![Identity::new("nowhere")],
            overrides: Vec::new(),
            emulated: BTreeMap::new(),
            outage_since: None,
            outage_declared: false,
            detected: None,
            script,
        };
        Self { began, resources: BTreeMap::from([(name, nothing::resource())]) }
    }

    /// Runs it to its end on a journal.
    pub(crate) async fn run(&self, journal: Box<dyn Journal>) -> Driven {
        let binding = Binding::new(self.began.roles.clone());
        let runbook = Runbook::bind(self.began.script.clone(), self.resources.clone(), &binding)
            .unwrap_or_else(|findings| panic!("{findings:#?}"));
        let means =
            Means { journal, env: Env::system(), redactor: Redactor::default(), hooks: Hooks::default() };
        let drive = Drive::begin(self.began.clone(), runbook, means).await.unwrap();
        let driven = drive.run().await;
        assert_eq!(driven.end, DriveEnd::Ended(Ending::Succeeded), "{}", driven.text);
        driven
    }
}

/// A runtime as the command's: one thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
