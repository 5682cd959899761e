//! An arm's `split:` resources that get an etcd of their own, in short.

use super::source::ExperimentSource;
use super::spec::ArmSpec;
use crate::experiment::error::ExperimentError;
use crate::kube::Resource;
use crate::workload::{ResolvedWorkload, Split};

impl ExperimentSource {
    /// What an arm splits off.
    pub(crate) fn splits(
        &self,
        arm: &ArmSpec,
        path: &str,
        list: &str,
    ) -> Result<Vec<Split>, ExperimentError> {
        let wrong = |message: String| Err(self.wrong(&format!("{path}.split"), message));
        if !arm.stores.is_empty() {
            return wrong("cannot be combined with stores; remove one of them".to_owned());
        }
        Split::parse("split", list).or_else(wrong)
    }

    /// An etcd for what nobody writes would be an idle one.
    pub(crate) fn written(
        &self,
        arm: &ArmSpec,
        path: &str,
        workload: &ResolvedWorkload,
    ) -> Result<(), ExperimentError> {
        let Some(list) = &arm.split else {
            return Ok(());
        };
        let written = workload.resources();
        let idle = self.splits(arm, path, list)?.into_iter();
        let mut idle = idle.filter(|s| s.resources.iter().all(|r| !written.contains(r)));
        let Some(split) = idle.next() else {
            return Ok(());
        };
        let names: Vec<&str> = written.into_iter().map(Resource::plural).collect();
        let message = format!(
            "no actor of the workload writes {}; the actors write: {}",
            split.name(),
            names.join(", ")
        );
        Err(self.wrong(&format!("{path}.split"), message))
    }
}
