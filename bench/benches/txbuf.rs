//! Operations of `txbuf`, of a model of Linux's `sk_buff` and of a rope, by number of extents.

#![allow(
    missing_docs,
    reason = "the macros of criterion make functions without"
)]

use std::time::Duration;

use bench::cost::{Operation, cases};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn operations(criterion: &mut Criterion) {
    let mut cases = cases();
    for operation in Operation::ALL {
        let mut group = criterion.benchmark_group(operation.name());
        for case in cases.iter_mut().filter(|case| case.operation == operation) {
            let id = BenchmarkId::new(case.subject.name(), case.extents);
            group.bench_function(id, |bencher| bencher.iter_custom(|times| case.run(times)));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(150))
        .sample_size(30)
        .nresamples(5_000);
    targets = operations
}
criterion_main!(benches);
