//! What all parts of the parser read from: the text with the place in it, and errors that say what was expected.

use winnow::LocatingSlice;
use winnow::ModalResult;
use winnow::ascii::{digit1, hex_digit1};
use winnow::combinator::opt;
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{Location, Stream};
use winnow::token::take_while;

pub(super) type Input<'a> = LocatingSlice<&'a str>;
pub(super) type Parsed<T> = ModalResult<T, Fault>;

/// Where reading stopped, and what should have stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: Problem,
}

/// Why reading stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Something else should have stood there.
    Expected(String),
    /// What stands there cannot be used.
    Refused(String),
}

impl ParserError<Input<'_>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        Fault {
            at: input.current_token_start(),
            problem: Problem::Expected("something else".into()),
        }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The error that something else should stand here.
pub(super) fn expected<T>(input: &Input<'_>, what: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(Fault {
        at: input.current_token_start(),
        problem: Problem::Expected(what.into()),
    }))
}

/// The error that what stands at `at` cannot be used.
pub(super) fn refused<T>(at: usize, why: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(Fault {
        at,
        problem: Problem::Refused(why.into()),
    }))
}

/// Skips blanks, line ends and comments: `//`, `/* */` and `#` to the end of the line.
pub(super) fn skip(input: &mut Input<'_>) -> Parsed<()> {
    loop {
        let _: &str = take_while(0.., char::is_whitespace).parse_next(input)?;
        if looks_at(input, "//") || looks_at(input, "#") {
            let _: &str = take_while(0.., |c| c != '\n').parse_next(input)?;
        } else if looks_at(input, "/*") {
            let begin = input.current_token_start();
            let text: &str = input.as_ref();
            let Some(end) = text.find("*/") else {
                return refused(begin, "this comment does not end: `*/` is missing");
            };
            input.next_slice(end + 2);
        } else {
            return Ok(());
        }
    }
}

/// Whether `text` stands here.
pub(super) fn looks_at(input: &Input<'_>, text: &str) -> bool {
    let rest: &str = input.as_ref();
    rest.starts_with(text)
}

/// Whether `word` stands here, and ends here.
pub(super) fn looks_at_word(input: &Input<'_>, word: &str) -> bool {
    let rest: &str = input.as_ref();
    rest.strip_prefix(word)
        .is_some_and(|after| !after.starts_with(is_in_word))
}

/// Takes `text` and what may be skipped behind it, if it stands here.
pub(super) fn take(input: &mut Input<'_>, text: &str) -> Parsed<bool> {
    if !looks_at(input, text) {
        return Ok(false);
    }
    input.next_slice(text.len());
    skip(input)?;
    Ok(true)
}

/// Takes `word`, as [`take`].
pub(super) fn take_word(input: &mut Input<'_>, word: &str) -> Parsed<bool> {
    if looks_at_word(input, word) {
        take(input, word)
    } else {
        Ok(false)
    }
}

/// Takes `text`, which has to stand here.
pub(super) fn need(input: &mut Input<'_>, text: &str, place: &str) -> Parsed<()> {
    if take(input, text)? {
        Ok(())
    } else {
        expected(input, format!("`{text}` {place}"))
    }
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A name: letters, digits and underscores.
pub(super) fn word<'a>(input: &mut Input<'a>, what: &str) -> Parsed<&'a str> {
    let rest: &str = input.as_ref();
    if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return expected(input, what);
    }
    let name = take_while(1.., is_in_word).parse_next(input)?;
    skip(input)?;
    Ok(name)
}

/// A number, decimal or with `0x`, that fits `T`.
pub(super) fn number<T: TryFrom<i64>>(input: &mut Input<'_>, what: &str) -> Parsed<T> {
    let begin = input.current_token_start();
    let hex: Option<&str> = opt("0x").parse_next(input)?;
    let (digits, radix): (Option<&str>, u32) = if hex.is_some() {
        (opt(hex_digit1).parse_next(input)?, 16)
    } else {
        (opt(digit1).parse_next(input)?, 10)
    };
    let Some(digits) = digits else {
        return expected(input, what);
    };
    let value = i64::from_str_radix(digits, radix).ok();
    let Some(value) = value.and_then(|value| T::try_from(value).ok()) else {
        return refused(begin, format!("{digits} is too large for {what}"));
    };
    skip(input)?;
    Ok(value)
}

/// A number of hexadecimal digits without `0x`, two for each byte.
pub(super) fn hex_bytes(input: &mut Input<'_>) -> Parsed<Vec<u8>> {
    let begin = input.current_token_start();
    let digits: Option<&str> = opt(hex_digit1).parse_next(input)?;
    let digits = digits.unwrap_or_default();
    if digits.len() % 2 == 1 {
        return refused(begin, "two hexadecimal digits are wanted for each byte");
    }
    skip(input)?;
    let pairs = digits.as_bytes().chunks_exact(2);
    let bytes = pairs.filter_map(|pair| {
        let text = core::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    });
    Ok(bytes.collect())
}

/// Text in double quotes.
pub(super) fn text(input: &mut Input<'_>) -> Parsed<String> {
    let begin = input.current_token_start();
    input.next_slice(1);
    let rest: &str = input.as_ref();
    let Some(end) = rest
        .find(['"', '\n'])
        .filter(|end| rest[*end..].starts_with('"'))
    else {
        return refused(begin, "this text does not end: `\"` is missing");
    };
    let text = input.next_slice(end).to_owned();
    input.next_slice(1);
    skip(input)?;
    Ok(text)
}

/// Everything up to `end`, which is taken too.
pub(super) fn until<'a>(input: &mut Input<'a>, end: &str, what: &str) -> Parsed<&'a str> {
    let begin = input.current_token_start();
    let rest: &str = input.as_ref();
    let Some(at) = rest.find(end) else {
        return refused(begin, format!("{what} does not end: `{end}` is missing"));
    };
    let text = input.next_slice(at);
    input.next_slice(end.len());
    Ok(text)
}

/// Counts the lines of a text up to places that only go on, so that each byte is looked at once.
pub(super) struct Lines<'a> {
    text: &'a str,
    /// The place that was asked for last, and its line.
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Lines<'a> {
        Lines {
            text,
            at: 0,
            line: 1,
        }
    }

    /// The line of byte `at`, from one.
    pub(super) fn line(&mut self, at: usize) -> usize {
        let between = self.text.get(self.at..at).unwrap_or_default();
        self.line += between.matches('\n').count();
        self.at = self.at.max(at);
        self.line
    }
}

/// Where the next character stands.
pub(super) fn place(input: &Input<'_>) -> usize {
    input.current_token_start()
}
