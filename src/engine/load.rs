//! The load of one worker: arrivals at their intended instants, closed loops beside them, then the
//! drain.

use super::admission::Arrival;
use super::message::Message;
use super::pace::Pacer;
use super::tick::Ticker;
use super::worker::Worker;
use crate::clock::{self, Nanos, SECOND};
use crate::kube::actors::{Model, Session};
use crate::report::{Event, Note, Phase};
use crate::schedule::{Cells, Schedule, Share, Source, Stripe, Timetable};
use std::cell::Cell;
use std::io;
use std::rc::Rc;

/// The load's instants, the same for every worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// Load start: what schedules count from.
    pub(crate) start: Nanos,
    /// Warm-up ends, measuring begins.
    pub(crate) measure: Nanos,
    /// Arrivals end (`Nanos::MAX`: only when asked to).
    pub(crate) end: Nanos,
    /// How long answers are waited for after that.
    pub(crate) drain: Nanos,
}

impl Times {
    /// Of an instant within the load.
    pub(crate) fn phase(&self, intended: Nanos) -> Phase {
        if intended < self.measure {
            Phase::Warmup
        } else {
            Phase::Measure
        }
    }
}

/// Arrivals begun before the connections get their turn.
const TURN: usize = 32;
/// How often a worker looks whether it shall drain.
const LOOK: Nanos = 50_000_000;

/// Plays the load to its end and drains.
pub(crate) async fn load(
    worker: &Rc<Worker>,
    models: Vec<Box<dyn Model>>,
    mut times: Times,
    ticker: &mut Ticker,
) -> io::Result<()> {
    let models: Vec<Rc<dyn Model>> = models.into_iter().map(Rc::from).collect();
    let (mut timetable, actors) = timetable(worker, &models);
    let mut pacer = Pacer::new(worker.run.plan.load.spin)?;
    worker.within(times);
    for (actor, model) in worker.run.plan.actors.iter().zip(&models) {
        if let Schedule::Closed { concurrency } = actor.schedule {
            let clients = Rc::new(Clients::new(worker.part, model, times));
            for client in (0..concurrency).filter(|c| clients.share.owns(*c)) {
                let begin = worker.run.plan.begins(times.start, client, concurrency);
                tokio::task::spawn_local(closed_loop(
                    Rc::clone(worker),
                    Rc::clone(&clients),
                    begin,
                ));
            }
        }
    }
    ticker.phases(times);
    loop {
        let now = clock::now();
        if worker.run.control.draining() && now < times.end {
            times.end = now;
            ticker.phases(times);
            worker.within(times);
        }
        ticker.catch_up(worker);
        let end = times.end;
        if now >= end {
            // What was due before the end is offered all the same, else a late generator would look like a low rate.
            let due = timetable
                .peek()
                .map(|at| times.start + at)
                .filter(|due| *due < end);
            let Some(due) = due else { break };
            if now >= end.saturating_add(times.drain) || worker.run.control.stopping() {
                never_offered(worker, due, end);
                break;
            }
        }
        let mut begun = 0;
        while begun < TURN {
            let Some(at) = timetable.peek() else { break };
            let intended = times.start + at;
            if intended > clock::now() || intended >= end {
                break;
            }
            let Some(due) = timetable.pop() else { break };
            begun += 1;
            let (actor, periodic) = actors[due.source];
            let session = models[actor].session(due.index, due.round);
            if let Some(session) = session {
                worker.admit(Arrival {
                    session,
                    intended,
                    phase: times.phase(intended),
                    closed: false,
                    periodic,
                });
            }
        }
        if begun == TURN {
            tokio::task::yield_now().await;
            continue;
        }
        let due = timetable.peek().map_or(Nanos::MAX, |at| times.start + at);
        pacer
            .until(due.min(ticker.next()).min(end).min(now + LOOK))
            .await?;
    }
    let deadline = times.end.saturating_add(times.drain);
    drain(worker, deadline, ticker, &mut pacer).await
}

