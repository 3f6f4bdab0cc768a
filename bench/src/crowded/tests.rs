use super::{churn, growth, latency, packet_cost};

#[test]
fn every_case_works_with_few() {
    let results = [
        churn(100, 1),
        growth(100),
        latency(300, 1),
        packet_cost(&[1, 20], 1),
    ];
    for result in results {
        let result = result.expect("one round");
        assert!(result.rows.iter().all(|(_, summary)| summary.median > 0.0));
    }
    assert!(churn(1, 0).is_none() && growth(0).is_none());
}
