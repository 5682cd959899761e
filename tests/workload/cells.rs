//! Any number of workers plays the same sessions, each where the state of its object is kept.

use super::set;
use etcdmark::kube::actors::{Model, Scope};
use etcdmark::schedule::{Cells, Share, Stripe};
use std::rc::Rc;

#[test]
fn one_to_sixteen_workers_play_the_same_sessions_and_each_its_own_objects() {
    let few = &["cluster.services=3", "cluster.nodes=20"];
    for workload in ["cluster", "events", "probe", "endpoints"] {
        let r = set(workload, few).unwrap();
        for actor in &r.actors {
            let model: Rc<dyn Model> = Rc::from((actor.kind.model)(&Scope {
                settings: &actor.settings,
                cluster: &r.cluster,
                stores: 1,
                schedule: &actor.schedule,
                seed: r.seed,
            }));
            let all: Vec<_> = (0..300).map(|i| (i, model.session(i, 0))).collect();
            for workers in 1..=16 {
                let mut played = Vec::new();
                for part in 0..workers {
                    let cells: Rc<dyn Cells> = Rc::<dyn Model>::clone(&model);
                    let stripe = Stripe::new(part, workers).unwrap();
                    let share = Share::new(stripe, cells);
                    let mut next = share.next(0);
                    while let Some(i) = next.filter(|i| *i < 300) {
                        let session = model.session(i, 0);
                        if let Some(s) = session.as_ref().filter(|s| s.writes()) {
                            let family = model.population();
                            let family = family.iter().find(|p| p.kind == s.object.kind);
                            let cell = s.object.index / family.map_or(1, |p| p.per_cell);
                            assert!(
                                stripe.owns(cell),
                                "{}: {:?} of {workers}",
                                actor.name,
                                s.object
                            );
                        }
                        played.push((i, session));
                        next = share.next(i + 1);
                    }
                }
                played.sort_by_key(|(i, _)| *i);
                assert_eq!(played, all, "{} with {workers} workers", actor.name);
            }
        }
    }
}
