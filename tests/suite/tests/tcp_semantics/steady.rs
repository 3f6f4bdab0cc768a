//! What congestion control comes to where an application has always more to send, over a path that the test knows.

use core::time::Duration;
use netstack_core::{Congestion, Instant, SocketId, TcpInfo};
use suite::calls;
use suite::sim::{Bottleneck, Impairment, World, WorldConfig};
use txbuf::Packet;

const MSS: f64 = 1448.0;
const SECOND: Duration = Duration::from_secs(1);

/// A connection from host 0, which sends without end, to host 1, which reads at once.
struct Flow {
    world: World,
    sender: SocketId,
    receiver: SocketId,
}

impl Flow {
    fn new(congestion: Congestion, impairment: Impairment) -> Flow {
        let mut config = WorldConfig {
            impairment,
            ..WorldConfig::default()
        };
        config.tcp.congestion = congestion;
        config.tcp.send_buffer = 4 << 20;
        config.tcp.receive_buffer = 4 << 20;
        let mut world = World::new(&config);
        let to = World::address(1, false, 7);
        let listener = world.hosts[1].stack.tcp_listen(to, 1).expect("a free port");
        let sender = world.hosts[0].stack.tcp_connect(world.now, to, None);
        let sender = sender.expect("a route");
        let receiver = loop {
            match world.hosts[1].stack.tcp_accept(listener) {
                Ok((receiver, _)) => break receiver,
                Err(_) => assert!(world.step(), "no handshake"),
            }
        };
        Flow {
            world,
            sender,
            receiver,
        }
    }

    /// Lets `time` pass, and shows what the sender knows whenever something happened.
    fn run(&mut self, time: Duration, mut look: impl FnMut(Instant, &TcpInfo)) {
        let data = [7_u8; 1 << 16];
        let end = self.world.now + time;
        while self.world.now < end {
            let [from, to] = &mut self.world.hosts;
            while calls::write(&mut from.stack, self.sender, &data).is_ok() {}
            while calls::read(&mut to.stack, self.receiver, 1 << 16).is_ok() {}
            look(self.world.now, &self.info());
            self.world.step_until(end);
        }
    }

    /// The same, where the application has little to send: so many bytes every 20 ms.
    fn trickle(&mut self, bytes: usize, time: Duration, mut look: impl FnMut(&TcpInfo)) {
        let data = vec![7_u8; bytes];
        let end = self.world.now + time;
        while self.world.now < end {
            let next = self.world.now + Duration::from_millis(20);
            let stack = &mut self.world.hosts[0].stack;
            assert_eq!(calls::write(stack, self.sender, &data), Ok(bytes));
            while self.world.now < next {
                let stack = &mut self.world.hosts[1].stack;
                while calls::read(stack, self.receiver, 1 << 16).is_ok() {}
                look(&self.info());
                self.world.step_until(next);
            }
        }
    }

    /// The same, where nobody reads.
    fn stall(&mut self, time: Duration) {
        let data = [7_u8; 1 << 16];
        let end = self.world.now + time;
        while self.world.now < end {
            let stack = &mut self.world.hosts[0].stack;
            while calls::write(stack, self.sender, &data).is_ok() {}
            self.world.step_until(end);
        }
    }

    fn info(&self) -> TcpInfo {
        let stack = &self.world.hosts[0].stack;
        stack.tcp_info(self.sender).expect("a connection")
    }

    /// Loses the next full segment that the sender sends.
    fn lose_one(&mut self) {
        let mut done = false;
        self.world.lose(0, move |_, packet: &Packet| {
            let lost = !done && packet.len() == 1500;
            done |= lost;
            lost
        });
    }
}

/// There and back in `rtt`, at 10 Mbit/s, with room for everything.
fn ten_megabits(rtt: Duration) -> Impairment {
    Impairment {
        delay: rtt / 2,
        bottleneck: Some(Bottleneck {
            rate: 10_000_000,
            queue: 1 << 20,
            mark: None,
        }),
        ..Impairment::default()
    }
}

/// What a path of that kind holds, in bytes.
fn product(rtt: Duration) -> f64 {
    1_250_000.0 * rtt.as_secs_f64()
}

#[test]
fn a_model_of_the_path_keeps_the_window_at_twice_what_the_path_holds_and_the_queue_short() {
    let rtt = Duration::from_millis(40);
    let mut flow = Flow::new(Congestion::Bbr, ten_megabits(rtt));
    flow.run(2 * SECOND, |_, _| {});
    let (began, before) = (flow.world.now, flow.info().bytes_acked);
    let (mut windows, mut most) = ((usize::MAX, 0), Duration::ZERO);
    flow.run(6 * SECOND, |_, info| {
        let window = info.congestion_window;
        windows = (windows.0.min(window), windows.1.max(window));
        most = most.max(info.rtt.expect("measured"));
    });
    let holds = product(rtt);
    assert!(windows.0 as f64 > 1.7 * holds, "{windows:?} of {holds}");
    assert!((windows.1 as f64) < 2.3 * holds, "{windows:?} of {holds}");
    assert!(most < rtt * 3 / 2, "a queue of {:?}", most - rtt);
    let rate =
        (flow.info().bytes_acked - before) as f64 / flow.world.now.since(began).as_secs_f64();
    assert!(rate > 0.9 * 1_250_000.0 * MSS / 1500.0, "{rate}");
}