/// Says that the generator did not get to all of its schedule: the offered rate is less than was asked for.
fn never_offered(worker: &Worker, due: Nanos, end: Nanos) {
    let behind = end.saturating_sub(due) as f64 / SECOND as f64;
    let note = Note {
        t: worker.recorder.borrow().seconds(clock::now()),
        level: "warning".to_owned(),
        text: format!(
            "etcdmark never offered the last {behind:.1} s of the schedule, because this machine cannot send at \
             that rate; lower the rate"
        ),
    };
    worker.tell(Message::Event(Event::Note(note)));
}

/// Waits for what is open until the deadline, then censors the rest.
async fn drain(
    worker: &Rc<Worker>,
    deadline: Nanos,
    ticker: &mut Ticker,
    pacer: &mut Pacer,
) -> io::Result<()> {
    while worker.admission.open() > 0 && clock::now() < deadline && !worker.run.control.halting() {
        let wake = ticker.next().min(deadline).min(clock::now() + LOOK);
        tokio::select! {
            () = worker.admission.ended.notified() => {}
            waited = pacer.until(wake) => waited?,
        }
        ticker.catch_up(worker);
    }
    worker.censor();
    Ok(())
}

/// The open-loop actors' sources, with each source's actor and whether it is periodic.
fn timetable(worker: &Worker, models: &[Rc<dyn Model>]) -> (Timetable, Vec<(usize, bool)>) {
    let mut timetable = Timetable::new();
    let mut actors = Vec::new();
    for (i, actor) in worker.run.plan.actors.iter().enumerate() {
        let share = share(worker.part, &models[i]);
        let (members, seed) = (models[i].members(), worker.run.plan.seed);
        let source = Source::new(&actor.schedule, members, seed, &actor.name, share);
        if let Some(source) = source {
            timetable.add(source);
            actors.push((i, matches!(actor.schedule, Schedule::Periodic { .. })));
        }
    }
    (timetable, actors)
}

/// What a part plays of an actor.
fn share(part: Stripe, model: &Rc<dyn Model>) -> Share {
    // To each its own type: the schedule knows cells, not models.
    let cells: Rc<dyn Cells> = Rc::<dyn Model>::clone(model);
    Share::new(part, cells)
}

/// The clients of an actor's closed loop that live in this worker. They take its arrivals in turn.
struct Clients {
    model: Rc<dyn Model>,
    share: Share,
    next: Cell<u64>,
    times: Times,
}

impl Clients {
    fn new(part: Stripe, model: &Rc<dyn Model>, times: Times) -> Self {
        Clients {
            model: Rc::clone(model),
            share: share(part, model),
            next: Cell::new(0),
            times,
        }
    }

    fn next(&self) -> Option<Session> {
        let index = self.share.next(self.next.get())?;
        self.next.set(index + 1);
        self.model.session(index, 0)
    }
}

/// One client of a closed loop: its next operation begins when the last one was answered.
async fn closed_loop(worker: Rc<Worker>, clients: Rc<Clients>, begin: Nanos) {
    let _watch = worker.watch();
    if !worker.timers.until(begin).await {
        return;
    }
    loop {
        let now = clock::now();
        let closing = worker.admission.closing.get() || worker.run.control.draining();
        if now >= clients.times.end || closing {
            return;
        }
        let Some(session) = clients.next() else {
            return;
        };
        if session.writes() && worker.objects.get(session.object).busy() {
            // Another client has it: take the next object, once something has moved.
            tokio::select! {
                () = worker.admission.ended.notified() => {}
                _ = worker.timers.until(now + SECOND / 1000) => {}
            }
            continue;
        }
        let arrival = Arrival {
            session,
            intended: now,
            phase: clients.times.phase(now),
            closed: true,
            periodic: false,
        };
        worker.play_to_end(arrival).await;
    }
}
