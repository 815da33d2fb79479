//! What is wrong with a plan before it runs.
//!
//! Pure: no credentials, no network, so that a plan is checked where it is reviewed. [`configure`] reads the
//! resources, [`crate::runbook::compile`] binds the steps, and [`check`] looks at what came out, one file for each
//! family of checks. `docs/CHECKS.md` lists every code, what it means and the way out.

mod acknowledge;
mod budget;
mod callers;
pub mod codes;
mod configure;
mod dependence;
mod fencing;
mod graph;
mod measuring;
mod names;
mod shares;
mod view;

pub use configure::configure;
pub use view::Subject;

use crate::plan::Finding;
use view::View;

/// Everything that is wrong with a compiled plan, or worth knowing: in the document's order, errors first where
/// several stand at one place. A run goes ahead only if none of them [blocks](Finding::blocks).
pub fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let view = View::of(subject);
    let mut findings = Vec::new();
    names::check(&view, &mut findings);
    budget::check(&view, &mut findings);
    fencing::check(&view, &mut findings);
    callers::check(&view, &mut findings);
    shares::check(&view, &mut findings);
    measuring::check(&view, &mut findings);
    dependence::check(&view, &mut findings);
    acknowledge::apply(subject.plan, &mut findings);
    findings.sort_by_key(|finding| (finding.place, finding.severity));
    findings
}
