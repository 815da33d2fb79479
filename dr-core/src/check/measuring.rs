//! No measurement, no claim.

use super::codes;
use super::view::View;
use crate::ids::ResourceName;
use crate::plan::{Finding, Place, closest};
use crate::resource::{Call, Probe};

pub(super) fn check(view: &View<'_>, out: &mut Vec<Finding>) {
    let plan = view.subject.plan;
    let (outages, losses) = (&plan.measure.outages, &plan.measure.losses);
    if outages.is_empty() && losses.is_empty() {
        let place = plan.phases.first().map_or_else(|| plan.place(""), |phase| phase.place);
        out.push(Finding::warning(
            codes::NOTHING_MEASURED,
            place,
            "nothing is measured: the run will have no RTO and no RPO",
            "`measure: { outage: { probe: … }, loss: { store: … } }`",
        ));
    } else {
        if plan.budget.rto.is_some() && outages.is_empty() {
            out.push(Finding::warning(
                codes::NO_PROBER,
                plan.place("/budget/rto"),
                "the RTO will be judged by the run's own clock, not from a client's seat",
                "`measure: { outage: { probe: … } }`",
            ));
        }
        if plan.budget.rpo.is_some() && losses.is_empty() {
            out.push(Finding::warning(
                codes::NO_LEDGER,
                plan.place("/budget/rpo"),
                "the RPO will be judged by replication lag: no ledger counts lost writes",
                "`measure: { loss: { store: … } }`",
            ));
        }
    }
    for (index, outage) in outages.iter().enumerate() {
        if known(view, &outage.probe, pointed(view, "outage", index, "probe"), out)
            && view.subject.configured.get(&outage.probe).is_some_and(|it| !it.verbs().contains(&Probe::VERB))
        {
            out.push(Finding::error(
                codes::CANNOT_MEASURE,
                pointed(view, "outage", index, "probe"),
                format!("`{}` cannot be asked as a caller would", outage.probe),
                "name a resource that can `probe`",
            ));
        }
        let reads_only =
            view.subject.configured.get(&outage.probe).and_then(|it| it.takes_writes()) == Some(false);
        if outage.write && reads_only {
            out.push(Finding::error(
                codes::CANNOT_MEASURE,
                pointed(view, "outage", index, "write"),
                format!("`{}` has no way to write, so every answer would be bad", outage.probe),
                "configure its write path, or take `write` away",
            ));
        }
    }
    for (index, loss) in losses.iter().enumerate() {
        known(view, &loss.store, pointed(view, "loss", index, "store"), out);
        if let Some(via) = &loss.via {
            known(view, via, pointed(view, "loss", index, "via"), out);
        }
    }
}

fn known(view: &View<'_>, name: &ResourceName, place: Place, out: &mut Vec<Finding>) -> bool {
    let plan = view.subject.plan;
    let known = plan.resources.contains_key(name);
    if !known {
        let names: Vec<&str> = plan.resources.keys().map(ResourceName::as_str).collect();
        out.push(Finding::error(
            codes::CANNOT_MEASURE,
            place,
            format!("there is no resource `{name}`"),
            match closest(name.as_str(), names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the resources are: {}", names.join(", ")),
            },
        ));
    }
    known
}

/// `outage` and `loss` may be one thing or a list of them.
fn pointed(view: &View<'_>, list: &str, index: usize, field: &str) -> Place {
    let plan = view.subject.plan;
    let single = format!("/measure/{list}/{field}");
    match plan.places.get(&single) {
        Some(place) => *place,
        None => plan.place(&format!("/measure/{list}/{index}/{field}")),
    }
}
