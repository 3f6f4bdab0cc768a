use super::*;

const MS: Duration = Duration::from_millis(1);

fn sent(resent: bool) -> Probe {
    let mut probe = Probe::default();
    probe.on_measured();
    assert!(probe.on_timeout() && probe.take_due() && !probe.take_due());
    probe.on_send(Seq(100), resent);
    probe
}

// req: RFC8985-14
#[test]
fn the_interval_is_two_round_trips_and_more_for_a_single_segment() {
    assert_eq!(Probe::interval(None, false), MS * 1000);
    assert_eq!(Probe::interval(Some(MS * 30), false), MS * 62);
    assert_eq!(Probe::interval(Some(MS * 30), true), MS * 260);
}

// req: RFC8985-16
#[test]
fn one_probe_at_a_time_and_a_measurement_between() {
    assert!(!Probe::default().on_timeout());
    let mut probe = sent(false);
    probe.on_measured();
    assert!(!probe.on_timeout(), "still under way");
    probe.on_ack(Seq(100), None, false);
    assert!(probe.on_timeout());
    probe.on_send(Seq(200), false);
    probe.on_ack(Seq(200), None, false);
    assert!(!probe.on_timeout(), "nothing measured since");
}

// req: RFC8985-19
#[test]
fn a_repair_that_nobody_else_notices_counts_as_a_loss() {
    let mut probe = sent(true);
    assert_eq!(probe.on_ack(Seq(100), None, false), Outcome::Nothing);
    assert_eq!(probe.on_ack(Seq(101), None, false), Outcome::Repaired);
    assert_eq!(probe.on_ack(Seq(102), None, false), Outcome::Nothing);
}

#[test]
fn a_probe_that_was_not_needed_is_no_loss() {
    let mut reported = sent(true);
    assert!(reported.is_about(Some(Seq(100))));
    reported.on_ack(Seq(100), Some(Seq(100)), false);
    assert_eq!(reported.on_ack(Seq(101), None, false), Outcome::Nothing);
    let mut duplicated = sent(true);
    duplicated.on_ack(Seq(100), None, false);
    duplicated.on_ack(Seq(100), None, true);
    assert_eq!(duplicated.on_ack(Seq(101), None, false), Outcome::Nothing);
}
