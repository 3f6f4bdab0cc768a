//! Plays a script against a host: the script's packets and calls go in at their times, and what the host sends and
//! returns is held against what the script says.

mod end;
mod inbound;
mod shell;
mod terms;
mod values;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::ast::{Action, Call, Event, Packet, Script, Statement, When};
use crate::calls::{self, Op};
use crate::capture::{Direction, Record};
use crate::flow::{FIRST_REMOTE_PORT, Flow};
use crate::host::Host;
use crate::matching;
use crate::report::Failure;
use crate::show;
use crate::wire::{self, Carried, Seen};

/// Beyond the last time of the script nothing is waited for; `*` waits so long.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What was seen while a script was played.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Why the script does not hold, or `None`.
    pub(crate) failure: Option<Failure>,
    /// Every packet, in order.
    pub(crate) packets: Vec<Record>,
    /// What the script printed.
    pub(crate) printed: Vec<String>,
    /// How much time of the script passed.
    pub(crate) took: Duration,
}

/// Plays `script` against `host`.
pub(crate) fn play(script: &Script, host: &mut dyn Host, shell: bool) -> Played {
    let mut player = Player::new(script, host, shell);
    let failure = player.run().err();
    let took = player.host.now();
    Played {
        failure,
        packets: player.packets,
        printed: player.printed,
        took,
    }
}

struct Player<'a> {
    script: &'a Script,
    host: &'a mut dyn Host,
    /// Whether lines for the shell are run.
    shell: bool,
    flow: Option<Flow>,
    /// The next port of the script's side as a client.
    next_port: u16,
    /// The local port of the datagram socket that was bound last.
    bound: u16,
    sent: VecDeque<(Duration, Vec<u8>)>,
    waiting: Option<Waiting<'a>>,
    packets: Vec<Record>,
    printed: Vec<String>,
    variables: terms::Variables,
    /// Descriptors that were connected.
    connected: BTreeSet<i64>,
}

/// A call that has not returned.
struct Waiting<'a> {
    line: usize,
    call: &'a Call,
    end: Duration,
}

impl<'a> Player<'a> {
    fn new(script: &'a Script, host: &'a mut dyn Host, shell: bool) -> Player<'a> {
        Player {
            script,
            host,
            shell,
            flow: None,
            next_port: FIRST_REMOTE_PORT,
            bound: script.settings.bind_port,
            sent: VecDeque::new(),
            waiting: None,
            packets: Vec::new(),
            printed: Vec::new(),
            variables: terms::Variables::default(),
            connected: BTreeSet::new(),
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        let mut base = Duration::ZERO;
        let mut line = 0;
        for event in &self.script.events {
            line = event.line;
            base = self.event(event, base)?;
        }
        self.end(line, base)
    }

    /// Plays one event; returns the time that relative times behind it count from.
    fn event(&mut self, event: &'a Event, base: Duration) -> Result<Duration, Failure> {
        let (earliest, latest) = match event.when {
            When::At(at) => (at, at),
            When::After(after) => (base + after, base + after),
            When::Between(first, last) => (first, last),
            When::AfterBetween(first, last) => (base + first, base + last),
            When::Any => (Duration::ZERO, self.host.now().max(base) + PATIENCE),
            When::Span {
                begin, relative, ..
            } => {
                let begin = if relative { base + begin } else { begin };
                (begin, begin)
            }
        };
        if let Action::Outbound(expected) = &event.action {
            let at = self.outbound(event.line, expected, earliest, latest)?;
            let exact = matches!(event.when, When::At(_) | When::After(_));
            return Ok(if exact { earliest } else { at });
        }
        if earliest + self.script.settings.tolerance < base && event.when.is_absolute() {
            let what = format!(
                "this time has passed: what comes before was at {}",
                seconds(base)
            );
            let mut failure = self.fail(event.line, what);
            failure.only_time = true;
            return Err(failure);
        }
        self.pass(event.line, earliest)?;
        match &event.action {
            Action::Inbound(packet) => self.inbound(event.line, packet)?,
            Action::Outbound(_) => {}
            Action::Call(call) => {
                let end = match event.when {
                    When::Span { begin, end, .. } => Some(earliest + (end - begin)),
                    _ => None,
                };
                self.call(event.line, call, end)?;
            }
            Action::Sysctl(assigned) => {
                for (name, values) in assigned {
                    self.host
                        .set(name, values)
                        .map_err(|why| self.fail(event.line, why))?;
                }
            }
            Action::Shell(text) => {
                shell::run(text, self.shell).map_err(|why| self.fail(event.line, why))?;
            }
            Action::Code(statements) => self.code(event.line, statements)?,
        }
        Ok(earliest)
    }

