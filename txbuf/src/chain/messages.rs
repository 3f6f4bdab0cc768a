//! Messages in a stream: how long each one's queue entry holds its token.

use crate::chain::Chain;
use crate::completion::Token;

impl Chain {
    /// Says that a message ends with the last byte appended. The chain holds `token`
    /// until that byte is released, or until the chain is dropped; the message is
    /// done when no storage that was lent for it is pinned either. Several messages
    /// may share a node, and one may lie on nodes of any number and kind. In an arena,
    /// which holds nothing, the token is dropped.
    pub fn end_message(&mut self, token: Token) {
        if self.end > self.start {
            self.messages.push_back((self.end, token));
        }
    }

    /// Messages whose last byte is not released.
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn release_messages(&mut self) {
        while let Some((end, _)) = self.messages.front()
            && *end <= self.start
        {
            self.messages.pop_front();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
