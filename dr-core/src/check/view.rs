//! What is checked, with everything looked up that more than one check asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::graph::{Closure, edges};
use crate::ids::{Region, ResourceName, Side};
use crate::plan::{Phase, Place, Plan};
use crate::resource::{Call, Class, Configured, Roles, Unfence, Urgency};
use crate::runbook::{Script, ScriptStep};

/// A compiled plan and what it was compiled for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The plan, compiled.
    pub script: &'a Script,
    /// Its resources' configurations.
    pub configured: &'a BTreeMap<ResourceName, Arc<dyn Configured>>,
    /// Which side plays what.
    pub roles: &'a Roles,
    /// Whether the run will insist on losing nothing.
    pub urgency: Urgency,
}

pub(super) struct View<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// The steps that this run takes: `when` leaves some out.
    pub(super) steps: Vec<Taken<'a>>,
    closure: Closure,
}

/// A step that this run takes.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    index: usize,
    pub(super) step: &'a ScriptStep,
    /// Where the plan has it; the core's own steps stand where their resource does.
    pub(super) place: Place,
    /// Whether it has a deadline of its own.
    pub(super) timed: bool,
}

impl<'a> View<'a> {
    pub(super) fn of(subject: &'a Subject<'a>) -> Self {
        let mut told = BTreeMap::new();
        for phase in &subject.plan.phases {
            for step in &phase.steps {
                told.insert(format!("{}/{}", phase.name, step.local_id()), step);
            }
        }
        let steps = subject
            .script
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.when.is_none_or(|when| when == subject.urgency))
            .map(|(index, step)| {
                let told = told.get(step.id.as_str());
                let resource = || step.resource.as_ref().and_then(|name| subject.plan.resources.get(name));
                let place = told.map(|told| told.place).or_else(|| resource().map(|spec| spec.place));
                Taken {
                    index,
                    step,
                    place: place.unwrap_or_default(),
                    timed: told.is_some_and(|told| told.within.is_some()),
                }
            })
            .collect();
        Self { subject, steps, closure: Closure::of(&edges(&subject.script.steps)) }
    }

    /// Whether `early` is over whenever `late` starts.
    pub(super) fn before(&self, early: &Taken<'_>, late: &Taken<'_>) -> bool {
        self.closure.before(early.index, late.index)
    }

    /// The steps of a verb, with their calls.
    pub(super) fn calls<C: Call>(&self) -> Vec<(Taken<'a>, C)> {
        self.steps
            .iter()
            .filter(|taken| taken.step.verb == C::VERB)
            .filter_map(|taken| Some((*taken, serde_json::from_value(taken.step.call.clone()).ok()?)))
            .collect()
    }

    /// The steps that make a side accept no more writes.
    pub(super) fn fences(&self) -> Vec<Taken<'a>> {
        self.steps.iter().filter(|taken| taken.step.class == Class::Fence).copied().collect()
    }

    /// The steps that may make a side the writer. An unfence gives back what a fence took, and is none.
    pub(super) fn promotions(&self) -> Vec<Taken<'a>> {
        self.steps
            .iter()
            .filter(|taken| taken.step.class == Class::PointOfNoReturn && taken.step.verb != Unfence::VERB)
            .copied()
            .collect()
    }

    /// The phases that this run goes through.
    pub(super) fn takes(&self, phase: &Phase) -> bool {
        phase.when.is_none_or(|when| when == self.subject.urgency)
    }

    /// The configuration behind a step's resource.
    pub(super) fn configured(&self, taken: &Taken<'_>) -> Option<&'a Arc<dyn Configured>> {
        self.subject.configured.get(taken.step.resource.as_ref()?)
    }

    /// The regions in which a side lies.
    pub(super) fn regions(&self, side: &Side) -> BTreeSet<Region> {
        let regions: BTreeSet<Region> = self
            .subject
            .configured
            .values()
            .filter_map(|configured| configured.sides().remove(side))
            .collect();
        if regions.is_empty() { BTreeSet::from([Region::new(side.as_str())]) } else { regions }
    }
}

impl Taken<'_> {
    /// The side that the call acts on or leads to.
    pub(super) fn side(&self) -> Option<Side> {
        let text = ["in", "to"].iter().find_map(|key| self.step.call.get(key)?.as_str())?;
        Some(Side::new(text))
    }

    /// `fence orders`, for messages.
    pub(super) fn says(&self) -> String {
        match &self.step.resource {
            Some(resource) => format!("{} {resource}", self.step.verb),
            None => self.step.verb.clone(),
        }
    }
}
