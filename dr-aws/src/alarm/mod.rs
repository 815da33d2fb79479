//! Kind `cloudwatch-alarm`: alarms that must be heard.

mod backend;
mod bells;
mod config;
mod history;
mod prove;
mod seen;
mod trigger;

pub use backend::CloudwatchAlarmBackend;
