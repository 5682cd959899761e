//! The bracket around every operation: what is offered ends once, as ok, failed or skipped.

use super::recorder::{Operation, Outcome};
use super::session::{Context, Failed};
use super::worker::Worker;
use crate::clock::{self, Nanos};
use crate::kube::OpClass;
use crate::rpc::errors::ErrorClass;

/// What an operation's work comes to: when it was done.
pub(super) trait Done {
    fn done(&self) -> Nanos;
}

impl Done for Nanos {
    fn done(&self) -> Nanos {
        *self
    }
}

impl<T> Done for (T, Nanos) {
    fn done(&self) -> Nanos {
        self.1
    }
}

impl Worker {
    /// Offers an operation of a session that is under way, intended when its context says.
    pub(super) fn offer_next(&self, context: &Context, class: OpClass) -> Operation {
        self.recorder
            .borrow_mut()
            .offer(context.phase, class, context.intended, context.closed)
    }

    /// Does the work of an operation that was offered, and ends it by what came of it. One that is dropped on the
    /// way, because the run ends, is censored.
    pub(super) async fn operation<T: Done>(
        &self,
        offered: Operation,
        work: impl AsyncFnOnce() -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let result = work().await;
        let outcome = match &result {
            Ok(done) => Outcome::Ok(done.done()),
            Err(Failed) => Outcome::Failed(clock::now()),
        };
        self.end(offered, outcome);
        result
    }

    /// Counts how an operation ended.
    pub(super) fn end(&self, operation: Operation, outcome: Outcome) {
        let limit = self.run.routes.of_class(operation.class()).limit;
        self.recorder.borrow_mut().end(operation, outcome, limit);
    }

    /// Why an operation failed that etcd answered, or did not need to.
    pub(super) fn refused(
        &self,
        context: &Context,
        class: OpClass,
        error: &ErrorClass,
        message: &str,
    ) {
        let at = clock::now();
        self.recorder
            .borrow_mut()
            .error(context.phase, class, error, message, at);
    }
}
