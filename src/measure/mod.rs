//! Histograms, interval logs, statistics and validity. Pure: no clock, no tokio.

pub mod batch_means;
mod binary;
pub mod delays;
pub mod encoded;
pub mod hist;
pub mod hlog;
mod medium;
pub mod paired;
pub mod percentile;
pub mod quota_model;
pub mod sparse;
pub mod stats;
pub mod validity;

pub use batch_means::{BatchMeans, BatchMeansBuilder, effective_sample_size, merge_batch_means};
pub use binary::BinaryInfo;
pub use delays::{DelayBook, Delays, FileDelays};
pub use hist::Hist;
pub use hlog::{HlogReader, HlogWriter};
pub use medium::{MediumInfo, SyncCost};
pub use percentile::{Headline, Offered};
pub use sparse::SparseHist;
pub use validity::{Validity, ValidityInputs, Verdict};
