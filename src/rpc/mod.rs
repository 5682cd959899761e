//! etcd's gRPC API as data: methods, messages, frames, errors and what they did to the store. No IO.

mod error;
pub mod errors;
pub(crate) mod frames;
pub mod messages;
mod method;
mod range;

pub use error::{Effect, RpcError};
pub use method::{Rpc, WireKind};
pub use range::prefix_end;
