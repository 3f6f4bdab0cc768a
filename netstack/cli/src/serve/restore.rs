//! Putting the kernel's side of a device back as it was found.

use drivers::netlink::{self, Changes, Netns};

use crate::failure::Failure;
use crate::output;

/// What is to be undone on a device that outlives the command. Dropping it undoes it too, and only complains of what
/// cannot be done.
pub(crate) struct Restore {
    netns: Option<Netns>,
    changes: Option<Changes>,
}

impl Restore {
    /// `None`: nothing has been changed.
    pub(crate) fn new(netns: Option<Netns>, changes: Option<Changes>) -> Restore {
        Restore { netns, changes }
    }

    /// The namespace of the device, if not that of this process.
    pub(crate) fn netns(&self) -> Option<&Netns> {
        self.netns.as_ref()
    }

    /// Undoes it. Call once the device is closed: without a carrier the kernel adds nothing new to it.
    ///
    /// # Errors
    /// In a sentence that says what is left behind.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.undo()
    }

    fn undo(&mut self) -> Result<(), Failure> {
        let Some(changes) = self.changes.take() else {
            return Ok(());
        };
        let name = &changes.after().name;
        netlink::undo(self.netns.as_ref(), name, &changes).map_err(|error| {
            Failure::new(format!(
                "device {name} is not as it was before: {}",
                Failure::of(error)
            ))
        })
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        if let Err(failure) = self.undo() {
            output::complain(&failure.to_string());
        }
    }
}
