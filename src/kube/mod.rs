//! What Kubernetes writes: keys, names, objects, the storage envelope and kube-apiserver's request
//! shapes. Pure: no clock, no IO, no randomness but functions of (seed, epoch, index).

pub mod actors;
mod cluster;
pub mod names;
pub mod objects;
pub mod opclass;
pub mod requests;
pub mod resource;
mod version;

pub use actors::ActorKind;
pub use cluster::Cluster;
pub use objects::{Kind, ObjectRef, Objects, Write};
pub use opclass::OpClass;
pub use resource::Resource;
pub use version::KubernetesVersion;
