//! Two arms from a command line, in place of the file's.

use super::etcd_spec::EtcdSpec;
use super::source::ExperimentSource;
use super::spec::ArmSpec;

/// One side of a comparison.
#[derive(Clone, Debug)]
pub struct Side {
    /// The arm's name.
    pub name: &'static str,
    /// What it is, as it was given: an error names it.
    pub given: String,
    /// Its etcd.
    pub etcd: EtcdSpec,
}

impl ExperimentSource {
    /// The same experiment with these arms and no others; the first one is the baseline.
    #[must_use]
    pub fn with_sides(mut self, sides: &[Side]) -> Self {
        let arm = |side: &Side| ArmSpec {
            name: side.name.to_owned(),
            description: Some(side.given.clone()),
            etcd: side.etcd.clone(),
            ..ArmSpec::default()
        };
        self.file.spec.arms = sides.iter().map(arm).collect();
        self.file.spec.baseline = None;
        self.made = sides.iter().map(|side| side.given.clone()).collect();
        self
    }
}
