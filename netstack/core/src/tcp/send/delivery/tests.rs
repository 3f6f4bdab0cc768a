use super::*;

const RTT: Duration = Duration::from_millis(20);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A segment of 1000 bytes leaves each millisecond and is acknowledged 20 ms later, as `delivered` says.
fn run(deliveries: &mut Deliveries, millis: u64, delivered: impl Fn(u64) -> bool) -> Vec<Measured> {
    let mut samples = Vec::new();
    for now in 0..millis {
        if let Some(left) = now.checked_sub(20).filter(|left| delivered(*left)) {
            let una = Seq(1_000 * (left as u32 + 1));
            samples.extend(deliveries.on_delivered(at(now), 1_000, at(left), una, RTT));
        }
        deliveries.on_send(at(now), Seq(1_000 * (now as u32 + 1)), now == 0);
    }
    samples
}

#[test]
fn a_steady_flow_is_measured_as_fast_as_it_is() {
    let mut deliveries = Deliveries::new(at(0));
    let samples = run(&mut deliveries, 200, |_| true);
    let last = samples.last().expect("samples");
    assert_eq!(last.delivered, 180_000);
    assert_eq!(last.prior, last.delivered - 20_000, "a round trip before");
    assert_eq!(last.rate, Some(1_000_000));
    assert!(samples.iter().all(|sample| !sample.app_limited));
    assert!(
        deliveries.snapshots.len() <= 21,
        "what is acknowledged is forgotten"
    );
}

#[test]
fn what_is_lost_does_not_count() {
    let mut deliveries = Deliveries::new(at(0));
    let samples = run(&mut deliveries, 200, |left| left % 4 != 0);
    let rate = samples.last().and_then(|last| last.rate).expect("a rate");
    assert!((700_000..=800_000).contains(&rate), "{rate}");
}

#[test]
fn acknowledgements_that_come_at_once_do_not_make_a_path_faster() {
    let mut deliveries = Deliveries::new(at(0));
    for now in 0..20 {
        deliveries.on_send(at(now), Seq(1_000 * (now as u32 + 1)), now == 0);
    }
    // The acknowledgements of 20 ms arrive together.
    let sample = deliveries.on_delivered(at(40), 20_000, at(19), Seq(20_000), RTT);
    assert_eq!(sample.and_then(|sample| sample.rate), Some(500_000));
    // One that is faster than any round trip says nothing.
    deliveries.on_send(at(41), Seq(21_000), false);
    let sample = deliveries.on_delivered(at(42), 1_000, at(41), Seq(21_000), RTT);
    assert_eq!(
        sample.expect("a sample").rate,
        Some(45_454),
        "over 22 ms since"
    );
    deliveries.on_send(at(42), Seq(22_000), true);
    let sample = deliveries.on_delivered(at(43), 1_000, at(42), Seq(22_000), RTT);
    assert_eq!(sample.expect("a sample").rate, None);
}

#[test]
fn what_leaves_while_the_application_is_slow_is_marked() {
    let mut deliveries = Deliveries::new(at(0));
    deliveries.on_send(at(0), Seq(1_000), true);
    deliveries.on_nothing_to_send(1_000);
    deliveries.on_send(at(5), Seq(2_000), false);
    let sample = deliveries.on_delivered(at(20), 1_000, at(0), Seq(1_000), RTT);
    assert!(!sample.expect("a sample").app_limited, "it left before");
    let sample = deliveries.on_delivered(at(25), 1_000, at(5), Seq(2_000), RTT);
    assert!(sample.expect("a sample").app_limited);
    deliveries.on_send(at(26), Seq(3_000), true);
    let sample = deliveries.on_delivered(at(46), 1_000, at(26), Seq(3_000), RTT);
    assert!(!sample.expect("a sample").app_limited, "it is over");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut deliveries = Deliveries::new(at(0));
    for now in 0..2 * MAX_SNAPSHOTS as u64 {
        deliveries.on_send(at(now), Seq(now as u32), false);
    }
    assert_eq!(deliveries.snapshots.len(), MAX_SNAPSHOTS);
    let una = Seq(2 * MAX_SNAPSHOTS as u32);
    let sample = deliveries.on_delivered(at(40_000), 1_000, at(30_000), una, RTT);
    assert!(sample.is_some());
    assert!(deliveries.snapshots.is_empty());
}