    /// Lets time pass until `until`, whatever the host sends.
    fn pass(&mut self, line: usize, until: Duration) -> Result<(), Failure> {
        loop {
            self.host
                .advance(until)
                .map_err(|why| self.fail(line, why))?;
            self.collect()?;
            if self.host.now() >= until {
                return Ok(());
            }
        }
    }

    /// Takes what the host sent and what returned.
    fn collect(&mut self) -> Result<(), Failure> {
        while let Some((at, bytes)) = self.host.take_sent() {
            self.packets.push(Record {
                at,
                direction: Direction::Sent,
                bytes: bytes.clone(),
            });
            self.sent.push_back((at, bytes));
        }
        let Some((at, returned)) = self.host.take_returned() else {
            return Ok(());
        };
        let Some(Waiting { line, call, end }) = self.waiting.take() else {
            return Ok(());
        };
        let tolerance = self.script.settings.tolerance;
        let mut wrong = calls::differences(call, &returned).map_err(|why| self.fail(line, why))?;
        if at + tolerance < end || at > end + tolerance {
            wrong.push(format!(
                "it returned {} at {}, and not at {}",
                calls::show(&returned),
                seconds(at),
                seconds(end)
            ));
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(self.fail(line, wrong.join("; ")))
        }
    }

    fn outbound(
        &mut self,
        line: usize,
        expected: &Packet,
        earliest: Duration,
        latest: Duration,
    ) -> Result<Duration, Failure> {
        let tolerance = self.script.settings.tolerance;
        while self.sent.is_empty() {
            self.host
                .advance(latest + tolerance)
                .map_err(|why| self.fail(line, why))?;
            self.collect()?;
            if self.sent.is_empty() && self.host.now() >= latest + tolerance {
                let mut failure = self.fail(
                    line,
                    format!(
                        "the host sent nothing until {}",
                        seconds(latest + tolerance)
                    ),
                );
                failure.expected = Some(self.text(line));
                failure.seen = Some("nothing".into());
                failure.only_time = true;
                return Err(failure);
            }
        }
        let Some((at, bytes)) = self.sent.pop_front() else {
            return Ok(latest);
        };
        let seen = match wire::read(&bytes) {
            Ok(seen) => seen,
            Err(why) => {
                return Err(self.fail(
                    line,
                    format!("the host sent a packet that cannot be read: {why}"),
                ));
            }
        };
        let local = self.local();
        let mut flow = self
            .flow
            .take()
            .unwrap_or_else(|| self.flow_of(&seen, local));
        let mut wrong = matching::differences(expected, &seen, &mut flow, &self.packets);
        let only_time = wrong.len() == flow.take_late_ticks();
        if at + tolerance < earliest || at > latest + tolerance {
            let wanted = if earliest == latest {
                seconds(earliest)
            } else {
                format!("{} to {}", seconds(earliest), seconds(latest))
            };
            wrong.push(format!(
                "it was sent at {}, and not at {wanted}",
                seconds(at)
            ));
        }
        let shown = show::packet(&seen, Some(&flow));
        self.flow = Some(flow);
        if wrong.is_empty() {
            return Ok(at);
        }
        let mut failure = self.fail(line, wrong.join("; "));
        failure.only_time = only_time;
        failure.expected = Some(self.text(line));
        failure.seen = Some(format!("{} {shown}", seconds(at)));
        Err(failure)
    }

