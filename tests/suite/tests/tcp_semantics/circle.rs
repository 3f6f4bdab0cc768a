//! What holds when so much was sent that the sequence numbers have come round.

use core::time::Duration;
use netstack_core::{RecvError, RecvFlags, SendControl, SendError, SendFlags, SocketId};
use suite::duo::Duo;
use suite::sim::WorldConfig;
use txbuf::{IovIter, Packet, Span};

/// How many sequence numbers there are.
const CIRCLE: u64 = 1 << 32;
const SECOND: Duration = Duration::from_secs(1);

/// A connection from host 0, which lends what it sends, to host 1, which reads it at once.
struct Stream {
    duo: Duo,
    sender: SocketId,
    receiver: SocketId,
    /// A buffer that is sent over and over. Nobody looks at it, so that it is only addresses.
    data: Span,
    /// Bytes read so far.
    read: u64,
}

impl Stream {
    fn new() -> Stream {
        let mut config = WorldConfig::offloading();
        config.tcp.send_buffer = 4 << 20;
        config.tcp.receive_buffer = 4 << 20;
        let mut duo = Duo::new(&config);
        let [sender, receiver] = duo.connect(7);
        let ledger = duo.hosts[0].stack.ledger().clone();
        let data = Span::from_owner(&ledger, vec![0_u8; 4 << 20]).expect("short enough");
        Stream {
            duo,
            sender,
            receiver,
            data,
            read: 0,
        }
    }

    /// Sends until `total` bytes were read since the beginning. What leaves host 0 arrives as often as `copies` says of
    /// the packet and of where its data ends in the stream.
    fn run(&mut self, total: u64, mut copies: impl FnMut(&Packet, u64) -> usize) {
        let control = SendControl::default();
        let mut written = self.read;
        while self.read < total {
            let left = usize::try_from(total - written).unwrap_or(usize::MAX);
            let len = left.min(self.data.len());
            let mut from = IovIter::span(self.data.slice(..len).expect("shorter"));
            let stack = &mut self.duo.hosts[0].stack;
            match stack.send_message(self.sender, &mut from, SendFlags::NONE, &control) {
                Ok(taken) => written += taken as u64,
                Err(SendError::WouldBlock) => {}
                Err(error) => panic!("{error}"),
            }
            if !self.exchange(&mut copies) {
                assert!(self.duo.wait(SECOND), "stalled");
            }
        }
    }

    /// Everything that may leave does, and arrives a millisecond later. Each packet is answered by itself. Returns whether
    /// there was any.
    fn exchange(&mut self, copies: &mut impl FnMut(&Packet, u64) -> usize) -> bool {
        let from = &mut self.duo.hosts[0];
        let mut sent = Vec::new();
        while let Some(packet) = from.stack.poll_transmit(self.duo.now, from.iface) {
            let info = from.stack.tcp_info(self.sender).expect("open");
            sent.push((packet, info.bytes_acked + info.outstanding as u64));
        }
        let any = !sent.is_empty();
        self.duo.now += Duration::from_millis(1);
        self.duo.wait(Duration::ZERO);
        let (now, [from, to]) = (self.duo.now, &mut self.duo.hosts);
        for (packet, place) in sent {
            for _ in 0..copies(&packet, place) {
                to.stack.handle_packet(now, to.iface, packet.clone());
                while let Some(answer) = to.stack.poll_transmit(now, to.iface) {
                    from.stack.handle_packet(now, from.iface, answer);
                }
            }
            let sink = &mut IovIter::discard(usize::MAX);
            match to
                .stack
                .receive_message(self.receiver, sink, RecvFlags::NONE)
            {
                Ok(got) => self.read += got.bytes as u64,
                Err(RecvError::WouldBlock) => {}
                Err(error) => panic!("{error}"),
            }
        }
        any
    }
}

#[test]
fn bytes_are_counted_beyond_four_gibibytes() {
    let mut stream = Stream::new();
    let total = CIRCLE + 12_345;
    stream.run(total, |_, _| 1);
    stream.duo.settle(SECOND);
    let info = |host: usize, socket| stream.duo.hosts[host].stack.tcp_info(socket).expect("open");
    assert_eq!(info(1, stream.receiver).bytes_received, total);
    let sent = info(0, stream.sender);
    assert_eq!((sent.bytes_acked, sent.bytes_sent), (total, total));
}

#[test]
fn duplicates_of_new_data_do_not_take_back_what_was_done_about_old() {
    const LOST: u64 = 64 << 20;
    let mut stream = Stream::new();
    let mut lost = None;
    stream.run(2 * LOST, |packet, place| {
        let loses = lost.is_none() && place > LOST;
        if loses {
            lost = Some((place, packet.len()));
        }
        usize::from(!loses)
    });
    let (place, len) = lost.expect("one was lost");
    let sender = |stream: &Stream| {
        let stack = &stream.duo.hosts[0].stack;
        stack.tcp_info(stream.sender).expect("open")
    };
    let before = sender(&stream);
    assert_eq!((before.recoveries, before.undone), (1, 0));
    assert!(before.bytes_retransmitted as usize <= len, "{before:?}");
    // The numbers come again, and of the data that has them now more than was lost arrives twice.
    let again = place + CIRCLE - len as u64..place + CIRCLE + 4 * len as u64;
    stream.run(2 * LOST + CIRCLE, |_, place| {
        1 + usize::from(again.contains(&place))
    });
    let after = sender(&stream);
    assert!(after.duplicate_reports >= 2, "{after:?}");
    assert_eq!((after.recoveries, after.undone), (1, 0));
}