#[test]
fn a_window_that_was_shut_says_nothing_of_the_path() {
    let mut flow = Flow::new(Congestion::Bbr, ten_megabits(Duration::from_millis(40)));
    flow.run(2 * SECOND, |_, _| {});
    let before = flow.info();
    flow.stall(60 * SECOND);
    let shut = flow.info();
    assert!(shut.send_window == 0, "{shut:#?}");
    assert!(shut.pacing_rate > before.pacing_rate.map(|rate| rate * 2 / 3));

    let (began, acked) = (flow.world.now, shut.bytes_acked);
    flow.run(2 * SECOND, |_, _| {});
    let rate = (flow.info().bytes_acked - acked) as f64 / flow.world.now.since(began).as_secs_f64();
    assert!(rate > 0.85 * 1_250_000.0 * MSS / 1500.0, "{rate}");
}

#[test]
fn a_model_of_the_path_tries_more_for_one_round_trip_in_eight_and_drains_it_in_the_next() {
    let rtt = Duration::from_millis(40);
    let mut flow = Flow::new(Congestion::Bbr, ten_megabits(rtt));
    flow.run(2 * SECOND, |_, _| {});
    let path = 1_250_000.0 * MSS / 1500.0;
    // Faster, slower than the path, and about as fast: how often it changes to that, and for how long it stays so.
    let (mut latest, mut kinds) = (None, [(0_u32, Duration::ZERO); 3]);
    flow.run(6 * SECOND, |now, info| {
        let pace = info.pacing_rate.expect("paced") as f64 / path;
        let kind = [pace > 1.12, pace < 0.87, true];
        let kind = kind.iter().position(|is| *is).unwrap_or_default();
        match latest.replace((kind, now)) {
            Some((before, since)) if before == kind => kinds[kind].1 += now.since(since),
            _ => kinds[kind].0 += 1,
        }
    });
    let [(faster, more), (slower, less), (_, even)] = kinds;
    assert!((15..=20).contains(&faster), "{kinds:?}");
    assert!(faster.abs_diff(slower) <= 1, "{kinds:?}");
    assert!(
        more / faster < rtt * 2 && less / slower < rtt * 3 / 2,
        "{kinds:?}"
    );
    assert!(even > (more + less) * 2, "{kinds:?}");
}

#[test]
fn a_model_of_the_path_goes_on_trying_more_until_that_much_is_under_way() {
    let rtt = Duration::from_millis(40);
    let mut flow = Flow::new(Congestion::Bbr, ten_megabits(rtt));
    flow.run(2 * SECOND, |_, _| {});
    while flow.info().unsent > 0 {
        flow.trickle(0, rtt, |_| {});
    }
    // A third of what the path takes is never as much as is to be tried.
    flow.trickle(8_000, SECOND, |_| {});
    flow.trickle(8_000, 2 * SECOND, |info| {
        let pace = info.pacing_rate.expect("paced") as f64 / (1_250_000.0 * MSS / 1500.0);
        assert!(pace > 1.12, "{pace}");
    });
    // With enough to send it goes round again.
    let mut slower = false;
    flow.run(SECOND, |_, info| {
        slower |= info.pacing_rate.expect("paced") < 1_100_000;
    });
    assert!(slower);
}

// req: RFC9438-13
#[test]
fn a_window_that_was_lost_at_less_than_before_grows_to_less_than_that() {
    let rtt = Duration::from_millis(400);
    let delay = rtt / 2;
    let mut flow = Flow::new(
        Congestion::Cubic,
        Impairment {
            delay,
            ..Impairment::default()
        },
    );
    flow.run(rtt * 4 + rtt / 2, |_, _| {});
    // Loses a segment, and says how large the window was then, in segments, and when that was mended.
    let lose = |flow: &mut Flow| {
        flow.lose_one();
        let (mut peak, mut recovering, mut ended) = (0, false, None);
        flow.run(rtt * 3, |now, info| {
            peak = peak.max(info.congestion_window);
            if recovering && !info.in_recovery {
                ended = Some(now);
            }
            recovering = info.in_recovery;
        });
        (peak as f64 / MSS, ended.expect("a recovery"))
    };
    let (first, _) = lose(&mut flow);
    let (second, ended) = lose(&mut flow);
    assert!(second < first, "{second}, {first}");
    // W_max, what is left of the window, and how long the way back is (RFC 9438, 4.2 and 4.7).
    let (w_max, left) = (second * 0.85, second * 0.7);
    let k = ((w_max - left) / 0.4).cbrt();
    let half = ended + Duration::from_secs_f64(k / 2.0);
    flow.run(half.since(flow.world.now), |_, _| {});
    let window = flow.info().congestion_window as f64 / MSS;
    let expected = w_max - (w_max - left) / 8.0;
    assert!(
        (window - expected).abs() < 3.0,
        "{window} of {expected}, {left} to {w_max}"
    );
}
