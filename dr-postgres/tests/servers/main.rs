//! Everything that touches a server, on real PostgreSQL pairs on loopback.

#[cfg(test)]
mod attack;
#[cfg(test)]
mod fencing;
#[cfg(test)]
mod following;
#[cfg(test)]
mod hardship;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod promoting;
#[cfg(test)]
mod proving;
#[cfg(test)]
mod support;
