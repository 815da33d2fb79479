//! `dr abort`: ends a run. A running one is asked through its inbox; a dead one is taken over and put back.

use std::time::Duration;

use dr_core::Backends;
use dr_core::engine::DriveEnd;
use dr_core::event::Request;
use dr_core::journal::JournalError;

use super::resume;
use crate::actor;
use crate::args::SteerArgs;
use crate::exit::Exit;
use crate::problem::Outcome;
use crate::state;

const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Ends it, and says how.
pub(crate) async fn run(backends: &Backends, args: &SteerArgs) -> Outcome {
    let (state, run) = resume::find(backends, args).await?;
    match resume::own(&state, &run, false).await {
        Ok(owned) => {
            resume::drive(backends, &state, &run, owned, &args.tell, vec![Request::Abort], &args.reason).await
        }
        Err(JournalError::Lost { to }) => {
            state.store.inbox(&run).post(Request::Abort, actor::here(), args.reason.clone()).await?;
            anstream::eprintln!("{to} drives run {run}: it was asked to end it");
            watch(&state, &run).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn watch(state: &state::State, run: &dr_core::RunId) -> Outcome {
    let until = tokio::time::Instant::now() + ANSWER_WITHIN;
    while tokio::time::Instant::now() < until {
        let lines = state.store.read_run(run).await?;
        if let Some(folded) = state::replayed(run, &lines)? {
            if let Some((ending, text)) = folded.ended {
                anstream::println!("{ending}: {text}");
                return Ok(Exit::from(DriveEnd::Ended(ending)));
            }
            if let (Some(_), Some((why, text))) = (folded.abort, folded.suspended) {
                anstream::println!("{why}: {text}");
                return Ok(Exit::from(DriveEnd::Suspended(why)));
            }
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    anstream::eprintln!("it has not ended yet: `dr status` shows where it is");
    Ok(Exit::Failure)
}
