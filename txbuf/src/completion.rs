//! Completions: telling a sender when its memory is its own again.
//!
//! They belong to messages, not to nodes. Each message has a [`Token`]; every piece
//! of storage lent or handed over for it holds a clone, and so does the queue entry
//! that stands for it. When the last clone goes, on whatever thread, the token itself
//! becomes the entry of the queue that [`Completions`] reads: nothing is allocated
//! then, and nothing can be full.

use std::collections::VecDeque;
use std::fmt;

use thiserror::Error;

#[allow(unsafe_code)]
mod token;

pub use token::Token;
pub(crate) use token::finish_deferred;
use token::{Consumer, Finished};

/// In what order completions are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By number: a message is reported when all before it are done.
    Stream,
    /// As they come.
    Datagram,
}

/// A range of messages that are done, as `MSG_ZEROCOPY` reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Number of the first message of the range.
    pub first: u32,
    /// Number of the last; numbers start at 0 and wrap around.
    pub last: u32,
    /// The stack copied the bytes after all (`SO_EE_CODE_ZEROCOPY_COPIED`).
    pub copied: bool,
}

/// As many messages are outstanding as the limit allows; poll completions first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many messages wait for their completion")]
pub struct TooManyMessages;

/// The consuming end: numbers messages and reports them, each exactly once. A token
/// may outlive it; its message then is nobody's concern.
pub struct Completions {
    consumer: Consumer,
    order: Order,
    limit: usize,
    /// Number of the next message.
    next: u32,
    /// Messages numbered and not yet reported.
    outstanding: usize,
    /// Those of them that stand in a range of `ready` with one before them, and take no room of their own.
    joined: usize,
    /// What came since the last look, newest last.
    ready: VecDeque<Completion>,
    /// Messages from the oldest unreported one on, in a stream: done (copied or not)
    /// or not.
    window: VecDeque<Option<bool>>,
}

impl Completions {
    /// An end without messages. At most `limit` may be outstanding at a time, where those that are done and are told of
    /// together count as one.
    pub fn new(order: Order, limit: usize) -> Self {
        Self::build(order, limit, None)
    }

    /// As [`new`](Self::new); `wake` is called, on the thread of a token's last drop
    /// (at the end of its [`Deferral`](crate::Deferral), if it has one), when there is
    /// something to poll and was nothing before. It must not block.
    pub fn with_wake(order: Order, limit: usize, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self::build(order, limit, Some(Box::new(wake)))
    }

    fn build(order: Order, limit: usize, wake: Option<token::Wake>) -> Self {
        Self {
            consumer: Consumer::new(wake),
            order,
            limit,
            next: 0,
            outstanding: 0,
            joined: 0,
            ready: VecDeque::new(),
            window: VecDeque::new(),
        }
    }

    /// The token of the next message. In the steady state it is one that was used
    /// before.
    ///
    /// # Errors
    ///
    /// [`TooManyMessages`] at the limit; no number is used up.
    pub fn token(&mut self) -> Result<Token, TooManyMessages> {
        if self.is_full() {
            // Some may be done that nobody has looked for.
            self.collect(None);
        }
        if self.is_full() {
            return Err(TooManyMessages);
        }
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.outstanding += 1;
        if self.order == Order::Stream {
            self.window.push_back(None);
        }
        Ok(self.consumer.issue(id))
    }

    /// Takes back the number of a message that was not sent after all, if its token is the latest and `token` the last
    /// clone of it: the next message has the number again. Otherwise says no, and the message is reported.
    pub fn revoke(&mut self, token: Token) -> bool {
        let id = token.id();
        drop(token);
        let is_latest = id.wrapping_add(1) == self.next;
        let is_back = self.collect(is_latest.then_some(id));
        if is_back {
            self.next = id;
            self.outstanding = self.outstanding.saturating_sub(1);
            if self.order == Order::Stream {
                self.window.pop_back();
            }
        }
        is_back
    }

    /// The next range of messages that are done; none if there is none yet.
    pub fn poll(&mut self) -> Option<Completion> {
        self.collect(None);
        let completion = self.ready.pop_front()?;
        let more = completion.last.wrapping_sub(completion.first) as usize;
        self.outstanding = self.outstanding.saturating_sub(more + 1);
        self.joined = self.joined.saturating_sub(more);
        Some(completion)
    }

    fn is_full(&self) -> bool {
        self.outstanding.saturating_sub(self.joined) >= self.limit
    }

    /// Messages that were numbered and not reported yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Takes what came, but for the message `revoked`; says whether that came too.
    fn collect(&mut self, revoked: Option<u32>) -> bool {
        let mut is_back = false;
        let mut is_revoked = |done: &Finished| {
            let is = Some(done.id) == revoked;
            is_back |= is;
            is
        };
        let Self {
            consumer,
            order,
            next,
            joined,
            ready,
            window,
            ..
        } = self;
        match order {
            Order::Datagram => consumer.take(|done| {
                if !is_revoked(&done) {
                    *joined += usize::from(extend(ready, done));
                }
            }),
            Order::Stream => {
                let oldest = |window: &VecDeque<_>| next.wrapping_sub(window.len() as u32);
                let base = oldest(window);
                consumer.take(|done| {
                    if is_revoked(&done) {
                        return;
                    }
                    let index = done.id.wrapping_sub(base) as usize;
                    if let Some(state) = window.get_mut(index) {
                        *state = Some(done.copied);
                    }
                });
                while let Some(Some(copied)) = window.front().copied() {
                    let id = oldest(window);
                    window.pop_front();
                    *joined += usize::from(extend(ready, Finished { id, copied }));
                }
            }
        }
        is_back
    }
}

/// Adds a message to the newest range if it continues it, and says so, else as a new range.
fn extend(ready: &mut VecDeque<Completion>, done: Finished) -> bool {
    match ready.back_mut() {
        Some(range) if range.last.wrapping_add(1) == done.id && range.copied == done.copied => {
            range.last = done.id;
            true
        }
        _ => {
            ready.push_back(Completion {
                first: done.id,
                last: done.id,
                copied: done.copied,
            });
            false
        }
    }
}

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions")
            .field("order", &self.order)
            .field("outstanding", &self.outstanding)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
