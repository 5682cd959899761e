//! The compactor's turn: an election on `compact_rev_key`, and the compaction of who wins it.

use super::{Context, Failed, found, frame};
use crate::clock::{self, Nanos};
use crate::engine::maintenance::CompactorRound;
use crate::engine::worker::Worker;
use crate::kube::actors::LeaseUse;
use crate::kube::{OpClass, requests};
use crate::report::{CompactorEvent, Event};
use crate::rpc::messages::{CompactionResponse, TxnResponse};

impl Worker {
    pub(in crate::engine) async fn compactor_txn(
        &self,
        context: &mut Context,
        class: OpClass,
    ) -> Result<Nanos, Failed> {
        let turn = self.election(context, class).await;
        self.compactor_turn(context, class, &turn);
        turn
    }

    pub(in crate::engine) async fn compactor_compact(
        &self,
        context: &Context,
        class: OpClass,
    ) -> Result<Nanos, Failed> {
        let frame = frame(|out| requests::compact(context.compact, out));
        let turn = self.attempt(context, class, frame).await;
        let turn = turn.and_then(|(bytes, done)| {
            self.decode::<CompactionResponse>(context, class, bytes)?;
            Ok(done)
        });
        self.compactor_turn(context, class, &turn);
        turn
    }

    async fn election(&self, context: &mut Context, class: OpClass) -> Result<Nanos, Failed> {
        let store = self.run.routes.of(class, context.object).store;
        let index = context.object.index;
        let CompactorRound {
            version,
            revision: previous,
        } = self.maintenance.last_round(index);
        let mut key = Vec::new();
        self.run.objects.key(context.object, &mut key);
        let frame = frame(|out| {
            requests::compactor_txn(version, previous.to_string().as_bytes(), &key, out)
        });
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: TxnResponse = self.decode(context, class, bytes)?;
        let revision = answer.header.map_or(0, |h| h.revision);
        let version = if answer.succeeded {
            // Compacting acts on the whole etcd: no more than the election where it is not ours.
            context.won = true;
            context.compact = previous * i64::from(self.run.plan.stores[store].target.owned);
            let written = u32::try_from(version + 1).unwrap_or(u32::MAX);
            self.acknowledge(context, class, LeaseUse::None, answer.header, written);
            version + 1
        } else {
            self.recorder.borrow_mut().conflict(context.phase, class);
            self.learn(context.object, class, found(&answer));
            i64::from(self.objects.get(context.object).version)
        };
        self.maintenance
            .remember(index, CompactorRound { version, revision });
        Ok(done)
    }

    /// Marks the turn of a store's compactor on the timeline.
    fn compactor_turn(&self, context: &Context, class: OpClass, turn: &Result<Nanos, Failed>) {
        let store = self.run.routes.of(class, context.object).store;
        let mut recorder = self.recorder.borrow_mut();
        let t = recorder.seconds(turn.as_ref().copied().unwrap_or_else(|_| clock::now()));
        recorder.push_event(Event::Compactor(CompactorEvent {
            t,
            store: self.run.plan.stores[store].name.clone(),
            class: class.name().to_owned(),
            answered: turn.is_ok(),
            won: turn.is_ok() && context.won,
            revision: context.compact,
        }));
    }
}
