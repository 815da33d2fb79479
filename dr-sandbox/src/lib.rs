//! Two real regions on one machine, to see dr work.
