//! Sending: as much as the kernel's window takes, all over again from the first hole.

use std::io;
use std::time::{Duration, Instant};

use super::wire::{ACK, FIN, MSS, PSH, RST, Reply, SYN, Seen, Sheet, parse};
use crate::part::raw::{ROOM, Raw};

/// Payload of a packet.
const SUPER: u32 = 65_160;
/// Packets that are sent before acknowledgements are looked at: with one super-packet at a time the looks in vain cost a
/// third of what is reached.
const BURST_SUPER: u32 = 4;
const BURST_PLAIN: u32 = 16;
/// Acknowledgements that are looked at before packets are sent.
const LOOKS: u32 = 64;
/// Duplicate acknowledgements that mean a hole; the kernel sends one for each packet behind it.
const DUPLICATES: u32 = 64;
/// Without progress for so long, all is sent again.
const STALL: Duration = Duration::from_millis(20);
/// How long to sleep for an acknowledgement.
const NAP: Duration = Duration::from_millis(5);
const ISS: u32 = 5000;

/// The connection, of which there is one.
struct Flow {
    seen: Seen,
    /// The shift of the window, and the window.
    scale: u8,
    window: u32,
    /// RFC 9293, 3.3.1.
    una: u32,
    nxt: u32,
    duplicates: u32,
    /// Where sending was when the last hole was found: there is no other before that is acknowledged.
    recover: Option<u32>,
    progress: Instant,
}

/// Sends on the connection to the chargen port until `end`.
pub(super) fn send(raw: &Raw<'_>, offload: bool, end: Instant) -> io::Result<()> {
    let (size, burst) = if offload {
        (SUPER, BURST_SUPER)
    } else {
        (MSS as u32, BURST_PLAIN)
    };
    let mut sheet = Sheet::new(raw.prefix);
    let mut room = vec![0; ROOM];
    let mut flow: Option<Flow> = None;
    let mut turns = 0u32;
    loop {
        let mut heard = false;
        for _ in 0..LOOKS {
            let Some(bytes) = raw.read(&mut room)? else {
                break;
            };
            heard = true;
            let Some(seen) = room.get(raw.prefix..bytes).and_then(parse) else {
                continue;
            };
            if seen.flags & SYN != 0 {
                let opened = Flow::open(seen);
                raw.write(sheet.fill(&opened.seen, opened.segment(SYN | ACK, ISS, 0)))?;
                flow = Some(opened);
            } else if seen.flags & (FIN | RST) != 0 {
                return Ok(());
            } else if let Some(flow) = &mut flow {
                flow.hear(&seen);
            }
        }
        let mut sent = 0;
        if let Some(flow) = &mut flow {
            while sent < burst
                && let Some(length) = flow.next_length(size)
            {
                let segment = flow.segment(ACK | PSH, flow.nxt, length as usize);
                if !raw.write(sheet.fill(&flow.seen, segment))? {
                    break;
                }
                flow.nxt = flow.nxt.wrapping_add(length);
                sent += 1;
            }
        }
        turns = turns.wrapping_add(1);
        let is_idle = sent == 0 && !heard;
        if !is_idle && !turns.is_multiple_of(16) {
            continue;
        }
        let now = Instant::now();
        if now >= end {
            return Ok(());
        }
        if is_idle {
            if let Some(flow) = &mut flow {
                flow.go_back_if_stalled(now);
            }
            raw.sleep(NAP)?;
        }
    }
}

impl Flow {
    fn open(syn: Seen) -> Flow {
        Flow {
            seen: syn,
            scale: syn.scale,
            window: 0,
            una: ISS.wrapping_add(1),
            nxt: ISS.wrapping_add(1),
            duplicates: 0,
            recover: None,
            progress: Instant::now(),
        }
    }

    fn segment(&self, flags: u8, seq: u32, length: usize) -> Reply {
        Reply {
            flags,
            seq,
            ack: self.seen.seq.wrapping_add(1),
            length,
        }
    }

    fn hear(&mut self, seen: &Seen) {
        self.window = u32::from(seen.window) << self.scale;
        if is_after(seen.ack, self.una) {
            self.una = seen.ack;
            self.duplicates = 0;
            self.progress = Instant::now();
            if is_after(self.una, self.nxt) {
                self.nxt = self.una;
            }
            if self.recover.is_some_and(|point| !is_after(point, self.una)) {
                self.recover = None;
            }
        } else if seen.ack == self.una && self.nxt != self.una {
            self.duplicates += 1;
            if self.duplicates >= DUPLICATES && self.recover.is_none() {
                self.recover = Some(self.nxt);
                self.nxt = self.una;
            }
        }
    }

    /// How much to send now. Whole packets; less only when nothing is under way, since a window that is smaller than
    /// a packet would never open.
    fn next_length(&self, size: u32) -> Option<u32> {
        let room = self.window.saturating_sub(self.nxt.wrapping_sub(self.una));
        if room >= size {
            return Some(size);
        }
        let whole = room - room % MSS as u32;
        (self.nxt == self.una && whole > 0).then_some(whole)
    }

    fn go_back_if_stalled(&mut self, now: Instant) {
        if self.nxt != self.una && now.duration_since(self.progress) > STALL {
            self.nxt = self.una;
            self.progress = now;
            self.recover = None;
            self.duplicates = 0;
        }
    }
}

fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}
