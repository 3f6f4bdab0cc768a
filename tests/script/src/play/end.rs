//! The end of a script: no call waits any more, and the host has sent nothing that the script does not have.

use std::time::Duration;

use super::{Player, seconds};
use crate::report::Failure;
use crate::show;
use crate::wire;

impl Player<'_> {
    /// Waits for a call that waits, and looks at what is left. The event before stands in `line`, and relative times
    /// behind it would count from `base`.
    pub(super) fn end(&mut self, mut line: usize, base: Duration) -> Result<(), Failure> {
        if let Some(waiting) = &self.waiting {
            line = waiting.line;
            let end = waiting.end;
            self.pass(line, end + self.script.settings.tolerance)?;
            if self.waiting.is_some() {
                return Err(self.fail(line, format!("the call did not return by {}", seconds(end))));
            }
        }
        self.pass(line, base.max(self.host.now()))?;
        let Some((at, bytes)) = self.sent.pop_front() else {
            return Ok(());
        };
        let mut failure = self.fail(
            line,
            format!(
                "at {} the host sent a packet that the script does not have",
                seconds(at)
            ),
        );
        failure.expected = Some("nothing more".into());
        failure.seen = Some(self.shown(&bytes));
        Err(failure)
    }

    /// How a script would write a packet of the host.
    fn shown(&self, bytes: &[u8]) -> String {
        match wire::read(bytes) {
            Ok(seen) => show::packet(&seen, self.flow.as_ref()),
            Err(why) => format!("a packet that cannot be read: {why}"),
        }
    }
}
