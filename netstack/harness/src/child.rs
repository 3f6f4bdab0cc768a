//! Processes of a measurement: started in a namespace on given cores, heard line by line, ended with their handle.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child as Process, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use drivers::netlink::Netns;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::Timespec;

use crate::BenchError;

/// How often a wait looks whether the run was interrupted.
const LOOK: Duration = Duration::from_millis(50);
/// No line of a process is longer.
const LONGEST_LINE: usize = 1 << 20;

/// A running process. Dropping it kills it.
pub(crate) struct Child {
    who: String,
    process: Process,
    out: ChildStdout,
    heard: Vec<u8>,
    /// Where it complains.
    err: File,
}

impl Child {
    /// Starts `command` in `netns`, on `cores` if it is given.
    pub(crate) fn start(
        who: &str,
        mut command: Command,
        netns: &Netns,
        cores: Option<CpuSet>,
    ) -> Result<Child, BenchError> {
        let cannot = |error| BenchError::io(format!("start {who}"), error);
        let err = tempfile::tempfile().map_err(cannot)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(err.try_clone().map_err(cannot)?);
        // A process inherits namespace and cores of the thread that starts it.
        let mut process = netns
            .run(|| {
                if let Some(cores) = cores {
                    sched_setaffinity(None, &cores)?;
                }
                command.spawn()
            })?
            .map_err(cannot)?;
        let out = process.stdout.take();
        Ok(Child {
            who: who.to_owned(),
            out: out.ok_or_else(|| cannot(std::io::ErrorKind::BrokenPipe.into()))?,
            process,
            heard: Vec::new(),
            err,
        })
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its next line.
    pub(crate) fn line(
        &mut self,
        patience: Duration,
        stop: &AtomicBool,
    ) -> Result<String, BenchError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if stop.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted);
            }
            let now = Instant::now();
            if now >= deadline || self.heard.len() > LONGEST_LINE {
                return Err(BenchError::Silent {
                    who: self.who.clone(),
                    seconds: patience.as_secs(),
                    said: self.last_words(),
                });
            }
            if self.wait((deadline - now).min(LOOK))? && self.hear()? == 0 {
                // Signals of a terminal end children, too.
                if stop.load(Ordering::Relaxed) {
                    return Err(BenchError::Interrupted);
                }
                return Err(BenchError::Ended {
                    who: self.who.clone(),
                    said: self.last_words(),
                });
            }
        }
    }

    /// Whether there is something to hear.
    fn wait(&self, most: Duration) -> Result<bool, BenchError> {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: most.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.out, PollFlags::IN)];
        match poll(&mut fds, Some(&wait)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(BenchError::io(format!("hear {}", self.who), errno)),
        }
    }

    fn hear(&mut self) -> Result<usize, BenchError> {
        let mut block = [0; 4096];
        let bytes = self
            .out
            .read(&mut block)
            .map_err(|error| BenchError::io(format!("hear {}", self.who), error))?;
        self.heard.extend_from_slice(&block[..bytes]);
        Ok(bytes)
    }

    /// The last line that it complained with.
    fn last_words(&mut self) -> String {
        let mut text = Vec::new();
        let read = self
            .err
            .rewind()
            .and_then(|()| self.err.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        match read {
            Ok(_) => last.unwrap_or_default().trim().to_owned(),
            Err(_) => String::new(),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; then there is only its status to take.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
