//! Messages of a socket of either kind, said once for both front ends.
//!
//! Payload is copied outside the lock of the stack: on the way out into segments that the socket then
//! adopts, on the way in from spans that were taken from its receive queue.

use std::cmp;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::task::{Poll, ready};

use netstack_core::{Received, RecvFlags, SendControl, SendFlags};
use txbuf::{Completion, Completions, IovIter, Span, Token};

use super::{Socket, Waitable};
use crate::copy::copy_out;
use crate::error::IntoIo as _;
use crate::shared::State;
use crate::waiters::{Direction, Waiter, WaiterKey};

/// Segments filled before the lock is taken: what one send can hand over.
const STAGED_SEGMENTS: usize = 4;

impl Socket {
    /// Sends from the front of `from`; says how many bytes the stream took over, and advances `from` by as
    /// many.
    pub(crate) fn poll_send(
        &self,
        waiter: Option<Waiter<'_>>,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        token: Option<&Token>,
    ) -> Poll<io::Result<usize>> {
        let mut staged = VecDeque::new();
        if from.plain() > self.small() {
            let room = match self.room.load(Ordering::Relaxed) {
                0 => ready!(self.poll_room(waiter))?,
                room => room,
            };
            staged = self.stage(from, room);
        }
        let control = SendControl {
            token,
            ..SendControl::default()
        };
        self.poll_staged(waiter, staged, from, flags, &control)
    }

    /// Sends all of `from` as one datagram, to the connected peer when `to` is `None`.
    pub(crate) fn poll_send_to(
        &self,
        waiter: Option<Waiter<'_>>,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut staged = VecDeque::new();
        let len = from.remaining();
        if len > self.small()
            && from.plain() == len
            && let Ok(mut segment) = self.shared().send_pool.reserve()
            && let Some(room) = segment.get_mut(..len)
        {
            let copied = from.copy_from(room);
            staged.push_back(segment.commit(copied));
        }
        self.poll_staged(waiter, staged, from, flags, control)
    }

    /// Sends what was `staged`, if anything was, and else `from`. What was staged of `from` and not taken goes
    /// back there.
    fn poll_staged(
        &self,
        waiter: Option<Waiter<'_>>,
        mut staged: VecDeque<Span>,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> Poll<io::Result<usize>> {
        if staged.is_empty() {
            return self.poll(Direction::Write, waiter, |state| {
                self.send(state, from, flags, control)
            });
        }
        let polled = self.poll(Direction::Write, waiter, |state| {
            self.send(state, &mut IovIter::spans(&mut staged), flags, control)
        });
        // Only bytes are staged, and those can be copied again.
        let _ = from.revert(staged.iter().map(Span::len).sum());
        polled
    }

    /// The token of the socket's next message.
    pub(crate) fn message_token(&self) -> io::Result<Token> {
        self.shared().with_quietly(|state| {
            state
                .driven
                .stack
                .message_token(self.id)
                .map_err(|error| error.into_io())
        })?
    }

    /// Takes the end at which completions come.
    pub(crate) fn detach_completions(&self) -> io::Result<Option<Completions>> {
        self.shared().with_quietly(|state| {
            state
                .driven
                .stack
                .detach_completions(self.id)
                .map_err(|error| error.into_io())
        })?
    }

    /// A segment of which less than a quarter is used would pin more than four times what it holds: no more
    /// than that is copied into the socket's own tail, under the lock.
    fn small(&self) -> usize {
        self.shared().send_pool.segment() / 4
    }

    fn poll_room(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<usize>> {
        self.poll(Direction::Write, waiter, |state| {
            state
                .driven
                .stack
                .send_room(self.id)
                .map_err(|error| error.into_io())
        })
    }

    /// Copies from the front of `from` into segments of their own, as many as are well used and `room` is
    /// there for.
    ///
    /// Nothing when the pool has no segment left: then the socket's own tail is tried, and the wait is
    /// for memory.
    fn stage(&self, from: &mut IovIter<'_>, room: usize) -> VecDeque<Span> {
        let mut staged = VecDeque::with_capacity(STAGED_SEGMENTS);
        let mut wanted = cmp::min(from.plain(), room);
        while wanted > self.small() && staged.len() < STAGED_SEGMENTS {
            let Ok(mut segment) = self.shared().send_pool.reserve() else {
                break;
            };
            let room = cmp::min(wanted, segment.len());
            let copied = from.copy_from(&mut segment[..room]);
            staged.push_back(segment.commit(copied));
            wanted -= copied;
        }
        staged
    }

    fn send(
        &self,
        state: &mut State,
        from: &mut IovIter<'_>,
        flags: SendFlags,
        control: &SendControl<'_>,
    ) -> io::Result<usize> {
        let sent = state
            .driven
            .stack
            .send_message(self.id, from, flags, control);
        // After a success there is no error that this question could take away.
        let room = sent
            .ok()
            .and_then(|_| state.driven.stack.send_room(self.id).ok());
        self.room.store(room.unwrap_or(0), Ordering::Relaxed);
        sent.map_err(|error| error.into_io())
    }

    fn receive(
        &self,
        state: &mut State,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> io::Result<Received> {
        state
            .driven
            .stack
            .receive_message(self.id, into, flags)
            .map_err(|error| error.into_io())
    }
}

impl Waitable for Socket {
    fn deregister(&self, direction: Direction, key: WaiterKey) {
        // Without a stack nobody is registered.
        let _ = self
            .shared()
            .with_quietly(|state| state.driven.waiters.deregister(self.id, direction, key));
    }

    fn poll_receive(
        &self,
        waiter: Option<Waiter<'_>>,
        into: &mut IovIter<'_>,
        flags: RecvFlags,
    ) -> Poll<io::Result<Received>> {
        if into.is_collecting() || into.is_source() {
            return self.poll(Direction::Read, waiter, |state| {
                self.receive(state, into, flags)
            });
        }
        // What is read may have come over a link that passes buffers on, whose owners are others'.
        let _destructors = self.shared().defer();
        let mut spans = VecDeque::new();
        let received = ready!(self.poll(Direction::Read, waiter, |state| {
            let mut collect = IovIter::collect(&mut spans, into.remaining());
            let flags = flags | RecvFlags::TRANSIENT | RecvFlags::READABLE;
            self.receive(state, &mut collect, flags)
        }))?;
        copy_out(spans, into)?;
        Poll::Ready(Ok(received))
    }

    fn poll_completion(&self, waiter: Option<Waiter<'_>>) -> Poll<io::Result<Completion>> {
        self.poll(Direction::Complete, waiter, |state| {
            let completion = state
                .driven
                .stack
                .poll_completion(self.id)
                .map_err(|error| error.into_io())?;
            completion.ok_or_else(|| io::ErrorKind::WouldBlock.into())
        })
    }
}
