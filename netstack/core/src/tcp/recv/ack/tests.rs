use super::*;

#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut ack = AckState::default();
    assert_eq!(ack.on_data(1000, 1000, false), Urgency::Delayed);
    assert_eq!(ack.on_data(1000, 1000, false), Urgency::Now);
    ack.on_sent(false);
    assert!(!ack.due());
}

#[test]
fn a_lone_segment_of_a_burst_waits_a_little_of_a_round_trip() {
    let ack = AckState::default();
    assert_eq!(ack.delay(None), DELAY);
    let millis = Duration::from_millis;
    assert_eq!(ack.delay(Some(millis(80))), millis(5));
    assert_eq!(ack.delay(Some(millis(1))), LEAST_DELAY);
    assert_eq!(ack.delay(Some(millis(900))), DELAY);
}

#[test]
fn a_push_is_acknowledged_at_once_until_answers_carry_the_acknowledgement() {
    let mut ack = AckState::default();
    assert_eq!(ack.on_data(1, 1000, true), Urgency::Now);
    ack.on_sent(true);
    assert_eq!(ack.on_data(1, 1000, true), Urgency::Delayed);
    ack.on_delay_over();
    assert!(ack.due());
    ack.on_sent(false);
    assert_eq!(ack.on_data(1, 1000, true), Urgency::Now);
}
