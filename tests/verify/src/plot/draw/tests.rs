use super::*;

#[test]
fn what_lies_far_outside_is_drawn_at_the_edge() {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (400, 300)).into_drawing_area();
    let far: Points = [0.0, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY]
        .map(|value| (value.clamp(-1e300, 1.0), value.clamp(f64::MIN, 1.0)))
        .to_vec();
    let marks = far.clone();
    panel(&area, "a panel", "bytes", &[(far, BLUE)], &marks).unwrap();
    area.present().unwrap();
    drop(area);
    assert!(svg.contains("polyline"));
}
