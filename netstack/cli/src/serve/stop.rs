//! What ends `serve`: a signal, or the time it was given.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::failure::Failure;

/// Waits for the end.
pub(crate) struct Stop {
    signals: Receiver<i32>,
    deadline: Option<Instant>,
    watch: Option<(Handle, JoinHandle<()>)>,
}

impl Stop {
    /// From now on SIGINT, SIGTERM and SIGHUP do not kill the process but end it, as does `run_for`, which
    /// counts from the call of [`start_clock`](Stop::start_clock).
    ///
    /// # Errors
    /// When the handlers or their thread cannot be had.
    pub(crate) fn install() -> Result<Self, Failure> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])
            .map_err(Failure::cannot_wait_for_signals)?;
        let handle = signals.handle();
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                signals
                    .forever()
                    .take_while(|signal| sender.send(*signal).is_ok())
                    .for_each(drop)
            })
            .map_err(Failure::no_thread_for_signals)?;
        Ok(Stop {
            signals: receiver,
            deadline: None,
            watch: Some((handle, thread)),
        })
    }

    /// Ends `run_for` after now.
    pub(crate) fn start_clock(&mut self, run_for: Option<Duration>) {
        self.deadline = run_for.and_then(|time| Instant::now().checked_add(time));
    }

    /// Waits until `tick` or the end, whichever is first; says whether it is the end. The end of a child ends only the
    /// waiting.
    pub(crate) fn wait(&self, tick: Option<Instant>) -> bool {
        let until = [tick, self.deadline].into_iter().flatten().min();
        let signalled = match until {
            Some(until) => self
                .signals
                .recv_timeout(until.saturating_duration_since(Instant::now())),
            None => self.signals.recv().map_err(RecvTimeoutError::from),
        };
        match signalled {
            Err(RecvTimeoutError::Timeout) => self
                .deadline
                .is_some_and(|deadline| deadline <= Instant::now()),
            Ok(SIGCHLD) => false,
            // The sender never hangs up before the handle is closed, which is at the end.
            Ok(_) | Err(RecvTimeoutError::Disconnected) => true,
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        if let Some((handle, thread)) = self.watch.take() {
            handle.close();
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
    }
}
