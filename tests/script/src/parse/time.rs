//! Times: `0.1`, `+.1`, `*`, `0.1~0.2`, `+.1~+.2`, `0.1...0.2`, `+0...0.2`.

use std::time::Duration;

use winnow::ascii::digit0;
use winnow::prelude::*;

use super::input::{Input, Parsed, expected, place, refused, skip, take};
use crate::ast::When;

/// A script lasts a century at most: clocks count nanoseconds, and end after some.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

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
