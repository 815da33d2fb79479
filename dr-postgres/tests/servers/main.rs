//! Everything that touches a server, on real PostgreSQL pairs on loopback.

mod fencing;
mod following;
mod ledger;
mod observing;
mod promoting;
mod support;
