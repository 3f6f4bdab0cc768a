//! What the handle of a bridge and its loop share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use parking_lot::Mutex;

use super::report::BridgeReport;
use crate::alarm::Alarm;

/// What both share.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) alarm: Alarm,
    pub(super) stop: AtomicBool,
    pub(super) asked: AtomicBool,
    /// Who wants a report; `None` once nobody answers.
    pub(super) questions: Mutex<Option<Vec<Sender<BridgeReport>>>>,
    /// Destructors that panicked.
    pub(super) panics: AtomicU64,
}

/// Ends all asking when it goes, however the loop ended.
pub(super) struct Closing(pub(super) Arc<Control>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.questions.lock().take();
    }
}

impl Control {
    /// Of a bridge that runs, and that nobody has asked anything.
    ///
    /// # Errors
    /// The alarm cannot be had.
    pub(super) fn new() -> io::Result<Control> {
        Ok(Control {
            alarm: Alarm::new()?,
            stop: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            questions: Mutex::new(Some(Vec::new())),
            panics: AtomicU64::new(0),
        })
    }

    /// Has the loop report to `sender`.
    pub(super) fn ask(&self, sender: Sender<BridgeReport>) {
        // Without a loop the sender goes, which is an answer too.
        if let Some(questions) = self.questions.lock().as_mut() {
            questions.push(sender);
        }
        self.asked.store(true, Ordering::SeqCst);
        self.alarm.ring();
    }

    /// Whether the loop should look at this before it sleeps. These marks and the alarm's state are written and read in
    /// one order of all threads: either this finds the mark, or the ring behind it finds the loop about to sleep.
    pub(super) fn wants_something(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.asked.load(Ordering::SeqCst)
    }
}
