//! The workload file: its schema, loading, overrides and validation → [`Plan`].

pub mod plan;

pub use plan::*;
