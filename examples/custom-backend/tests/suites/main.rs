//! Real servers through the suites of the test kit, and through the command.

#[cfg(test)]
mod by_command;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod wrong;
