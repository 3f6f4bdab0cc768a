//! The one form of `Range` that clients use to go on with a download: a single range of bytes.

/// Which bytes a request asks for (RFC 9110 section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// All of them.
    Whole,
    /// From `first` to `last`, both included.
    Part { first: u64, last: u64 },
    /// Bytes that the file has not.
    Outside,
}

/// Reads the header's value for a file of `length` bytes. What cannot be read is as if it were not there.
pub(crate) fn parse(header: &str, length: u64) -> Range {
    let Some((first, last)) = header
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Range::Whole;
    };
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    match (first, last) {
        ("", count) => match number(count) {
            Some(0) => Range::Outside,
            Some(_) if length == 0 => Range::Outside,
            Some(count) => Range::Part {
                first: length.saturating_sub(count),
                last: length - 1,
            },
            None => Range::Whole,
        },
        (first, last) => {
            let last = if last.is_empty() {
                Some(u64::MAX)
            } else {
                number(last)
            };
            match (number(first), last) {
                (Some(first), Some(last)) if first > last => Range::Whole,
                (Some(first), Some(_)) if first >= length => Range::Outside,
                (Some(first), Some(last)) => Range::Part {
                    first,
                    last: last.min(length - 1),
                },
                _ => Range::Whole,
            }
        }
    }
}
