//! Which steps may start: kept up step by step, so that a plan of ten thousand costs the same for each.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{RunState, Status};
use crate::ids::StepId;
use crate::runbook::Script;

/// A step's place in the script.
pub(super) type Index = usize;

/// Pure: the steps whose predecessors are all over.
#[derive(Debug)]
pub(super) struct Schedule {
    ids: Vec<StepId>,
    index: BTreeMap<StepId, Index>,
    unmet: Vec<usize>,
    dependents: Vec<Vec<Index>>,
    over: Vec<bool>,
    open: usize,
    ready: BTreeSet<Index>,
}

impl Schedule {
    pub(super) fn new(script: &Script, state: &RunState) -> Self {
        let ids: Vec<StepId> = script.steps.iter().map(|step| step.id.clone()).collect();
        let index: BTreeMap<StepId, Index> =
            ids.iter().cloned().enumerate().map(|(index, id)| (id, index)).collect();
        let mut dependents = vec![Vec::new(); ids.len()];
        let mut unmet = vec![0; ids.len()];
        for (at, step) in script.steps.iter().enumerate() {
            for before in step.after.iter().filter_map(|before| index.get(before)) {
                dependents[*before].push(at);
                unmet[at] += 1;
            }
        }
        let open = ids.len();
        let over = vec![false; ids.len()];
        let mut schedule = Self { ids, index, unmet, dependents, over, open, ready: BTreeSet::new() };
        schedule.ready = (0..schedule.ids.len()).filter(|at| schedule.unmet[*at] == 0).collect();
        for at in 0..schedule.ids.len() {
            if state.steps.get(&schedule.ids[at]).is_some_and(|step| step.status.is_over()) {
                schedule.is_over(at);
            }
        }
        schedule
    }

    pub(super) fn id(&self, at: Index) -> &StepId {
        &self.ids[at]
    }

    pub(super) fn index(&self, step: &StepId) -> Option<Index> {
        self.index.get(step).copied()
    }

    /// The next step that may start; it is not named again until it is put back.
    pub(super) fn take_ready(&mut self) -> Option<Index> {
        self.ready.pop_first()
    }

    /// A step that was taken may start again.
    pub(super) fn put_back(&mut self, at: Index) {
        if !self.over[at] && self.unmet[at] == 0 {
            self.ready.insert(at);
        }
    }

    /// A step is over: those that waited for it alone become ready. One that was left out before its turn lets nobody
    /// past those that it waited for itself.
    pub(super) fn is_over(&mut self, at: Index) {
        if std::mem::replace(&mut self.over[at], true) {
            return;
        }
        self.open -= 1;
        self.ready.remove(&at);
        let mut passed: Vec<Index> = if self.unmet[at] == 0 { vec![at] } else { Vec::new() };
        while let Some(at) = passed.pop() {
            for index in 0..self.dependents[at].len() {
                let dependent = self.dependents[at][index];
                self.unmet[dependent] -= 1;
                match (self.unmet[dependent], self.over[dependent]) {
                    (0, true) => passed.push(dependent),
                    (0, false) => {
                        self.ready.insert(dependent);
                    }
                    (_, _) => {}
                }
            }
        }
    }

    pub(super) fn dependents(&self, at: Index) -> &[Index] {
        &self.dependents[at]
    }

    pub(super) fn all_over(&self) -> bool {
        self.open == 0
    }
}

/// Whether a status lets a drive try the step.
pub(super) fn may_be_tried(status: Status) -> bool {
    match status {
        Status::Pending | Status::Started | Status::Retrying | Status::Failed | Status::InDoubt => true,
        Status::Succeeded
        | Status::Skipped
        | Status::Previewed
        | Status::Undoing
        | Status::Undone
        | Status::UndoFailed => false,
    }
}
