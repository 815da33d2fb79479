//! Warnings that somebody took responsibility for.

use std::collections::BTreeSet;

use super::codes;
use crate::plan::{Finding, Plan, Severity};

/// Marks the warnings that the plan acknowledges, and finds fault with acknowledgements of anything else.
pub(super) fn apply(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut out = Vec::new();
    for (index, acknowledgement) in plan.acknowledge.iter().enumerate() {
        let single = plan.places.get("/acknowledge/code").copied();
        let place = single.unwrap_or_else(|| plan.place(&format!("/acknowledge/{index}/code")));
        let code = acknowledgement.code.as_str();
        let severities: BTreeSet<Severity> =
            findings.iter().filter(|finding| finding.code == code).map(|finding| finding.severity).collect();
        for finding in findings.iter_mut().filter(|finding| finding.code == code) {
            if finding.severity == Severity::Warning {
                finding.acknowledged = Some(acknowledgement.reason.clone());
            }
        }
        if severities.contains(&Severity::Error) {
            out.push(Finding::error(
                codes::NOT_ACKNOWLEDGEABLE,
                place,
                format!("`{code}` is an error, and an error cannot be acknowledged"),
                "put right what it says, and take the acknowledgement away",
            ));
        } else if !severities.contains(&Severity::Warning) {
            let known = codes::ALL.contains(&code);
            let message = format!("`{code}` is acknowledged, and not found");
            out.push(if known {
                Finding::note(codes::IDLE_ACKNOWLEDGEMENT, place, message, "take it away if no run needs it")
            } else {
                Finding::warning(
                    codes::IDLE_ACKNOWLEDGEMENT,
                    place,
                    message,
                    "no finding has that code: see docs/CHECKS.md",
                )
            });
        }
    }
    findings.extend(out);
}
