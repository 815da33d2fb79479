//! A plan bound to live resources, ready to execute.

mod script;

pub use script::{Script, ScriptPhase, ScriptStep};
