use super::*;

const BASE: Duration = Duration::from_millis(40);

fn round(hystart: &mut HyStart, rtt: Duration) -> Advice {
    let mut advice = hystart.on_ack(true, Some(rtt));
    for _ in 0..9 {
        if advice != Advice::Stop {
            advice = hystart.on_ack(false, Some(rtt));
        }
    }
    advice
}

// req: RFC9406-01
#[test]
fn a_rise_of_an_eighth_slows_growth_to_a_quarter_and_five_rounds_end_it() {
    let mut hystart = HyStart::default();
    assert_eq!(round(&mut hystart, BASE), Advice::Grow(1));
    assert_eq!(
        round(&mut hystart, BASE + Duration::from_millis(4)),
        Advice::Grow(1)
    );
    assert_eq!(
        round(&mut hystart, BASE + Duration::from_millis(10)),
        Advice::Grow(4)
    );
    for _ in 0..4 {
        assert_eq!(round(&mut hystart, BASE * 2), Advice::Grow(4));
    }
    assert_eq!(round(&mut hystart, BASE * 2), Advice::Stop);
}

#[test]
fn a_rise_that_passes_was_no_queue() {
    let mut hystart = HyStart::default();
    round(&mut hystart, BASE);
    assert_eq!(round(&mut hystart, BASE * 2), Advice::Grow(4));
    assert_eq!(round(&mut hystart, BASE), Advice::Grow(1));
}

#[test]
fn few_measurements_prove_nothing() {
    let mut hystart = HyStart::default();
    round(&mut hystart, BASE);
    for i in 0..7 {
        assert_eq!(hystart.on_ack(i == 0, Some(BASE * 2)), Advice::Grow(1));
    }
}
