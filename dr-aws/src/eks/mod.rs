//! Kind `eks-nodegroup`: how many nodes a cluster has.

mod backend;
mod config;
mod group;
mod hand;
mod nodes;
mod note;
mod prove;
mod room;
mod scale;
mod sizes;
mod update;
mod vcpu;

pub use backend::EksNodegroupBackend;
