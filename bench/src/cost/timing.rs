//! Timing operations in batches, without their preparation.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::Run;

/// Packets prepared at a time: enough that reading the clock does not count, few enough to stay in the cache.
const BATCH: usize = 64;

/// The same for packets of which each brings many objects.
const FEW: usize = 4;

/// `operation` over and over.
pub(super) fn looped(mut operation: impl FnMut() + 'static) -> Run {
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            operation();
        }
        start.elapsed()
    })
}

/// `operation` on what `prepare` makes. What it was made on and what it returns is dropped afterwards.
pub(super) fn on<I: 'static, O: 'static>(
    prepare: impl FnMut() -> I + 'static,
    operation: impl FnMut(&mut I) -> O + 'static,
) -> Run {
    batched(BATCH, prepare, each(operation))
}

/// As [`on`], for operations on or with many objects.
pub(super) fn on_few<I: 'static, O: 'static>(
    prepare: impl FnMut() -> I + 'static,
    operation: impl FnMut(&mut I) -> O + 'static,
) -> Run {
    batched(FEW, prepare, each(operation))
}

/// The drop of what `prepare` makes.
pub(super) fn dropping<I: 'static>(prepare: impl FnMut() -> I + 'static) -> Run {
    batched(BATCH, prepare, drop_all)
}

/// As [`dropping`], for packets that take their storage with them.
pub(super) fn dropping_few<I: 'static>(prepare: impl FnMut() -> I + 'static) -> Run {
    batched(FEW, prepare, drop_all)
}

fn each<I, O>(mut operation: impl FnMut(&mut I) -> O) -> impl FnMut(&mut Vec<I>, &mut Vec<O>) {
    move |inputs, outputs| outputs.extend(inputs.iter_mut().map(&mut operation))
}

fn drop_all<I>(inputs: &mut Vec<I>, _: &mut Vec<()>) {
    inputs.drain(..).for_each(drop);
}

fn batched<I: 'static, O: 'static>(
    batch: usize,
    mut prepare: impl FnMut() -> I + 'static,
    mut all: impl FnMut(&mut Vec<I>, &mut Vec<O>) + 'static,
) -> Run {
    let (mut inputs, mut outputs) = (Vec::with_capacity(batch), Vec::with_capacity(batch));
    Box::new(move |times| {
        let (mut left, mut total) = (times, Duration::ZERO);
        while left > 0 {
            let batch = left.min(batch as u64);
            inputs.extend((0..batch).map(|_| prepare()));
            let inputs = black_box(&mut inputs);
            let start = Instant::now();
            all(inputs, &mut outputs);
            total += start.elapsed();
            black_box(&mut outputs).clear();
            inputs.clear();
            left -= batch;
        }
        total
    })
}
