//! Which side an answer belongs to.

use std::collections::{BTreeMap, BTreeSet};

use dr_core::Side;
use futures_util::future::join_all;

use super::entry::{Entry, RoutingPolicy};
use super::record::{RecordSet, Target};
use crate::dns::{Authority, Endpoint, Kind, name};

/// What each side's answers look like.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    means: BTreeMap<Side, Means>,
    /// By set identifier.
    named: BTreeMap<String, Side>,
}

#[derive(Debug, Clone)]
enum Means {
    /// Exactly these values.
    Exactly(BTreeSet<String>),
    /// Some of these: where an alias leads now. Empty if nobody could say.
    SomeOf(BTreeSet<String>),
}

impl Sides {
    /// From what the zone holds where it could be read, and from the plan. `sent`: the side that a call sends callers
    /// to, with what it is to answer. Where aliases lead is asked now.
    pub(crate) async fn of(
        entry: &Entry,
        found: Option<&[RecordSet]>,
        sent: Option<(&Side, &Target)>,
        authority: &Authority,
        resolvers: &[Endpoint],
    ) -> Self {
        let means = entry.sides.iter().map(|(side, known)| async move {
            let called = sent.filter(|(to, _)| *to == side).map(|(_, target)| target);
            let held = match entry.policy {
                RoutingPolicy::Simple => None,
                RoutingPolicy::Failover | RoutingPolicy::Weighted => {
                    found.and_then(|found| entry.found(side, found)).map(|set| &set.target)
                }
            };
            let target = called.or(held).or(known.target.as_ref())?;
            let means = match target {
                Target::Values { values, .. } => Means::Exactly(normal(entry.kind, values)),
                Target::Alias { name: alias, .. } => Means::SomeOf(match name(alias) {
                    Ok(alias) => authority.leads_to(&alias, resolvers).await,
                    Err(_) => BTreeSet::new(),
                }),
            };
            Some((side.clone(), means))
        });
        let named =
            entry.sides.iter().map(|(side, known)| (known.set_identifier.clone(), side.clone())).collect();
        Self { means: join_all(means).await.into_iter().flatten().collect(), named }
    }

    /// The side whose record set is called so.
    pub(crate) fn named(&self, set_identifier: &str) -> Option<Side> {
        self.named.get(set_identifier).cloned()
    }

    /// The one side that answers so; `None` if it is nobody's, or could be more than one's.
    pub(crate) fn side(&self, values: &BTreeSet<String>) -> Option<&Side> {
        let mut fitting = self.means.iter().filter(|(_, means)| means.fits(values)).map(|(side, _)| side);
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }

    /// Whether answers of this side can be told from others' at all.
    pub(crate) fn can_tell(&self, side: &Side) -> bool {
        match self.means.get(side) {
            Some(Means::Exactly(_)) => true,
            Some(Means::SomeOf(known)) => !known.is_empty(),
            None => false,
        }
    }
}

impl Means {
    fn fits(&self, values: &BTreeSet<String>) -> bool {
        !values.is_empty()
            && match self {
                Self::Exactly(own) => own == values,
                // A load balancer answers with some of its addresses, and not always with the same.
                Self::SomeOf(known) => values.is_subset(known),
            }
    }
}

fn normal(kind: Kind, values: &[String]) -> BTreeSet<String> {
    values.iter().filter_map(|value| kind.normal(value).ok()).collect()
}
