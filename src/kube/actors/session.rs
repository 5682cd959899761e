//! One thing that an actor does: steps in order, most of them on one object.

use super::{RowObject, Script, Step};
use crate::clock::Nanos;
use crate::kube::{Kind, ObjectRef, OpClass};
use std::sync::Arc;

/// One thing an actor does.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The object that it is about.
    pub object: ObjectRef,
    steps: Steps,
}

/// In order; a failed step ends the session.
#[derive(Clone, Debug, PartialEq)]
enum Steps {
    /// At most four, inline, all on the session's object and without think times.
    Few([Option<Step>; 4]),
    /// Rows of a table that many sessions share.
    Script {
        script: Arc<Script>,
        others: Box<[ObjectRef]>,
        /// Decides which rows are taken and how long the think times are.
        draw: u64,
    },
}

/// A step of a session whose turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What is done.
    pub step: Step,
    /// To which object.
    pub object: ObjectRef,
    /// How long after the step before it was done.
    pub think: Nanos,
}

impl Session {
    /// A session of these steps (at most four) on that object.
    pub fn new(kind: Kind, index: u64, steps: &[Step]) -> Session {
        debug_assert!(steps.len() <= 4, "more than four steps need a script");
        let mut inline = [None; 4];
        for (to, from) in inline.iter_mut().zip(steps) {
            *to = Some(*from);
        }
        Session {
            object: ObjectRef { kind, index },
            steps: Steps::Few(inline),
        }
    }

    /// A session of any number of steps on several objects. The same `draw` takes the same steps after the same
    /// think times: derive it from the seed and the arrival's number.
    pub fn scripted(
        object: ObjectRef,
        others: Vec<ObjectRef>,
        script: &Arc<Script>,
        draw: u64,
    ) -> Session {
        Session {
            object,
            steps: Steps::Script {
                script: Arc::clone(script),
                others: others.into(),
                draw,
            },
        }
    }

    /// Its steps, in order, without those that are left out.
    pub fn turns(&self) -> impl Iterator<Item = Turn> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (i, turn) = self.turn(at)?;
            at = i + 1;
            Some(turn)
        })
    }

    /// The next step from `at` on, with its place.
    fn turn(&self, at: usize) -> Option<(usize, Turn)> {
        let own = self.object;
        match &self.steps {
            Steps::Few(steps) => {
                let step = steps.get(at).copied().flatten()?;
                let (object, think) = (own, 0);
                Some((
                    at,
                    Turn {
                        step,
                        object,
                        think,
                    },
                ))
            }
            Steps::Script {
                script,
                others,
                draw,
            } => {
                let (i, row, think) = script.next(at, *draw)?;
                let object = match row.of {
                    RowObject::Session => own,
                    RowObject::Other(n) => others.get(n).copied().unwrap_or(own),
                };
                let step = row.step;
                Some((
                    i,
                    Turn {
                        step,
                        object,
                        think,
                    },
                ))
            }
        }
    }

    /// What the session is offered as: its first operation.
    pub fn class(&self) -> OpClass {
        let operation = |turn: &Turn| turn.step.is_operation();
        let first = self.turns().find(operation).or(self.turns().next());
        first.map_or(OpClass::ProbeGet, |turn| turn.step.class())
    }

    /// Whether any step writes the session's own object: such sessions of one object take turns.
    pub fn writes(&self) -> bool {
        match &self.steps {
            Steps::Few(steps) => steps.iter().flatten().any(|s| s.writes()),
            Steps::Script { script, .. } => {
                let own = |row: &super::Row| row.of == RowObject::Session && row.step.writes();
                script.rows().iter().any(own)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::actors::{LeaseUse, Row, Think};

    fn object(kind: Kind, index: u64) -> ObjectRef {
        ObjectRef { kind, index }
    }

    fn create(class: OpClass) -> Step {
        Step::Create(class, LeaseUse::None)
    }

    #[test]
    fn a_scripts_state_is_no_larger_than_four_steps() {
        assert_eq!(size_of::<Option<[Option<Step>; 4]>>(), size_of::<Steps>());
    }

    #[test]
    fn rows_have_their_own_objects_and_think_times() {
        let rows = vec![
            Row {
                think: Think::Fixed(9),
                ..Row::new(Step::Get(OpClass::NodeLeaseGet))
            },
            Row {
                of: RowObject::Other(1),
                think: Think::Fixed(5),
                ..Row::new(create(OpClass::EventCreate))
            },
            Row::new(create(OpClass::NodeCreate)),
        ];
        let script = Arc::new(Script::new(rows));
        let node = object(Kind::Node, 7);
        let others = vec![object(Kind::Event, 1), object(Kind::Event, 2)];
        let session = Session::scripted(node, others, &script, 3);
        let turns: Vec<_> = session.turns().map(|t| (t.object, t.think)).collect();
        // The first is due when the session is.
        let expected = [(node, 0), (object(Kind::Event, 2), 5), (node, 0)];
        assert_eq!(turns, expected);
        assert_eq!(session.class(), OpClass::NodeLeaseGet);
        assert!(session.writes());
    }

    #[test]
    fn a_share_of_the_sessions_leaves_a_step_out_and_a_draw_always_the_same() {
        let rows = vec![
            Row {
                share: 0.0,
                ..Row::new(Step::Get(OpClass::NodeLeaseGet))
            },
            Row {
                share: 0.3,
                think: Think::Uniform { low: 10, high: 20 },
                ..Row::new(create(OpClass::EventCreate))
            },
        ];
        let script = Arc::new(Script::new(rows));
        let of = |draw| Session::scripted(object(Kind::Node, 0), Vec::new(), &script, draw);
        let mut taken = 0;
        for draw in 0..10_000 {
            let turns: Vec<_> = of(draw).turns().collect();
            assert_eq!(turns, of(draw).turns().collect::<Vec<_>>());
            // The first operation is never left out.
            assert_eq!(turns[0].step, Step::Get(OpClass::NodeLeaseGet));
            taken += turns.len() - 1;
            assert!(turns[1..].iter().all(|t| (10..20).contains(&t.think)));
        }
        // Three standard errors.
        assert!((2_860..3_140).contains(&taken), "{taken}");
    }

    #[test]
    fn think_times_have_their_distribution() {
        let mean = |think: Think| {
            let n = 20_000;
            let drawn = (0..n).map(|i| think.draw(crate::rng::mix(1, i, 0)));
            drawn.sum::<u64>() as f64 / n as f64
        };
        assert_eq!(mean(Think::None), 0.0);
        assert_eq!(mean(Think::Fixed(7)), 7.0);
        let (low, high) = (1_000_000, 3_000_000);
        let uniform = mean(Think::Uniform { low, high });
        assert!((uniform / 2e6 - 1.0).abs() < 0.02, "{uniform}");
        let exponential = mean(Think::Exponential { mean: 5_000_000 });
        assert!((exponential / 5e6 - 1.0).abs() < 0.03, "{exponential}");
    }
}
