//! The end of a run: workers joined, the store verified and cleaned up, the outcome told.

use super::active::{ActiveRun, revision};
use super::header::cleanup_command;
use super::losses::revision_went_back;
use super::message::Message;
use super::pace::Pacer;
use super::prepare::PreparedStore;
use super::routes::store_of;
use super::stream::Stream;
use super::thread::WorkerCommand;
use super::verify;
use crate::clock::{self, Nanos, SECOND};
use crate::control::Control;
use crate::kube::Kind;
use crate::report::{
    CleanupReport, End, Event, LossEvent, LossKind, Phase, Progress, RunResult, StoreSweep,
    VerifyReport,
};
use crate::server::ended;
use crate::store::cleanup::{REGISTRY, RunData, cleanup_run};
use crate::store::manifest::Written;

impl ActiveRun {
    /// Ends workers, verifies, cleans up, and says how it ended.
    pub(super) fn finish(
        mut self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: Vec<PreparedStore>,
        failure: Option<String>,
    ) -> RunResult {
        // A user who stops now is not kept waiting for the cleanup; a failure of its own accord is no such haste.
        let hurried = self.run.control.stopping();
        if failure.is_some() {
            // Workers that are in the middle of something end at once.
            self.run.control.abandon();
        }
        self.command(WorkerCommand::End);
        for worker in std::mem::take(&mut self.workers) {
            match worker.join() {
                Ok(result) => self.results.extend(result),
                Err(_) => stream.note("warning", "a worker thread panicked"),
            }
        }
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Batch(batch) => self.merger.batch(*batch, stream),
                Message::Event(event) => stream.event(&event),
                _ => {}
            }
        }
        if failure.is_some() {
            self.name_ended_processes(runtime, stream);
        }
        self.merger.flush(stream);
        if self.merger.saturated() > 0 {
            let n = self.merger.saturated();
            stream.note(
                "warning",
                format!("{n} times exceeded one hour and are recorded as one hour"),
            );
        }
        self.background.stop();
        let mut foreign = 0;
        if failure.is_none() && self.run.plan.verify && !self.run.control.stopping() {
            self.enter(stream, Phase::Verify);
            if let Some(report) = self.verify(runtime, stream, &stores) {
                foreign = report.foreign;
                for sweep in &report.sweeps {
                    if let Some(loss) = went_back(stream.t(), sweep) {
                        stream.event(&Event::Loss(loss));
                    }
                }
                stream.event(&Event::Verify(report));
            }
        }
        self.enter(stream, Phase::Cleanup);
        let report = self.cleanup(runtime, stream, stores, hurried, foreign);
        stream.event(&Event::Cleanup(report));
        let outcome = match (&failure, self.guarded, self.run.control.interrupted()) {
            (Some(_), _, _) => "failed",
            (None, true, _) => "guard",
            (None, false, true) => "interrupted",
            (None, false, false) => "completed",
        };
        let end = End {
            t: stream.t(),
            outcome: outcome.to_owned(),
            error: failure,
            interrupted: self.run.control.interrupted(),
            revisions: self.revisions,
        };
        stream.event(&Event::End(end));
        stream.flush();
        stream.result()
    }

    /// A run that fails with its etcd is quicker than who looks after the process, and than the kernel: the connections
    /// of a killed process break before it has ended.
    fn name_ended_processes(&self, runtime: &tokio::runtime::Runtime, stream: &mut Stream<'_>) {
        let members = self.run.plan.stores.iter().flat_map(|store| {
            let members = store.target.local_members.iter();
            members.map(move |member| (&store.name, member))
        });
        let find = || {
            members
                .clone()
                .filter_map(|(store, m)| ended(store, m, stream.t()))
        };
        let until = clock::now() + SECOND / 2;
        let mut found: Vec<_> = find().collect();
        while found.is_empty() && members.clone().next().is_some() && clock::now() < until {
            let soon = async { Pacer::new(false)?.until(clock::now() + SECOND / 50).await };
            if runtime.block_on(soon).is_err() {
                break;
            }
            found = find().collect();
        }
        for event in found {
            stream.event(&Event::Member(event));
        }
    }

    fn verify(
        &self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: &[PreparedStore],
    ) -> Option<VerifyReport> {
        let mut all = VerifyReport::default();
        for (index, prepared) in stores.iter().enumerate() {
            let mine = |kind: Kind| {
                kind != Kind::CompactRev && store_of(&self.run.plan, kind.resource()) == index
            };
            let progress = teller(stream, self.run.t0, Phase::Verify);
            let expected = verify::Expected {
                cluster: &prepared.client,
                index,
                store: &self.run.plan.stores[index].name,
                prefix: &self.run.plan.prefix,
                objects: &self.run.objects,
                results: &self.results,
            };
            let sweep = verify::verify(expected, mine, progress);
            let mut report = unless_stopped(runtime, &self.run.control, sweep)?;
            runtime.block_on(self.account_for_lock(index, prepared, &mut report));
            verify::add(&mut all, report);
        }
        all.indeterminate = self.results.iter().map(|r| r.objects.indeterminate).sum();
        all.indeterminate_applied += self.results.iter().map(|r| r.objects.applied).sum::<u64>();
        Some(all)
    }

    /// What a lost lock, or keys that others deleted, make of a sweep: of a store that did not lose its data itself, a verdict is
    /// withdrawn.
    async fn account_for_lock(
        &self,
        index: usize,
        prepared: &PreparedStore,
        report: &mut VerifyReport,
    ) {
        let lock = &prepared.claim.lock;
        let mut rewound = self.results.iter().any(|r| r.marks[index].was_lost());
        if let Some(sweep) = report.sweeps.first_mut() {
            sweep.lock_retaken = lock.retaken();
            sweep.lock_revisions = lock.revisions(sweep.revision).await;
            rewound |= sweep.revision < sweep.acknowledged_revision;
        }
        // Asked for after the sweep: who deleted what it did not find had the lock before.
        let disturbed = lock
            .disturbed()
            .await
            .ok()
            .flatten()
            .or_else(|| lock.lost());
        let disturbed = disturbed.map(|why| format!("this run lost its lock: {why}"));
        let deleted = report.withdrawn.take();
        if let Some(why) = disturbed.or(deleted).filter(|_| !rewound) {
            *report = VerifyReport {
                withdrawn: Some(why),
                ..VerifyReport::default()
            };
        }
    }

    fn cleanup(
        &self,
        runtime: &tokio::runtime::Runtime,
        stream: &mut Stream<'_>,
        stores: Vec<PreparedStore>,
        hurried: bool,
        foreign: u64,
    ) -> CleanupReport {
        let mut all = CleanupReport::default();
        let leases: Vec<i64> = self
            .results
            .iter()
            .flat_map(|e| e.leases.iter().map(|l| l.id))
            .collect();
        let shared = self.run.plan.prefix == REGISTRY;
        for (index, mut prepared) in stores.into_iter().enumerate() {
            let store = &self.run.plan.stores[index];
            let local = !store.target.local_members.is_empty();
            let left = || cleanup_command(&self.run.plan, store);
            // Under /registry only what was written up to here is the run's: said in the manifest while it is certain.
            let written = match shared && foreign == 0 {
                true => runtime.block_on(sealed(&mut prepared)),
                false => None,
            };
            // A local etcd that goes away with the run needs no sweeping.
            if self.run.plan.keep_data || (local && store.target.disposable) || hurried {
                if !(local && store.target.disposable) {
                    also(&mut all.left, left());
                }
                let _ = runtime.block_on(prepared.claim.leave());
                continue;
            }
            if let Ok(Some(owner)) = runtime.block_on(prepared.claim.new_owner()) {
                stream.note(
                    "warning",
                    format!("this run lost its lock to {owner}, which must clean up the keys"),
                );
                also(&mut all.left, left());
                continue;
            }
            let swept = {
                let mut progress = teller(stream, self.run.t0, Phase::Cleanup);
                let data = RunData {
                    prefix: &self.run.plan.prefix,
                    leases: &leases,
                    written,
                    owned: store.target.owned,
                    gentle: !local,
                };
                let sweep = cleanup_run(&prepared.client, &data, &mut progress);
                unless_stopped(runtime, &self.run.control, sweep)
            };
            match swept {
                None => {
                    also(&mut all.left, left());
                    let _ = runtime.block_on(prepared.claim.leave());
                }
                Some(Ok(report)) => {
                    all.keys += report.keys;
                    all.leases += report.leases;
                    if let Some(line) = report.left {
                        also(&mut all.left, line);
                    }
                    // Without its manifest, nobody would find what is left.
                    match runtime.block_on(prepared.claim.release()) {
                        Ok(true) => {}
                        Ok(false) => also(&mut all.left, left()),
                        Err(e) => {
                            stream
                                .note("warning", format!("manifest of store {}: {e}", store.name));
                            also(&mut all.left, left());
                        }
                    }
                }
                Some(Err(e)) => {
                    stream.note("warning", format!("cleanup of store {}: {e}", store.name));
                    also(&mut all.left, left());
                    let _ = runtime.block_on(prepared.claim.leave());
                }
            }
        }
        all
    }
}

