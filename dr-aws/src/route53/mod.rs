//! Kind `route53`: a record in a hosted zone, changed only over the state that was found, seen at every server.
//!
//! | file | what it is |
//! |---|---|
//! | `record` | a record set, exactly as the zone holds it |
//! | `entry` | the plan's view of it: sides, identifiers, what they answer |
//! | `wanted` | what the sets have to be for a call: pure |
//! | `zone`, `check`, `pace` | the API, within five requests a second |
//! | `sides`, `road` | who is served, as the authoritative servers say |
//! | `routing`, `route`, `prove`, `hand` | observing, the verb, its proof, the same by hand |

mod backend;
mod check;
mod config;
mod entry;
mod hand;
mod pace;
mod prove;
mod record;
mod road;
mod route;
mod routing;
mod sides;
mod wanted;
mod zone;

pub use backend::Route53Backend;
pub(crate) use check::Checks;
pub(crate) use config::{ValueConfig, record_name, silent_after, targets, ttl, zone_id};
pub(crate) use entry::{Entry, EntrySide, RoutingPolicy};
pub(crate) use pace::Pace;
pub(crate) use road::{Expect, Road, shown};
pub(crate) use sides::Sides;
pub(crate) use wanted::automatisms;
pub(crate) use zone::Zone;
