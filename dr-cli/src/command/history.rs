//! `dr history`: the runs so far.

use dr_core::Backends;
use dr_core::time::show_duration;
use serde_json::json;

use crate::args::StateArgs;
use crate::bound::load;
use crate::exit::Exit;
use crate::problem::Outcome;
use crate::secrets::masked;
use crate::state;

/// One line a run, oldest first.
pub(crate) async fn run(backends: &Backends, args: &StateArgs) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    let state = state::open(&loaded, &args.plan).await?;
    let runs = state.store.runs().await?;
    if runs.is_empty() && !args.json {
        anstream::println!("no runs yet in {}", state.at);
    }
    for run in runs {
        let lines = match state.store.read_run(&run).await {
            Ok(lines) => lines,
            Err(error) => {
                anstream::eprintln!("{run}: {}", masked(&error.to_string()));
                continue;
            }
        };
        let Some(folded) = state::replayed(&run, &lines)? else { continue };
        let end = match (&folded.ended, &folded.suspended) {
            (Some((ending, _)), _) => ending.to_string(),
            (None, Some((why, _))) => why.to_string(),
            (None, None) => "open".to_owned(),
        };
        let outage = folded.measurement.as_ref().and_then(|measured| measured.rto.as_ref());
        if args.json {
            let value = json!({
                "run": run, "plan": folded.began.plan, "mode": folded.began.mode, "roles": folded.began.roles,
                "begun": folded.began_at, "end": end, "measurement": folded.measurement,
            });
            anstream::println!("{value}");
            continue;
        }
        let outage = outage.map_or("-".to_owned(), |figure| {
            std::time::Duration::try_from_secs_f64(figure.at_most).map_or("-".to_owned(), show_duration)
        });
        anstream::println!(
            "{run:<24} {:<11} {} → {}  {end:<24} outage {outage:<8} {}",
            folded.began.mode,
            folded.began.roles.source,
            folded.began.roles.target,
            folded.began.plan
        );
    }
    Ok(Exit::Success)
}