/// Between which revisions the run wrote, once its workers have ended; None when that cannot be said.
async fn sealed(prepared: &mut PreparedStore) -> Option<Written> {
    let last = revision(prepared).await.ok()?;
    prepared.claim.seal(last).await.ok()?
}

/// A sweep at a revision below what the store has answered with.
fn went_back(t: f64, sweep: &StoreSweep) -> Option<LossEvent> {
    let (acknowledged, revision) = (sweep.acknowledged_revision, sweep.revision);
    (revision < acknowledged).then(|| LossEvent {
        t,
        store: sweep.store.clone(),
        kind: LossKind::Revision,
        times: 1,
        writes: 0,
        example: revision_went_back(acknowledged, revision),
    })
}

/// One command cleans up all stores, or each has its own.
fn also(left: &mut Option<String>, line: String) {
    match left {
        None => *left = Some(line),
        Some(told) if told.contains(&line) => {}
        Some(told) => {
            told.push_str(" && ");
            told.push_str(&line);
        }
    }
}

/// Tells how many keys are done, at most four times a second.
fn teller<'a, 's>(
    stream: &'a mut Stream<'s>,
    t0: Nanos,
    phase: Phase,
) -> impl FnMut(u64, u64) + use<'a, 's> {
    let mut told = 0;
    move |done, total| {
        // The last line that is left to read is that all is done.
        if done == total || clock::now().saturating_sub(told) > SECOND / 4 {
            told = clock::now();
            let t = told.saturating_sub(t0) as f64 / SECOND as f64;
            let unit = "keys".to_owned();
            stream.event(&Event::Progress(Progress {
                t,
                phase,
                done,
                total,
                unit,
            }));
        }
    }
}

/// Waits for `work`, but no longer than until the user stops the run; None then.
fn unless_stopped<T>(
    runtime: &tokio::runtime::Runtime,
    control: &Control,
    work: impl Future<Output = T>,
) -> Option<T> {
    runtime.block_on(async {
        tokio::select! {
            done = work => Some(done),
            () = control.until_stopping() => None,
        }
    })
}
