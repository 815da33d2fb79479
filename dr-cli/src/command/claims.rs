//! `dr claims`: which run holds which resource, and the way to free one by hand.

use dr_core::{Backends, Identity};

use crate::actor;
use crate::args::ClaimsArgs;
use crate::bound::load;
use crate::exit::Exit;
use crate::problem::{Outcome, Problem};
use crate::state;

/// Lists them, or releases one.
pub(crate) async fn run(backends: &Backends, args: &ClaimsArgs) -> Outcome {
    let loaded = load(backends, &args.plan.plan)?;
    let state = state::open(&loaded, &args.plan).await?;
    let claims = state.store.claims();
    if let (Some(identity), Some(reason)) = (&args.release, &args.reason) {
        let held = claims.list().await?.into_iter().any(|claim| claim.identity.as_str() == identity);
        if !held {
            return Err(Problem::new(Exit::Failure, format!("nobody claims {identity}"))
                .help("`dr claims` lists them"));
        }
        claims.release_by_hand(&Identity::new(identity), reason, &actor::here()).await?;
        anstream::println!("released: {identity}");
        return Ok(Exit::Success);
    }
    let held = claims.list().await?;
    if args.json {
        anstream::println!("{}", serde_json::to_string_pretty(&held).map_err(anyhow::Error::from)?);
    } else if held.is_empty() {
        anstream::println!("no claims");
    }
    if !args.json {
        for claim in held {
            anstream::println!("{claim}");
        }
    }
    Ok(Exit::Success)
}
