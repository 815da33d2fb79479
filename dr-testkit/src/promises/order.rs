//! What a history says about the order of things.

use std::collections::{BTreeMap, BTreeSet};

use dr_core::event::{Entry, Event, RunState};
use dr_core::resource::{Call as _, Class, Promote};
use dr_core::{ResourceName, StepId};

/// The order in which a run did things, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// In the order of their first intents.
    begun: Vec<StepId>,
    /// In the order of their first undoing.
    undone: Vec<StepId>,
    /// What the plan fences itself, in every run.
    to_fence: BTreeSet<ResourceName>,
    /// What stands as fenced, by the step that fenced it.
    fenced: BTreeMap<ResourceName, StepId>,
    unfenced: Option<String>,
    never_begun: Option<String>,
}

impl Order {
    pub(super) fn of(state: &RunState, entries: &[Entry]) -> Self {
        let fences =
            state.began.script.steps.iter().filter(|step| step.class == Class::Fence && step.when.is_none());
        let to_fence = fences.filter_map(|step| step.resource.clone()).collect();
        let mut order = Self { to_fence, ..Self::default() };
        for entry in entries {
            order.follow(state, &entry.event);
        }
        order
    }

    fn follow(&mut self, state: &RunState, event: &Event) {
        let resource_of = |step: &StepId, class| {
            let step = state.script_step(step).filter(|step| step.class == class)?;
            step.resource.clone()
        };
        match event {
            Event::Started { step, was, .. } => {
                if !self.begun.contains(step) {
                    self.begun.push(step.clone());
                }
                let promoted = resource_of(step, Class::PointOfNoReturn).filter(|_| {
                    state.script_step(step).is_some_and(|step| step.verb == Promote::VERB)
                        && !was.is_already()
                });
                if let Some(store) = promoted
                    && self.to_fence.contains(&store)
                    && !self.fenced.contains_key(&store)
                {
                    self.unfenced.get_or_insert(format!("{step} was begun, and nothing had fenced {store}"));
                }
            }
            Event::Succeeded { step, .. } => {
                if let Some(store) = resource_of(step, Class::Fence) {
                    self.fenced.insert(store, step.clone());
                }
            }
            Event::UndoStarted { step } => {
                self.fenced.retain(|_, by| by != step);
                if !self.begun.contains(step) {
                    self.never_begun.get_or_insert(format!("{step} is undone, and was never begun"));
                }
                if !self.undone.contains(step) {
                    self.undone.push(step.clone());
                }
            }
            _ => {}
        }
    }

    pub(super) fn promotion_without_fence(&self) -> Option<String> {
        self.unfenced.clone()
    }

    pub(super) fn undone_otherwise(&self) -> Option<String> {
        let reversed: Vec<&StepId> =
            self.begun.iter().rev().filter(|step| self.undone.contains(step)).collect();
        let in_reverse = reversed.iter().zip(&self.undone).all(|(wanted, is)| *wanted == is);
        self.never_begun
            .clone()
            .or_else(|| (!in_reverse).then(|| format!("begun: {:?}; undone: {:?}", self.begun, self.undone)))
    }
}
