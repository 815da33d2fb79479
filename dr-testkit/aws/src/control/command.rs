//! What can be asked of the world by HTTP.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::{Failure, FailureId, Fault};
use crate::place::Place;
use crate::rds::{self, StoreKey};
use crate::service::Service;
use crate::world::Shared;

/// A failure, as JSON says it: `{"fault": "throttled", "service": "rds", "region": "us-west-2", "times": 3}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    fault: Fault,
    service: Option<String>,
    region: Option<String>,
    action: Option<String>,
    times: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heal {
    failure: FailureId,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lose {
    region: String,
    #[serde(default = "black_hole")]
    how: Fault,
}

fn black_hole() -> Fault {
    Fault::BlackHole
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    region: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Right {
    permission: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pace {
    pace: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    region: String,
    id: String,
    lag_millis: Option<u64>,
    link: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct App {
    region: String,
    database: Option<String>,
    replicas: Option<u32>,
}

/// Carries out a command; the answer says what came of it.
pub(super) fn carry_out(shared: &Shared, path: &str, body: &[u8]) -> Result<Value, String> {
    match path {
        "fail" => {
            let fail: Fail = read(body)?;
            let service = fail.service.as_deref().map(str::parse::<Service>).transpose()?;
            let failure = Failure {
                fault: fail.fault,
                service,
                region: fail.region,
                action: fail.action,
                times: fail.times,
            };
            let id = shared.with(|world| {
                world.changed();
                world.faults.arm(failure)
            });
            Ok(json!({ "failure": id }))
        }
        "heal" => {
            let heal: Heal = read(body)?;
            shared.with(|world| {
                world.changed();
                world.faults.heal(heal.failure);
            });
            Ok(json!({}))
        }
        "heal-all" => {
            shared.with(|world| {
                world.changed();
                world.faults.heal_all();
                world.lost.clear();
                world.denied.clear();
            });
            Ok(json!({}))
        }
        "lose-region" => {
            let lose: Lose = read(body)?;
            shared.with(|world| {
                world.changed();
                world.lost.insert(lose.region, lose.how);
            });
            Ok(json!({}))
        }
        "restore-region" => {
            let place: Where = read(body)?;
            shared.with(|world| {
                world.changed();
                world.lost.remove(&place.region);
            });
            Ok(json!({}))
        }
        "deny" => {
            let right: Right = read(body)?;
            shared.with(|world| world.denied.insert(right.permission));
            Ok(json!({}))
        }
        "allow" => {
            let right: Right = read(body)?;
            shared.with(|world| world.denied.remove(&right.permission));
            Ok(json!({}))
        }
        "pace" => {
            let pace: Pace = read(body)?;
            shared.with(|world| {
                world.clock.set_pace(pace.pace);
                world.changed();
            });
            Ok(json!({}))
        }
        "forget-calls" => {
            shared.with(|world| world.recorder.clear());
            Ok(json!({}))
        }
        "database" => database(shared, &read(body)?),
        "service" => service(shared, read(body)?),
        other => Err(format!("there is no command {other}")),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// Changes how a replica follows, and says which rows a database has.
fn database(shared: &Shared, wanted: &Database) -> Result<Value, String> {
    shared.with(|world| {
        let place = Place::new(&world.account, &wanted.region);
        let instance = world.rds(&place).instance(&wanted.id).map_err(|error| error.message)?.clone();
        let key = instance.store();
        let store = world.stores.get_mut(&key).ok_or("it has no rows")?;
        if let Some(follow) = store.follow.as_mut() {
            if let Some(millis) = wanted.lag_millis {
                follow.lag = Duration::from_millis(millis);
            }
            if let Some(up) = wanted.link {
                follow.cut = !up;
            }
        }
        let rows: Vec<Value> =
            store.log.iter().map(|entry| json!({ "book": entry.book, "row": entry.row })).collect();
        Ok(json!({ "status": instance.status.as_str(), "replica": instance.source.is_some(), "rows": rows }))
    })
}

fn service(shared: &Shared, wanted: App) -> Result<Value, String> {
    shared.with(|world| {
        let place = Place::new(&world.account, &wanted.region);
        let database = match wanted.database {
            None => None,
            Some(id) => {
                let instance = world.rds(&place).instance(&id).map_err(|error| error.message)?;
                Some(rds::Instance::store(instance))
            }
        };
        let app = world.apps.get_mut(&wanted.region).ok_or("there is no service in that region")?;
        if let Some(database) = database {
            app.database = database;
        }
        if let Some(replicas) = wanted.replicas {
            app.replicas = replicas;
        }
        let (key, replicas): (StoreKey, u32) = (app.database.clone(), app.replicas);
        world.changed();
        Ok(json!({ "database": key.to_string(), "replicas": replicas }))
    })
}
