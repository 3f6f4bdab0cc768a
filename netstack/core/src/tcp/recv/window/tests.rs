use super::*;

// req: RFC7323-09
#[test]
fn the_scale_lets_the_buffer_fit_sixteen_bits() {
    assert_eq!(scale_for(65_535), 0);
    assert_eq!(scale_for(65_536), 1);
    assert_eq!(scale_for(4 << 20), 7);
    assert_eq!(scale_for(usize::MAX), 14);
}

#[test]
fn the_edge_never_moves_left_and_never_by_silly_steps() {
    let mut window = Window::new(Seq(0), 0);
    assert_eq!(window.advertise(Seq(0), 10_000, 10_000, 1_000), 10_000);
    assert_eq!(window.advertise(Seq(4_000), 6_000, 10_000, 1_000), 6_000);
    assert_eq!(
        window.advertise(Seq(4_000), 6_500, 10_000, 1_000),
        6_000,
        "half a segment is silly"
    );
    assert_eq!(
        window.advertise(Seq(4_000), 1_000, 10_000, 1_000),
        6_000,
        "never left"
    );
    assert_eq!(window.advertise(Seq(4_000), 7_000, 10_000, 1_000), 7_000);
}

#[test]
fn rounding_by_the_scale_takes_nothing_back() {
    let mut window = Window::new(Seq(0), 7);
    let field = window.advertise(Seq(0), 100_000, 100_000, 1_000);
    let edge = window.edge();
    assert_eq!(usize::from(field) << 7, edge.since(Seq(0)));
    window.advertise(Seq(1), 99_000, 100_000, 1_000);
    assert!(window.edge().at_or_after(edge));
}

#[test]
fn rounding_does_not_carry_the_edge_away_from_the_buffer() {
    const LIMIT: usize = 100_000;
    let mut window = Window::new(Seq(0), 7);
    let mut told = 0;
    for queued in 0..2 * LIMIT {
        let (nxt, free) = (Seq(queued as u32), LIMIT.saturating_sub(queued));
        let field = window.advertise(nxt, free, LIMIT, 1_000);
        let edge = queued + (usize::from(field) << 7);
        assert!(edge + 128 > told, "{queued}: from {told} back to {edge}");
        assert!(edge < LIMIT + LIMIT / CREEP + 128, "{queued}: {edge}");
        told = told.max(edge);
        assert_eq!(
            window.edge(),
            Seq(told as u32),
            "what was promised stays so"
        );
        if field == 0 {
            return;
        }
    }
    panic!("the window is never shut");
}

#[test]
fn a_buffer_of_less_than_the_scale_can_say_opens_and_shuts() {
    let (limit, scale) = (100, 7);
    let mut window = Window::new(Seq(0), scale);
    // All was read; then a part of what was said comes and waits.
    assert_eq!(window.advertise(Seq(0), limit, limit, 1_000), 1);
    assert_eq!(window.advertise(Seq(100), 0, limit, 1_000), 0);
    assert_eq!(window.size(Seq(100)), 28, "what was promised stays so");
    assert!(window.update_due(Seq(100), limit, limit, 1_000));
    assert!(!window.update_due(Seq(100), 0, limit, 1_000));
    assert_eq!(window.advertise(Seq(128), 0, limit, 1_000), 0);
    assert!(window.update_due(Seq(128), limit, limit, 1_000));
    assert_eq!(window.advertise(Seq(128), limit, limit, 1_000), 1);
}

#[test]
fn room_is_announced_to_whom_rounding_has_shut_the_window() {
    let (limit, scale) = (60_000 << 14, 14);
    let mut window = Window::new(Seq(0), scale);
    window.advertise(Seq(0), limit, limit, 1_000);
    let nxt = Seq(limit as u32 - 10_000);
    assert_eq!(window.advertise(nxt, 0, limit, 1_000), 0);
    assert_eq!(window.size(nxt), 10_000);
    assert!(window.update_due(nxt, 20_000, limit, 1_000));
}

#[test]
fn a_drained_buffer_is_announced() {
    let mut window = Window::new(Seq(0), 0);
    window.advertise(Seq(0), 8_000, 8_000, 1_000);
    assert!(!window.update_due(Seq(8_000), 500, 8_000, 1_000));
    assert!(window.update_due(Seq(8_000), 1_000, 8_000, 1_000));
    assert!(window.update_due(Seq(8_000), 8_000, 8_000, 1_000));
}

#[test]
fn a_window_that_the_field_cannot_say_is_not_news() {
    let (nxt, limit) = (Seq(1), 4 << 20);
    let mut window = Window::new(nxt, 0);
    assert_eq!(window.advertise(nxt, limit, limit, 1000), 65_535);
    assert!(
        !window.update_due(nxt, limit, limit, 1000),
        "nothing changed"
    );
    assert!(
        !window.update_due(nxt + 10_000, limit, limit, 1000),
        "most is left"
    );
    assert!(
        window.update_due(nxt + 20_000, limit, limit, 1000),
        "a quarter"
    );
}
