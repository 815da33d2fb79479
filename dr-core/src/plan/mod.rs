//! The document: what should happen. A value that can be printed, hashed and reviewed.

mod budget;
pub mod codes;
mod conform;
mod document;
mod fields;
mod finding;
mod format;
mod from_toml;
mod from_yaml;
mod gradual;
mod node;
mod parse;
mod parse_phases;
mod place;
mod print;
mod schema;
mod verbs;

pub(crate) use conform::conformed;
pub(crate) use fields::closest;

pub use budget::{Limit, RtoRpoBudget, Strictness};
pub use document::{
    Acknowledgement, LossSpec, Measure, OnFailure, OutageSpec, Phase, Plan, ResourceSpec, StateLocation, Step,
};
pub use finding::{Finding, Severity};
pub use format::Format;
pub use place::Place;
pub use schema::schema;
