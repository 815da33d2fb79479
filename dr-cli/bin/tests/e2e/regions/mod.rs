//! What needs two regions: real servers, real processes, real kills.

mod crashes;
mod machines;
mod saved;
mod switchovers;
