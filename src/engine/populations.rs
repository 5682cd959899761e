//! What exists before the load.

use crate::kube::actors::{Population, model};
use crate::schedule::Stripe;
use crate::workload::Plan;

/// Every family of objects that must exist, each once.
pub(crate) fn populations(plan: &Plan) -> Vec<Population> {
    let mut all: Vec<Population> = Vec::new();
    for actor in &plan.actors {
        for p in model(&actor.kind, &plan.cluster, Stripe::WHOLE, plan.seed).population() {
            if !all.iter().any(|q| q.kind == p.kind) {
                all.push(p);
            }
        }
    }
    all
}
