//! How fast a directory's disk makes an append durable: what etcd waits for at every write.
//!
//! [`measure`] appends to a scratch file in each directory and calls fdatasync after every append, as etcd's WAL
//! does, or as the fio job does that etcd's documentation points to. Several directories take turns, so that what
//! else goes on hits all alike. [`judge`] sets what was found, over time, against the limits in etcd's documentation.
//!
//! Pure, without IO: [`pattern`], `turns`, `compare`, `space`, [`judge`], `over_time`, [`medium`], [`fio`], [`text`].

mod appender;
mod backend;
mod busy;
mod compare;
pub mod device;
mod directory;
pub mod error;
pub mod fio;
mod janitor;
pub mod judge;
mod measure;
pub mod medium;
mod over_time;
pub mod pattern;
pub(crate) mod place;
mod recorder;
pub mod result;
mod scratch;
mod space;
mod summary;
pub mod text;
mod turns;

pub use error::DiskError;
pub use measure::{Measured, Progress, Request, measure};
pub use pattern::Pattern;
pub use result::DiskResult;
pub use turns::Budget;
