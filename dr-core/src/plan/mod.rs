//! The document: what should happen. A value that can be printed, hashed and reviewed.

mod budget;
mod document;
mod finding;
mod place;

pub use budget::{Limit, RtoRpoBudget, Strictness};
pub use document::{
    Acknowledgement, LossSpec, Measure, OnFailure, OutageSpec, Phase, Plan, ResourceSpec, StateLocation, Step,
};
pub use finding::{Finding, Severity};
pub use place::Place;
