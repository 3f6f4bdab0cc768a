use super::*;
use crate::random::Random;
use crate::tcp::options::{Options, Timestamps};
use crate::tcp::segment::Flags;
use proptest::prelude::*;

fn flow(port: u16) -> FlowKey {
    let remote = format!("10.0.0.2:{port}");
    FlowKey::new(
        "10.0.0.1:80".parse().expect("literal"),
        remote.parse().expect("literal"),
    )
}

fn origin(secret: &Secret, now: Instant, flow: FlowKey) -> Origin {
    Origin {
        flow,
        iss: secret.isn(now, &flow),
        mss: 1460,
        receive_mss: 1460,
        timestamp_offset: secret.timestamp_offset(&flow),
        dont_fragment: true,
    }
}

fn agreed(mss: u16, scale: Option<u8>, bits: (bool, bool), timestamp: Option<u32>) -> Agreed {
    Agreed {
        irs: Seq(77),
        mss,
        scale,
        sack: bits.0,
        timestamp,
        timestamp_offset: 0,
        ecn: bits.1,
        window: 65_535,
    }
}

/// The third segment of the handshake that `syn_ack` answers.
fn third(syn_ack: &Segment) -> Segment {
    let echo = |ts: Timestamps| Timestamps {
        val: ts.ecr + 1,
        ecr: ts.val,
    };
    Segment {
        src_port: syn_ack.dst_port,
        dst_port: syn_ack.src_port,
        seq: syn_ack.ack,
        ack: syn_ack.seq + 1,
        flags: Flags::ACK,
        options: Options {
            timestamps: syn_ack.options.timestamps.map(echo),
            ..Options::default()
        },
        ..syn_ack.clone()
    }
}

proptest! {
    #[test]
    fn what_a_syn_said_comes_back(
        seed: u8,
        at in 0..u64::MAX / 4,
        mss: u16,
        scale in proptest::option::of(0u8..=14),
        bits: (bool, bool),
        timestamp in proptest::option::of(0..u32::MAX),
    ) {
        let secret = Secret::new(&mut Random::new([seed; 32]));
        let (now, config) = (Instant::from_nanos(at), TcpConfig::default());
        let said = agreed(mss.max(64), scale, bits, timestamp);
        let origin = origin(&secret, now, flow(1000));
        let segment = syn_ack(&secret, now, origin, said, &config);
        let (iss, found) =
            open(&secret, now, &origin.flow, &third(&segment), &config).expect("the cookie");
        prop_assert_eq!((iss, found.irs), (segment.seq, said.irs));
        prop_assert!(found.mss <= said.mss && SIZES.contains(&found.mss));
        let carried = timestamp.is_some();
        prop_assert_eq!(found.scale, said.scale.filter(|_| carried));
        prop_assert_eq!((found.sack, found.ecn), (bits.0 && carried, bits.1 && carried));
        prop_assert_eq!(found.timestamp, timestamp.map(|ts| ts + 1));
        // The SYN-ACK promises nothing that the cookie does not carry.
        prop_assert_eq!(segment.options.sack_permitted, found.sack);
        prop_assert_eq!(segment.options.window_scale.is_some(), found.scale.is_some());
    }

    #[test]
    fn the_timestamp_is_at_the_clock_or_shortly_behind(at in 0..u64::MAX / 4, scale in 0u8..=14) {
        let secret = Secret::new(&mut Random::new([3; 32]));
        let (now, config) = (Instant::from_nanos(at), TcpConfig::default());
        let origin = origin(&secret, now, flow(1000));
        let said = agreed(1460, Some(scale), (true, true), Some(5));
        let segment = syn_ack(&secret, now, origin, said, &config);
        let clock = (now.as_millis() as u32).wrapping_add(origin.timestamp_offset);
        let val = segment.options.timestamps.expect("agreed").val;
        prop_assert!(clock.wrapping_sub(val) < 64);
    }

    #[test]
    fn nothing_else_opens(ack: u32, seq: u32, ecr: u32) {
        let secret = Secret::new(&mut Random::new([3; 32]));
        let (now, config) = (Instant::from_secs(1_000), TcpConfig::default());
        let origin = origin(&secret, now, flow(1000));
        let said = agreed(1460, Some(7), (true, true), Some(5));
        let mut forged = third(&syn_ack(&secret, now, origin, said, &config));
        (forged.ack, forged.seq) = (Seq(ack), Seq(seq));
        forged.options.timestamps = Some(Timestamps { val: 1, ecr });
        prop_assert!(open(&secret, now, &origin.flow, &forged, &config).is_none());
    }
}

#[test]
fn a_cookie_is_good_for_its_flow_its_options_and_its_time_only() {
    let secret = Secret::new(&mut Random::new([3; 32]));
    let (now, config) = (Instant::from_secs(64_000), TcpConfig::default());
    let origin = origin(&secret, now, flow(1000));
    let said = agreed(1460, Some(7), (true, false), Some(5));
    let good = third(&syn_ack(&secret, now, origin, said, &config));
    let opens =
        |now, flow, segment: &Segment| open(&secret, now, &flow, segment, &config).is_some();
    assert!(opens(now, flow(1000), &good));
    assert!(!opens(now, flow(1001), &good), "another client's");
    let mut raised = good.clone();
    if let Some(timestamps) = &mut raised.options.timestamps {
        timestamps.ecr |= ECN;
    }
    assert!(
        !opens(now, flow(1000), &raised),
        "options that were not agreed on"
    );
    let mut bare = good.clone();
    bare.options.timestamps = None;
    assert!(!opens(now, flow(1000), &bare), "timestamps that were");
    assert!(opens(now + PERIOD, flow(1000), &good));
    assert!(!opens(now + LIFETIME, flow(1000), &good), "too old");
    assert!(
        !opens(now + PERIOD * 32, flow(1000), &good),
        "the clock has come around"
    );
    let other = Secret::new(&mut Random::new([4; 32]));
    assert!(open(&other, now, &flow(1000), &good, &config).is_none());
}
