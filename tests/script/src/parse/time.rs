//! Times: `0.1`, `+.1`, `*`, `0.1~0.2`, `+.1~+.2`, `0.1...0.2`, `+0...0.2`.

use std::time::Duration;

use winnow::ascii::digit0;
use winnow::prelude::*;

use super::input::{Input, Parsed, expected, place, refused, skip, take};
use crate::ast::When;

/// A script lasts a century at most: clocks count nanoseconds, and end after some.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// When events happen at the earliest, as far as that is known before they do.
pub(super) struct Clock {
    tolerance: Duration,
    /// What relative times count from.
    base: Duration,
    /// When everything so far has begun.
    begun: Duration,
}

impl Clock {
    pub(super) fn new(tolerance: Duration) -> Clock {
        Clock {
            tolerance,
            base: Duration::ZERO,
            begun: Duration::ZERO,
        }
    }

    /// Notes the time of the next event. One that is over before those in front of it are begun is told with what
    /// they begin at.
    pub(super) fn next(&mut self, when: When) -> Result<(), Duration> {
        let over = match when {
            When::At(at) | When::Between(_, at) => Some(at),
            When::Span {
                begin,
                relative: false,
                ..
            } => Some(begin),
            _ => None,
        };
        if over.is_some_and(|over| over < self.begun) {
            return Err(self.begun);
        }
        // What is waited for within a range may be early by the tolerance, and counts from when it was seen.
        self.base = match when {
            When::At(at) => at,
            When::After(after) => self.base.saturating_add(after),
            When::Between(first, _) => first.saturating_sub(self.tolerance),
            When::AfterBetween(first, _) => {
                let first = self.base.saturating_add(first);
                first.saturating_sub(self.tolerance)
            }
            When::Any => Duration::ZERO,
            When::Span {
                begin, relative, ..
            } => {
                let before = if relative { self.base } else { Duration::ZERO };
                before.saturating_add(begin)
            }
        };
        self.begun = self.begun.max(self.base);
        Ok(())
    }
}

/// The time of an event.
pub(super) fn when(input: &mut Input<'_>) -> Parsed<When> {
    if take(input, "*")? {
        return Ok(When::Any);
    }
    let begin = place(input);
    let relative = take(input, "+")?;
    let first = seconds(input)?;
    if take(input, "~")? {
        take(input, "+")?;
        let last = seconds(input)?;
        if last < first {
            return refused(begin, "this range of time ends before it begins");
        }
        return Ok(if relative {
            When::AfterBetween(first, last)
        } else {
            When::Between(first, last)
        });
    }
    if take(input, "...")? {
        take(input, "+")?;
        let end = seconds(input)?;
        if end < first {
            return refused(begin, "this call returns before it is made");
        }
        return Ok(When::Span {
            begin: first,
            end,
            relative,
        });
    }
    Ok(if relative {
        When::After(first)
    } else {
        When::At(first)
    })
}

/// Seconds with up to nine decimals.
fn seconds(input: &mut Input<'_>) -> Parsed<Duration> {
    let begin = place(input);
    let whole: &str = digit0.parse_next(input)?;
    // Three dots are the operator between the times of a call.
    let rest: &str = input.as_ref();
    let mut decimals = "";
    if rest.starts_with('.') && !rest.starts_with("...") {
        let _: char = '.'.parse_next(input)?;
        decimals = digit0.parse_next(input)?;
    }
    if whole.is_empty() && decimals.is_empty() {
        return expected(
            input,
            "a time, such as `0.1`, `+.05`, `*`, `+.1~+.2` or `+0...0.2`",
        );
    }
    let seconds = if whole.is_empty() {
        Some(0)
    } else {
        whole.parse::<u32>().ok()
    };
    let nanos = format!("{decimals:0<9}").parse::<u32>().ok();
    let (Some(seconds), Some(nanos), true) = (seconds, nanos, decimals.len() <= 9) else {
        return refused(
            begin,
            "a time has at most nine digits on either side of the point",
        );
    };
    skip(input)?;
    Ok(Duration::new(u64::from(seconds), nanos))
}
