//! Medians of a few samples.

use serde::Serialize;

/// The least, the middle and the greatest of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The least sample.
    pub min: f64,
    /// The middle sample, or the mean of the middle two.
    pub median: f64,
    /// The greatest sample.
    pub max: f64,
}

impl Summary {
    /// Summarises `samples`; `None` when there are none.
    pub fn of(samples: &[f64]) -> Option<Summary> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Some(Summary {
            min: first,
            median,
            max: last,
        })
    }
}

#[cfg(test)]
mod tests;
