//! What needs two regions: real servers, real processes, real kills.

mod attacks;
mod clocks;
mod crashes;
mod demos;
mod machines;
mod rivals;
mod saved;
mod secrets;
mod switchovers;
