//! Connections in numbers, between two stacks on a link in memory that one thread drives.

mod churn;
mod talk;

pub use churn::{churn, growth};
pub use talk::{latency, packet_cost};

use crate::stats::Summary;
use core::time::Duration;
use rustix::time::{ClockId, clock_gettime};

/// What is required of a measurement.
#[derive(Clone, Copy, Debug)]
pub enum Required {
    /// The median of the one row is at least this.
    AtLeast(f64),
    /// No median is more than so many times one of a row before it.
    Growth(f64),
}

/// Medians for one number of connections or several.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What was measured.
    pub name: &'static str,
    /// What the numbers are.
    pub unit: &'static str,
    /// By how many connections there were.
    pub rows: Vec<(usize, Summary)>,
    /// What they have to be.
    pub required: Required,
}

impl Measured {
    /// What is to be compared with the requirement.
    fn figure(&self) -> f64 {
        let mut medians = self.rows.iter().map(|(_, summary)| summary.median);
        let first = medians.next().unwrap_or(f64::NAN);
        if let Required::AtLeast(_) = self.required {
            return first;
        }
        let (mut least, mut growth) = (first, 1.0_f64);
        for median in medians {
            growth = growth.max(median / least);
            least = least.min(median);
        }
        growth
    }

    /// Whether it is as required.
    pub fn holds(&self) -> bool {
        match self.required {
            Required::AtLeast(least) => self.figure() >= least,
            Required::Growth(most) => self.figure() <= most,
        }
    }

    /// The requirement and what became of it, for people.
    pub fn verdict(&self) -> String {
        let figure = self.figure();
        match self.required {
            Required::AtLeast(least) => format!("{figure:.0}, required at least {least:.0}"),
            Required::Growth(most) => format!("grows {figure:.2} times, allowed {most:.2}"),
        }
    }
}

/// The processor time of the process so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

#[cfg(test)]
mod tests;
