//! An IO adapter that gathers what h2 writes and hands it to the socket once per turn of the runtime.
//!
//! h2 flushes one `writev` per request whose body exceeds 256 bytes; gathering them saves about a fifth
//! of the CPU per request. The connection's driver decides when to write.

use bytes::{Buf, BytesMut};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Beyond this the socket's own backpressure reaches h2.
const LIMIT: usize = 256 << 10;

/// The socket and what waits for it.
pub(crate) struct WriteBuffer<S> {
    io: S,
    out: BytesMut,
    /// Bytes taken from h2 since the start.
    taken: u64,
    /// Bytes handed to the socket since the start.
    written: u64,
    /// h2 was last told to wait.
    blocked: bool,
    /// Successful reads, to tell a silent connection.
    reads: u64,
    /// The socket itself buffers (TLS): written is handed over only when flushed.
    buffers: bool,
    flushed: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WriteBuffer<S> {
    /// Writes and flushes everything gathered.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let n = ready!(Pin::new(&mut self.io).poll_write(cx, &self.out))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(n);
            self.written += n as u64;
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.flushed = self.written;
        Poll::Ready(Ok(()))
    }
}

/// The half that h2 owns.
pub(crate) struct Coalesce<S>(Rc<RefCell<WriteBuffer<S>>>);

/// The half that the driver owns.
pub(crate) struct Outlet<S>(Rc<RefCell<WriteBuffer<S>>>);

/// Both halves over one socket.
pub(crate) fn pair<S>(io: S, buffers: bool) -> (Coalesce<S>, Outlet<S>) {
    let gathered = Rc::new(RefCell::new(WriteBuffer {
        io,
        out: BytesMut::with_capacity(16 << 10),
        taken: 0,
        written: 0,
        blocked: false,
        reads: 0,
        buffers,
        flushed: 0,
    }));
    (Coalesce(gathered.clone()), Outlet(gathered))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outlet<S> {
    /// Hands everything gathered to the socket.
    pub(crate) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_drain(cx)
    }

    /// Nothing waits, here or in the socket's own buffer.
    pub(crate) fn is_empty(&self) -> bool {
        let this = self.0.borrow();
        this.out.is_empty() && this.flushed == this.taken
    }

    /// Whether h2 still holds frames that did not fit.
    pub(crate) fn blocked(&self) -> bool {
        self.0.borrow().blocked
    }

    pub(crate) fn taken(&self) -> u64 {
        self.0.borrow().taken
    }

    /// Bytes that the kernel has.
    pub(crate) fn handed_over(&self) -> u64 {
        let this = self.0.borrow();
        if this.buffers {
            this.flushed
        } else {
            this.written
        }
    }

    pub(crate) fn reads(&self) -> u64 {
        self.0.borrow().reads
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Coalesce<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self.0.borrow_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.reads += 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Coalesce<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self.0.borrow_mut();
        if this.out.len() >= LIMIT {
            this.blocked = true;
            ready!(this.poll_drain(cx))?;
        }
        this.blocked = false;
        let mut n = 0;
        for buf in bufs {
            this.out.extend_from_slice(buf);
            n += buf.len();
        }
        this.taken += n as u64;
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: the driver flushes at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self.0.borrow_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
