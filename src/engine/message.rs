//! What workers and what runs beside them tell the run.

use super::failure::Failure;
use super::recorder::Batch;
use crate::etcd::control::MemberStatus;
use crate::report::Event;
use std::sync::mpsc::Sender;

/// Held by what must not end by a panic unnoticed: the run would wait for it for ever.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) worker: usize,
    pub(crate) messages: Sender<Message>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = format!(
                "worker thread {} panicked; this is a bug of etcdmark: report it with what stands above",
                self.worker
            );
            let _ = self.messages.send(Message::Failed(Failure::new(text)));
        }
    }
}

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    /// One second of one worker.
    Batch(Box<Batch>),
    /// An event for the stream.
    Event(Event),
    /// How far a worker's populate is.
    Populated {
        worker: usize,
        done: u64,
        total: u64,
    },
    /// An alarm that etcd lists.
    Alarm {
        store: String,
        member: String,
        alarm: String,
    },
    /// What a member says of itself.
    Status {
        store: String,
        status: Box<MemberStatus>,
    },
    /// A worker finished what it was told to do.
    Done,
    /// A worker cannot go on.
    Failed(Failure),
}
