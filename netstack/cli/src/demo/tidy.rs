//! Taking a temporary directory away when a signal ends the demonstration.

use std::fs;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;

/// Signals that wait until somebody watches for them.
pub(super) struct Held(Signals);

/// Watches until it is dropped.
pub(super) struct Tidy {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Held {
    /// Holds back what would end the process. Starts no thread.
    ///
    /// # Errors
    /// When the handlers cannot be had.
    pub(super) fn new() -> Result<Held, Failure> {
        match Signals::new([SIGINT, SIGTERM, SIGHUP]) {
            Ok(signals) => Ok(Held(signals)),
            Err(error) => Err(Failure::cannot_wait_for_signals(error)),
        }
    }

    /// From now on a signal ends the process as it would have without this, after `dir` is gone.
    ///
    /// # Errors
    /// When no thread can be had.
    pub(super) fn watch(self, dir: PathBuf) -> Result<Tidy, Failure> {
        let Held(mut signals) = self;
        let handle = signals.handle();
        let thread = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in &mut signals {
                    // There is nobody left to tell.
                    let _ = fs::remove_dir_all(&dir);
                    let _ = emulate_default_handler(signal);
                }
            })
            .map_err(Failure::no_thread_for_signals)?;
        Ok(Tidy {
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Tidy {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}
