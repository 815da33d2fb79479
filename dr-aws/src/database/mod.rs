//! What RDS instances and Aurora clusters have in common: the words of their states, their samples, their tags.

pub(crate) mod lag;
pub(crate) mod status;
pub(crate) mod tags;
