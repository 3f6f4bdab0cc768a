//! Telling applications which of their messages the stack needs no more.
//!
//! The last share of a token may be dropped on any thread, by a device or by somebody who kept a clone. The
//! doorbell carries that to the stack, which is nobody's thread: it takes a note under a lock that is held
//! for an instant, and wakes whoever drives the stack.

use super::Stack;
use super::events::News;
use super::table::Socket;
use crate::socket::{SocketError, SocketId, TokenError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use txbuf::{Completion, Completions, Order, Token};

/// Messages of one socket that may wait for their completion to be polled.
const MAX_MESSAGES: usize = 4096;

impl Stack {
    /// The token of the socket's next message, to be lent memory with, attached to buffers, and given to
    /// [`send_message`](Self::send_message) with every part of it. Messages are numbered from 0.
    ///
    /// The caller owns the token, and the message is complete only after it has dropped it.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]; no number is used up.
    pub fn message_token(&mut self, socket: SocketId) -> Result<Token, TokenError> {
        let order = match self.table.get(socket)? {
            Socket::Listener(_) => return Err(SocketError::WrongKind.into()),
            Socket::Tcp(_) => Order::Stream,
            Socket::Udp(_) => Order::Datagram,
        };
        let doorbell = &self.doorbell;
        let completions = self
            .table
            .completions_mut(socket)?
            .get_or_insert_with(|| Box::new(doorbell.completions(socket, order)));
        Ok(completions.token()?)
    }

    /// The next range of the socket's messages that are complete, or `None` when there is none yet; then a
    /// completed event follows. In order on a stream, as they come on a datagram socket.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`].
    pub fn poll_completion(&mut self, socket: SocketId) -> Result<Option<Completion>, SocketError> {
        let completions = self.table.completions_mut(socket)?;
        Ok(completions
            .as_mut()
            .and_then(|completions| completions.poll()))
    }

    /// Takes the end at which the socket's completions come, so that they can be waited for after the
    /// socket was closed; `None` if no message had a token. The socket numbers later messages from 0 again.
    ///
    /// # Errors
    ///
    /// [`SocketError::BadHandle`].
    pub fn detach_completions(
        &mut self,
        socket: SocketId,
    ) -> Result<Option<Completions>, SocketError> {
        let completions = self.table.completions_mut(socket)?.take();
        Ok(completions.map(|completions| *completions))
    }

    /// Turns what the doorbell noted into events.
    pub(super) fn answer_doorbell(&mut self) {
        for socket in self.doorbell.take() {
            if let Some(pending) = self.table.pending_mut(socket) {
                self.events.push(socket, pending, News::COMPLETED);
            }
        }
    }
}

/// Where tokens leave word that there are completions.
#[derive(Clone)]
pub(super) struct Doorbell(Arc<Rung>);

struct Rung {
    any: AtomicBool,
    /// Each socket at most once, with the flag that says that it stands here.
    sockets: Mutex<Vec<(SocketId, Arc<AtomicBool>)>>,
    waker: Option<Waker>,
}

impl Doorbell {
    pub(super) fn new(waker: Option<Waker>) -> Self {
        Doorbell(Arc::new(Rung {
            any: AtomicBool::new(false),
            sockets: Mutex::new(Vec::new()),
            waker,
        }))
    }

    /// Whether a socket has completions that were not told.
    pub(super) fn is_rung(&self) -> bool {
        // With the store in `ring`, in one order with whatever the waker and the sleeper do.
        self.0.any.load(Ordering::SeqCst)
    }

    fn completions(&self, socket: SocketId, order: Order) -> Completions {
        // Room for every socket with completions, so that a last drop never allocates.
        self.sockets().reserve(Arc::strong_count(&self.0));
        let doorbell = self.clone();
        let noted = Arc::new(AtomicBool::new(false));
        Completions::with_wake(order, MAX_MESSAGES, move || doorbell.ring(socket, &noted))
    }

    fn ring(&self, socket: SocketId, noted: &Arc<AtomicBool>) {
        if noted.swap(true, Ordering::AcqRel) {
            return;
        }
        self.sockets().push((socket, Arc::clone(noted)));
        self.0.any.store(true, Ordering::SeqCst);
        if let Some(waker) = &self.0.waker {
            waker.wake_by_ref();
        }
    }

    fn take(&self) -> Vec<SocketId> {
        if !self.is_rung() {
            return Vec::new();
        }
        let mut sockets = self.sockets();
        self.0.any.store(false, Ordering::SeqCst);
        let told = |(socket, noted): (SocketId, Arc<AtomicBool>)| {
            noted.store(false, Ordering::Release);
            socket
        };
        sockets.drain(..).map(told).collect()
    }

    fn sockets(&self) -> std::sync::MutexGuard<'_, Vec<(SocketId, Arc<AtomicBool>)>> {
        // A list of handles is whole after a panic too.
        self.0
            .sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
