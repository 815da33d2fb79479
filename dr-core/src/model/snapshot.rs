//! A world as a value that can be compared: "it ended as the undisturbed one did".

use std::collections::BTreeMap;
use std::fmt;

use super::node::Power;
use super::world::World;
use crate::ids::Side;

/// What matters of a world, one line each: roles, fences, histories, ledger rows, replicas, settings, answers,
/// copies, alarms. Moments and log
/// positions are left out; they differ between two runs that end alike.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(what, is)| writeln!(f, "{what}: {is}"))
    }
}

impl World {
    /// What matters of it now. What is still under way is part of it: a world at rest has nothing under way.
    pub fn snapshot(&self) -> Snapshot {
        self.with(|world| {
            let mut lines = BTreeMap::new();
            for (name, store) in &world.stores {
                for (side, node) in &store.nodes {
                    let power = match node.power {
                        Power::Up => "up",
                        Power::Down { clean: true } => "stopped",
                        Power::Down { clean: false } => "crashed",
                    };
                    let role = if node.primary { "primary" } else { "standby" };
                    let of = node.follows.as_ref().map_or("", Side::as_str);
                    let marks =
                        [(node.barred, " barred"), (node.no_login, " locked"), (node.paused, " paused")];
                    let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
                    let books: Vec<String> =
                        store.acked.keys().map(|book| format!("{book}={:?}", node.rows(book))).collect();
                    let is =
                        format!("{power}{marks} {role} {of} timeline {} {}", node.timeline, books.join(" "));
                    lines.insert(format!("{name}/{side}"), is);
                }
            }
            for (name, fleet) in &world.fleets {
                for (side, states) in &fleet.sides {
                    for state in states.values() {
                        let is = format!("{} of {}", state.ready, state.desired);
                        lines.insert(format!("{name}/{side}/{}", state.name), is);
                    }
                    if fleet.barred.contains_key(side) {
                        lines.insert(format!("{name}/{side}"), "nothing may start".to_owned());
                    }
                    for (workload, written) in fleet.told.get(side).into_iter().flat_map(|told| &told.written)
                    {
                        if !written.is_empty() {
                            lines.insert(format!("{name}/{side}/{workload} is told"), format!("{written:?}"));
                        }
                    }
                }
            }
            for (name, zone) in &world.zones {
                lines.insert(name.to_string(), format!("{:?} answered {:?}", zone.record, zone.servers));
            }
            for (name, store) in &world.stores {
                for (side, copies) in &store.copies {
                    for copy in copies {
                        lines.insert(format!("{name}/{side}/copy {}", copy.id), copy.stands());
                    }
                }
                for (side, restored) in &store.restored {
                    for (what, is) in restored {
                        lines.insert(format!("{name}/{side}/restored {what}"), is.stands());
                    }
                }
            }
            for (name, bells) in &world.alarms {
                for (side, bell) in bells {
                    let armed = if bell.armed { "armed" } else { "disarmed" };
                    let is = format!("{} {armed} called {} times", bell.stands, bell.calls);
                    lines.insert(format!("{name}/{side}"), is);
                }
            }
            for (index, change) in world.pending.values().enumerate() {
                lines.insert(format!("under way {index}"), format!("{change:?}"));
            }
            Snapshot(lines)
        })
    }
}