    /// The conversation that the first packet of the host begins.
    fn flow_of(&self, seen: &Seen, local: SocketAddr) -> Flow {
        let settings = &self.script.settings;
        let mut flow = Flow::new(
            local,
            SocketAddr::new(settings.remote, settings.connect_port),
        );
        let ports = match &seen.carried {
            Carried::Tcp(segment) => Some((segment.src_port, segment.dst_port)),
            Carried::Udp {
                src_port, dst_port, ..
            } => Some((*src_port, *dst_port)),
            _ => seen.layers.ports_of_datagram(),
        };
        if let Some((src, dst)) = ports {
            flow.local.set_port(src);
            flow.remote.set_port(dst);
        }
        flow
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::new(self.script.settings.local, self.bound)
    }

    fn call(&mut self, line: usize, call: &'a Call, end: Option<Duration>) -> Result<(), Failure> {
        let (op, made) =
            calls::prepare(call, &self.script.settings).map_err(|why| self.fail(line, why))?;
        match &op {
            Op::Bind { to, .. } => self.bound = to.port(),
            // What comes from now on belongs to another connection.
            Op::Listen { .. } => self.flow = None,
            Op::Connect { fd, .. } if self.connected.insert(*fd) => self.flow = None,
            Op::Send { fd, flags, .. }
                if flags & i64::from(libc::MSG_FASTOPEN) != 0 && self.connected.insert(*fd) =>
            {
                self.flow = None;
            }
            Op::Close { fd } => {
                self.connected.remove(fd);
            }
            _ => {}
        }
        self.await_return(line)?;
        let returned = self
            .host
            .call(&op, made)
            .map_err(|why| self.fail(line, why))?;
        self.collect()?;
        let Some(returned) = returned else {
            let Some(end) = end else {
                // It may return before the next event: a host in real time needs a moment for everything.
                self.waiting = Some(Waiting {
                    line,
                    call,
                    end: self.host.now(),
                });
                let patience = self.host.now() + self.script.settings.tolerance;
                self.pass(line, patience)?;
                return match self.waiting {
                    None => Ok(()),
                    Some(_) => Err(self.fail(
                        line,
                        "the call waits, which a script says by two times, as in `+0...0.2`".into(),
                    )),
                };
            };
            self.waiting = Some(Waiting { line, call, end });
            return Ok(());
        };
        let mut wrong = calls::differences(call, &returned).map_err(|why| self.fail(line, why))?;
        if let Some(end) = end.filter(|end| *end > self.host.now() + self.script.settings.tolerance)
        {
            wrong.push(format!(
                "`{}` returned at once, and not at {}",
                call.name,
                seconds(end)
            ));
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(self.fail(line, wrong.join("; ")))
        }
    }

    /// Gives a call that should have returned a moment, which a host in real time needs.
    fn await_return(&mut self, line: usize) -> Result<(), Failure> {
        let end = self.host.now() + self.script.settings.tolerance;
        while self.waiting.is_some() && self.host.now() < end {
            self.host.advance(end).map_err(|why| self.fail(line, why))?;
            self.collect()?;
        }
        Ok(())
    }

    fn code(&mut self, line: usize, statements: &[Statement]) -> Result<(), Failure> {
        let Some(info) = self.host.info() else {
            return Err(self.fail(
                line,
                "there is no connection whose TCP_INFO could be looked at".into(),
            ));
        };
        self.variables
            .run(statements, &info, &mut self.printed)
            .map_err(|(at, why)| self.fail(at.unwrap_or(line), why))
    }

    /// The text of the script at `line`.
    fn text(&self, line: usize) -> String {
        let text = self.script.text.lines().nth(line.saturating_sub(1));
        text.unwrap_or_default().trim().to_owned()
    }

    fn fail(&self, line: usize, what: String) -> Failure {
        Failure {
            path: self.script.path.clone(),
            line,
            what,
            expected: None,
            seen: None,
            only_time: false,
        }
    }
}

/// A time as scripts write it.
fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}
