//! `dr check`: what is wrong with a plan before it runs.

use dr_core::Backends;
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
    let mut findings = Vec::new();
    for urgency in [Urgency::Planned, Urgency::Unplanned] {
        let found = match loaded.check(&roles, urgency) {
            Ok((_, findings)) | Err(findings) => findings,
        };
        for finding in found {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
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
