//! `dr approve`: a person's word for one step of a running run.

use dr_core::event::Request;
use dr_core::{Backends, StepId};

use super::resume;
use crate::actor;
use crate::args::ApproveArgs;
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::state;

/// Leaves the approval in the run's inbox, with the plan's hash that the approver saw.
pub(crate) async fn run(backends: &Backends, args: &ApproveArgs) -> Outcome {
    let (state, run) = resume::find(backends, &args.steer).await?;
    let lines = state.store.read_run(&run).await?;
    let Some(folded) = state::replayed(&run, &lines)? else {
        return Err(Problem::new(Exit::Failure, format!("run {run} has not begun")));
    };
    let step = StepId::new(&args.step);
    let waiting: Vec<&str> = folded
        .in_order()
        .filter(|(step, _)| step.verb == "approve")
        .map(|(step, _)| step.id.as_str())
        .collect();
    if !waiting.contains(&step.as_str()) {
        return Err(Problem::new(Exit::Usage, format!("run {run} has no approval step {step}"))
            .help(format!("its approval steps: {}", waiting.join(", "))));
    }
    let request = Request::Approve { step: step.clone(), plan_hash: folded.began.plan_hash.clone() };
    state.store.inbox(&run).post(request, actor::here(), args.steer.reason.clone()).await?;
    anstream::println!("approved: {step} of run {run}");
    Ok(Exit::Success)
}
