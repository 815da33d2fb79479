//! The twins pass the suites that real backends run, and a backend that is wrong in a usual way does not.

mod fixture;
mod found_out;
mod passing;
