//! The words of a fleet on its room, its addresses and what a run will need of it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::workloads::{ModelWorkloads, permission};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Side;
use crate::resource::{Addresses, Cx, Hazard, Proof, Proves, Replicas, Room, Scale, Wanted};

#[async_trait]
impl Room for ModelWorkloads {
    async fn room(&self, cx: &Cx, call: &Scale) -> Result<Vec<Hazard>> {
        let side = call.side.side()?;
        self.world.reach(cx, &self.name, side).await?;
        self.world.with(|world| {
            let fleet = world.fleets.get(&self.name);
            let noted = fleet.is_some_and(|fleet| fleet.noted.contains_key(side));
            let mut hazards = fleet.and_then(|fleet| fleet.hazards.get(side)).cloned().unwrap_or_default();
            if call.replicas == Replicas::Before && !noted {
                // What this very run is going to note runs there now.
                return Ok(hazards);
            }
            let room = fleet.and_then(|fleet| fleet.room.get(side));
            for (workload, count) in world.wanted(&self.name, call)? {
                if let Some(room) = room.filter(|room| count > **room) {
                    let message =
                        format!("{workload} is going to have {count} replicas, and {room} are allowed");
                    hazards.push(Hazard { code: "quota".to_owned(), message, blocks: true });
                }
            }
            Ok(hazards)
        })
    }
}

#[async_trait]
impl Addresses for ModelWorkloads {
    async fn addresses(&self, cx: &Cx, side: &Side) -> Result<Vec<String>> {
        self.world.reach(cx, &self.name, side).await?;
        let known = self.fleet(|fleet| fleet.addresses.get(side).cloned()).flatten().unwrap_or_default();
        if known.is_empty() {
            return Err(
                Error::new(ErrorKind::NotReady, "its load balancer has no address yet").on(side.as_str())
            );
        }
        Ok(known)
    }
}

#[async_trait]
impl Proves for ModelWorkloads {
    async fn prove(&self, cx: &Cx, wanted: &[Wanted], gone: Option<&Side>) -> Vec<Proof> {
        let all: Vec<Side> = self.world.with(|world| world.sides.keys().cloned().collect());
        let mut reached: BTreeMap<Side, Result<(), String>> = BTreeMap::new();
        let mut proofs = Vec::new();
        for one in wanted {
            let sides = one.side.as_ref().map_or(all.as_slice(), std::slice::from_ref);
            for side in sides {
                let what = format!("{} on {side}: {}", one.verb, permission(&one.verb));
                if gone == Some(side) {
                    proofs.push(Proof::unknown(what, "the side is gone: nobody asked it"));
                    continue;
                }
                if !self.resource().verbs().any(|verb| verb == one.verb) {
                    proofs.push(Proof::missing(what, "it cannot do that"));
                    continue;
                }
                let answer = match reached.get(side) {
                    Some(answer) => answer.clone(),
                    None => {
                        let answer =
                            self.world.reach(cx, &self.name, side).await.map_err(|error| error.chain());
                        reached.entry(side.clone()).or_insert(answer).clone()
                    }
                };
                let forbidden = self.fleet(|fleet| fleet.forbidden.contains(&permission(&one.verb)));
                proofs.push(match (answer, forbidden) {
                    (Err(why), _) => Proof::unknown(what, why),
                    (Ok(()), Some(false)) => Proof::proven(what, "it was allowed"),
                    (Ok(()), Some(true) | None) => Proof::missing(what, "it is not allowed: grant it"),
                });
            }
        }
        proofs
    }
}
