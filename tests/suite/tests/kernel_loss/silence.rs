//! Silences of a sender, held against its retransmission timer.
//!
//! What a capture beside a sender shows: when its data left and when acknowledgements came. From that follow the
//! round-trip times by the timestamps that are echoed (RFC 7323, 4.1; of the loss of an acknowledgement they make a
//! long one), once for each round, the smoothed timer, and how often it had backed off. A gap during which data were
//! outstanding must not be longer than that.

use etherparse::{LaxNetSlice, LaxSlicedPacket, TcpOptionElement, TransportSlice};
use pcap_file::pcapng::{Block, PcapNgReader};
use std::fs::File;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// The smallest timer of the stack.
const LEAST_RTO: Duration = Duration::from_millis(200);
/// What the timer of a connection begins with (RFC 6298, 2.1).
const FIRST_RTO: Duration = Duration::from_secs(1);
/// Threads between a timer and what is captured, each of which may be woken late: the sender's, the bridge's, and that
/// of the acknowledgement's way back.
const THREADS: u32 = 3;
/// How often it is looked how late threads are.
const LOOK: Duration = Duration::from_millis(5);
/// A delayed acknowledgement of the peer's.
const DELAYED: Duration = Duration::from_millis(40);

/// How late this machine wakes threads, measured for as long as it is kept.
pub(crate) struct Lateness {
    kept: Arc<()>,
    watch: JoinHandle<Duration>,
}

impl Lateness {
    pub(crate) fn watch() -> Lateness {
        let kept = Arc::new(());
        let alive = Arc::downgrade(&kept);
        let watch = thread::spawn(move || {
            let mut worst = Duration::ZERO;
            while alive.strong_count() > 0 {
                let asleep = Instant::now();
                thread::sleep(LOOK);
                worst = worst.max(asleep.elapsed().saturating_sub(LOOK));
            }
            worst
        });
        Lateness { kept, watch }
    }

    /// The latest that a thread was woken.
    pub(crate) fn worst(self) -> Duration {
        drop(self.kept);
        self.watch.join().expect("it only sleeps")
    }
}

/// A segment beside the sender.
struct Seen {
    at: Duration,
    ours: bool,
    seq: u32,
    ack: u32,
    len: u32,
    window: u16,
    timestamps: Option<(u32, u32)>,
}

/// The sender as far as a capture shows it.
#[derive(Default)]
struct Sender {
    una: Option<u32>,
    nxt: u32,
    /// Where the round ends of which one round-trip time is taken.
    round: u32,
    /// When the clock of its timestamps was zero.
    clock: Option<Duration>,
    srtt: Option<Duration>,
    rttvar: Duration,
    /// Timeouts in a row without new data acknowledged.
    backoffs: u32,
}

/// Asserts that nobody was silent for longer than the timer of the sender says, on a machine that was `late` at most.
pub(crate) fn explain(capture: &NamedTempFile, late: Duration) {
    let mut sender = Sender::default();
    let mut last: Option<Duration> = None;
    let mut longest = Duration::ZERO;
    for seen in segments(capture) {
        if let Some(last) = last
            && sender.outstanding()
        {
            let gap = seen.at.saturating_sub(last);
            let allowed = sender.rto() + DELAYED + THREADS * late;
            assert!(
                gap <= allowed,
                "nothing for {gap:?} at {:?}; the timer is {:?} after {} timeouts, threads are {late:?} late",
                seen.at,
                sender.rto(),
                sender.backoffs
            );
            longest = longest.max(gap);
            if seen.ours && gap >= LEAST_RTO {
                sender.backoffs += 1;
            }
        }
        sender.see(&seen);
        last = Some(seen.at);
    }
    println!("    longest silence {longest:?}, threads {late:?} late at most");
}

impl Sender {
    fn outstanding(&self) -> bool {
        self.una.is_some_and(|una| una != self.nxt)
    }

    fn rto(&self) -> Duration {
        let base = match self.srtt {
            None => FIRST_RTO,
            Some(srtt) => (srtt + 4 * self.rttvar).max(LEAST_RTO),
        };
        base * 2_u32.pow(self.backoffs.min(9))
    }

    fn see(&mut self, seen: &Seen) {
        if seen.ours {
            let end = seen.seq.wrapping_add(seen.len);
            if self.una.is_none() {
                (self.una, self.nxt, self.round) = (Some(seen.seq), end, end);
            }
            if end.wrapping_sub(self.nxt) as i32 > 0 {
                self.nxt = end;
            }
            if let Some((value, _)) = seen.timestamps {
                let zero = seen.at.saturating_sub(ticks(value));
                self.clock = Some(self.clock.map_or(zero, |clock| clock.min(zero)));
            }
            return;
        }
        let Some(una) = self.una else {
            return;
        };
        if seen.ack.wrapping_sub(una) as i32 > 0 {
            self.una = Some(seen.ack);
            let ends_round = seen.ack.wrapping_sub(self.round) as i32 >= 0;
            if let (Some((_, echo)), Some(clock)) = (seen.timestamps, self.clock)
                && (ends_round || self.backoffs > 0)
            {
                self.measure(seen.at.saturating_sub(clock + ticks(echo)));
                self.round = self.nxt;
            }
            self.backoffs = 0;
        }
        if seen.window == 0 {
            // Its silence is the peer's wish.
            self.nxt = seen.ack;
        }
    }

    /// RFC 6298, 2.2 and 2.3.
    fn measure(&mut self, rtt: Duration) {
        match self.srtt {
            None => (self.srtt, self.rttvar) = (Some(rtt), rtt / 2),
            Some(srtt) => {
                self.rttvar = (3 * self.rttvar + srtt.abs_diff(rtt)) / 4;
                self.srtt = Some((7 * srtt + rtt) / 8);
            }
        }
    }
}

/// What the clock of this stack's timestamps shows, in time.
fn ticks(value: u32) -> Duration {
    Duration::from_millis(value.into())
}

/// All segments of the capture. What this stack sent comes to the far side of the bridge, which receives it.
fn segments(capture: &NamedTempFile) -> Vec<Seen> {
    let file = File::open(capture.path()).expect("the capture");
    let mut reader = PcapNgReader::new(file).expect("a capture");
    let mut seen = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.expect("a block").0 {
            let at = packet.timestamp;
            seen.extend(segment(at, &packet.data));
        }
    }
    seen
}

fn segment(at: Duration, bytes: &[u8]) -> Option<Seen> {
    let packet = LaxSlicedPacket::from_ip(bytes).ok()?;
    let (Some(LaxNetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) =
        (&packet.net, &packet.transport)
    else {
        return None;
    };
    let header = ip.header();
    let headers = 4 * (usize::from(header.ihl()) + usize::from(tcp.data_offset()));
    let len = usize::from(header.total_len()).saturating_sub(headers);
    let timestamps = tcp.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::Timestamp(value, echo)) => Some((value, echo)),
        _ => None,
    });
    Some(Seen {
        at,
        ours: header.source_addr().to_string() == super::path::FAR,
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        len: len as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin()),
        window: tcp.window_size(),
        timestamps,
    })
}
