//! The load of one worker: arrivals at their intended instants, closed loops beside them, then the
//! drain.

use super::admission::Arrival;
use super::message::Message;
use super::pace::Pacer;
use super::tick::Ticker;
use super::worker::Worker;
use crate::clock::{self, Nanos, SECOND};
use crate::kube::actors::Model;
use crate::report::{Event, Note, Phase};
use crate::schedule::Schedule;
use crate::schedule::{Source, Timetable};
use std::cell::RefCell;
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

type Models = Vec<RefCell<Box<dyn Model>>>;

/// Plays the load to its end and drains.
pub(crate) async fn load(
    worker: &Rc<Worker>,
    models: Vec<Box<dyn Model>>,
    mut times: Times,
    ticker: &mut Ticker,
) -> io::Result<()> {
    let models: Rc<Models> = Rc::new(models.into_iter().map(RefCell::new).collect());
    let (mut timetable, actors) = timetable(worker, &models);
    let mut pacer = Pacer::new(worker.run.plan.load.spin)?;
    worker.admission.thinking.within(times);
    let thinking = tokio::task::spawn_local({
        let (worker, pacer) = (Rc::clone(worker), Pacer::new(worker.run.plan.load.spin)?);
        async move {
            let _watch = worker.watch();
            worker.admission.thinking.run(pacer).await
        }
    });
    for (actor, a) in worker.run.plan.actors.iter().enumerate() {
        if let Schedule::Closed { concurrency } = a.schedule {
            for client in 0..worker.part.share_of(concurrency) {
                let clients = worker.part.share_of(concurrency);
                tokio::task::spawn_local(closed_loop(
                    Rc::clone(worker),
                    Rc::clone(&models),
                    actor,
                    client,
                    clients,
                    times,
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
            worker.admission.thinking.within(times);
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
            let session = models[actor].borrow_mut().session(due.index, due.round);
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
    let drained = drain(worker, deadline, ticker, &mut pacer).await;
    thinking.abort();
    drained
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
fn timetable(worker: &Worker, models: &Models) -> (Timetable, Vec<(usize, bool)>) {
    let mut timetable = Timetable::new();
    let mut actors = Vec::new();
    for (i, actor) in worker.run.plan.actors.iter().enumerate() {
        let members = models[i].borrow().members();
        let source = Source::new(
            &actor.schedule,
            members,
            worker.run.plan.seed,
            &actor.name,
            worker.part,
        );
        if let Some(source) = source {
            timetable.add(source);
            actors.push((i, matches!(actor.schedule, Schedule::Periodic { .. })));
        }
    }
    (timetable, actors)
}

/// One client of a closed loop: its next operation begins when the last one was answered.
async fn closed_loop(
    worker: Rc<Worker>,
    models: Rc<Models>,
    actor: usize,
    client: u64,
    clients: u64,
    times: Times,
) {
    let _watch = worker.watch();
    let mut pacer = match Pacer::new(false) {
        Ok(pacer) => pacer,
        Err(_) => return,
    };
    let begin = worker.run.plan.begins(times.start, client, clients);
    while clock::now() < begin && clock::now() < times.end && !worker.run.control.draining() {
        let look = begin.min(clock::now() + LOOK);
        if pacer.until(look).await.is_err() {
            return;
        }
    }
    let mut turn = client;
    loop {
        let now = clock::now();
        if now >= times.end || worker.run.control.draining() || worker.admission.closing.get() {
            return;
        }
        let index = turn * worker.part.of() + worker.part.part();
        turn += clients;
        let Some(session) = models[actor].borrow_mut().session(index, 0) else {
            return;
        };
        if session.writes() && worker.objects.get(session.object).busy() {
            // Another client has it: take the next object, once something has moved.
            tokio::select! {
                () = worker.admission.ended.notified() => {}
                _ = pacer.until(now + SECOND / 1000) => {}
            }
            continue;
        }
        let arrival = Arrival {
            session,
            intended: now,
            phase: times.phase(now),
            closed: true,
            periodic: false,
        };
        worker.play_to_end(arrival).await;
    }
}
