//! What exists before the load.

use crate::kube::actors::{self, Population};
use crate::workload::Plan;

/// Every family of objects that must exist, each once.
pub(crate) fn populations(plan: &Plan) -> Vec<Population> {
    let models = plan.actors.iter().map(|a| plan.model(a));
    let models: Vec<_> = models.collect();
    actors::populations(models.iter().map(AsRef::as_ref))
}
