//! Packets leave no faster than a rate that the application or congestion control sets.

use core::time::Duration;
use netstack_core::{Congestion, Instant, OptionError, SocketOption, TcpConfig};
use suite::lab::{Lab, Offer, Remote};
use suite::sim::{Transfer, WorldConfig};
use suite::wire::Tcp;

const MSS: usize = 1460;
const RATE: u64 = 146_000;
/// What a segment takes at that rate.
const GAP: Duration = Duration::from_millis(10);

fn set(remote: &mut Remote, option: SocketOption) -> Result<(), OptionError> {
    let (now, socket) = (remote.lab.now, remote.socket);
    remote.lab.host.stack.set_option(now, socket, option)
}

fn paced(rate: u64) -> Remote {
    let mut remote = Remote::accepts(Lab::default(), &Offer::default());
    set(&mut remote, SocketOption::PacingRate(Some(rate))).expect("TCP");
    remote
}

/// When each segment leaves, the first at once.
fn departures(remote: &mut Remote, time: Duration) -> Vec<(Duration, Tcp)> {
    let mut sent = vec![(Duration::ZERO, remote.one())];
    sent.extend(remote.pass(time));
    sent
}

#[test]
fn segments_leave_a_rate_apart() {
    let mut remote = paced(RATE);
    remote.write(&[7; 8 * MSS]);
    let sent = departures(&mut remote, GAP * 7);
    assert_eq!(sent.len(), 8, "the window would let all of them out");
    // What is waited for after silence is half as long, as if the first segment had been late.
    let first = GAP / 2;
    for (number, (at, segment)) in sent.iter().enumerate() {
        assert_eq!(segment.payload.len(), MSS);
        let expected = (first + GAP * number as u32).saturating_sub(GAP);
        assert_eq!(*at, expected, "segment {number}");
    }
}

#[test]
fn a_shut_window_is_probed_whatever_the_pace() {
    // A segment a quarter of a minute.
    let mut remote = paced(100);
    remote.write(&[7; 2 * MSS]);
    let first = remote.one();
    remote.window = 0;
    remote.acknowledge(&first);
    remote.nothing();
    let rto = remote.info().rto;
    let (at, probe) = remote.pass(rto * 2).remove(0);
    assert_eq!((at, probe.payload.len()), (rto, 1));
}

#[test]
fn what_leaves_in_any_time_is_the_rate_and_what_timers_were_late() {
    let mut remote = paced(1_000_000);
    let mut log: Vec<(Instant, usize)> = Vec::new();
    for step in 0..500_u64 {
        if step % 50 == 0 {
            remote.write(&[7; 20 * MSS]);
        }
        // Some are acknowledged at once, some much later, and between the bursts nothing leaves.
        let begin = remote.lab.now;
        let mut sent = remote.pass(Duration::from_micros(200 + 37 * (step % 29)));
        let now = remote.lab.now.since(begin);
        sent.extend(remote.sent().into_iter().map(|segment| (now, segment)));
        log.extend(
            sent.iter()
                .map(|(at, segment)| (begin + *at, segment.payload.len())),
        );
        if let Some((_, last)) = sent.last() {
            remote.acknowledge(&last.clone());
        }
    }
    assert_eq!(log.iter().map(|(_, len)| len).sum::<usize>(), 200 * MSS);
    for (from, (begin, _)) in log.iter().enumerate() {
        let mut sum = 0;
        for (at, len) in &log[from..] {
            sum += len;
            let allowed = at.since(*begin).as_secs_f64() * 1e6 + 2.0 * MSS as f64;
            assert!(sum as f64 <= allowed, "{sum} from {begin:?} to {at:?}");
        }
    }
}

#[test]
fn what_leaves_together_is_no_more_than_a_millisecond_holds() {
    let mut remote = paced(4_000_000);
    remote.write(&[7; 10 * MSS]);
    assert_eq!(remote.sent().len(), 2);
    set(&mut remote, SocketOption::PacingRate(None)).expect("TCP");
    assert_eq!(remote.sent().len(), 8, "without a rate they leave at once");
}

#[test]
fn a_pace_slower_than_any_timer_is_kept_and_probes_nothing() {
    let mut remote = paced(100);
    remote.write(&[7; 2 * MSS]);
    let first = remote.one();
    remote.acknowledge(&first);
    let gap = Duration::from_secs_f64(MSS as f64 / 200.0);
    assert!(remote.pass(gap - Duration::from_millis(1)).is_empty());
    assert_eq!(remote.pass(Duration::from_millis(2)).len(), 1);
    assert_eq!(remote.lab.host.stack.counters().tcp.out_window_probes, 0);
}

#[test]
fn a_rate_of_nothing_is_refused() {
    let mut remote = paced(RATE);
    let refused = set(&mut remote, SocketOption::PacingRate(Some(0)));
    assert_eq!(refused, Err(OptionError::Invalid));
}

#[test]
fn a_model_based_sender_carries_everything_over_a_clean_link_without_a_retransmission() {
    let mut tcp = TcpConfig::default();
    tcp.congestion = Congestion::Bbr;
    let config = WorldConfig {
        tcp,
        ..WorldConfig::default()
    };
    let mut world = Transfer::run(&config, false, 3_000_000);
    for host in &world.hosts {
        assert_eq!(host.stack.counters().tcp.retransmits, 0);
    }
    assert_eq!(world.live_nodes(), 0);
}

#[test]
fn the_first_window_of_a_model_based_sender_is_spread_over_the_round_trip() {
    let rtt = Duration::from_millis(100);
    let mut config = WorldConfig::default();
    config.tcp.congestion = Congestion::Bbr;
    let offer = Offer {
        rtt,
        ..Offer::default()
    };
    let mut remote = Remote::accepts(Lab::new(&config), &offer);
    remote.write(&[7; 30 * MSS]);
    let sent = departures(&mut remote, rtt / 2);
    assert_eq!(sent.len(), 10);
    let last = sent[9].0.as_secs_f64() / rtt.as_secs_f64();
    // Nine gaps of the tenth part of a round trip by 2 / ln 2, the first of them halved.
    assert!((0.28..0.31).contains(&last), "{last}");
    let option = SocketOption::Congestion(Congestion::Reno);
    set(&mut remote, option).expect("TCP");
    remote.acknowledge(&sent[9].1);
    assert_eq!(remote.sent().len(), 20, "unpaced");
}
