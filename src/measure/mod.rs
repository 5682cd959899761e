//! Histograms, interval logs, statistics and validity. Pure: no clock, no tokio.

mod binary;
pub mod blocks;
pub mod change;
mod cores;
pub mod delays;
pub mod encoded;
pub mod gate;
pub mod hist;
pub mod hlog;
mod medium;
pub mod paired;
pub mod percentile;
pub mod quota_model;
pub mod sparse;
pub mod stats;
pub mod validity;

pub use binary::BinaryInfo;
pub use blocks::{Block, Blocks};
pub use cores::{Cores, CoresError};
pub use delays::{DelayBook, Delays, FileDelays};
pub use hist::Hist;
pub use hlog::{HlogReader, HlogWriter};
pub use medium::{MediumInfo, SyncCost};
pub use percentile::{Headline, Offered};
pub use sparse::SparseHist;
pub use validity::{Validity, ValidityInputs, Verdict};
