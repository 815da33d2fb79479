//! `dr check`: what is wrong with a plan before it runs.

use dr_core::Backends;
use dr_core::check::codes;
use dr_core::plan::Finding;
use dr_core::resource::Urgency;

use crate::args::PlanArgs;
use crate::bound::{load, refused};
use crate::exit::Exit;
use crate::problem::Outcome;
use crate::snippet;

/// Shows every finding, for the planned and for the unplanned run.
pub(crate) fn run(backends: &Backends, args: &PlanArgs) -> Outcome {
    let loaded = load(backends, &args.plan)?;
    let roles = loaded.roles(args, false)?;
    let [planned, unplanned] =
        [Urgency::Planned, Urgency::Unplanned].map(|urgency| match loaded.check(&roles, urgency) {
            Ok((_, findings)) | Err(findings) => findings,
        });
    let findings = of_both(planned, unplanned);
    let blocking = snippet::show(&findings, &loaded.path, &loaded.plan.text);
    if blocking > 0 {
        return Err(refused(blocking, &findings, &loaded.path));
    }
    let steps: usize = loaded.plan.phases.iter().map(|phase| phase.steps.len()).sum();
    anstream::println!(
        "{}: {} steps in {} phases, {} → {}: nothing blocks it",
        loaded.path,
        steps,
        loaded.plan.phases.len(),
        roles.source,
        roles.target
    );
    Ok(Exit::Success)
}

/// Every finding once. An acknowledgement is idle only where neither run needs it.
fn of_both(planned: Vec<Finding>, unplanned: Vec<Finding>) -> Vec<Finding> {
    let is_idle = |finding: &Finding| finding.code == codes::IDLE_ACKNOWLEDGEMENT;
    let mut findings: Vec<Finding> =
        planned.iter().filter(|found| !is_idle(found) || unplanned.contains(found)).cloned().collect();
    let new = unplanned.into_iter().filter(|found| !is_idle(found) && !planned.contains(found));
    findings.extend(new);
    findings
}
