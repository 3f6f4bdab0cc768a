//! Reads scripts: the established packetdrill language.
//!
//! An event begins with its time ([`time`]), and its next character says what it is: a packet ([`packet`]), a call
//! ([`call`]), assertions ([`code`]) or a line for the shell ([`shell`]). Errors name the place and what was expected.

mod call;
mod code;
mod input;
mod ip;
mod options;
mod packet;
mod remarks;
mod settings;
mod shell;
mod time;

use std::path::Path;
use std::time::Duration;

use winnow::LocatingSlice;
use winnow::error::ErrMode;

use crate::ast::{Action, Event, Script, Settings, When};
use crate::error::ParseError;
use input::{
    Fault, Input, Lines, Parsed, Problem, expected, looks_at, place, refused, skip, take, until,
};
use remarks::Remarks;

/// Reads the script `text`, which stands in the file `path`.
///
/// # Errors
///
/// The place of the first thing that is not in the language, and what was expected there.
pub fn parse(path: &Path, text: &str) -> Result<Script, ParseError> {
    // Some editors put a mark in front, which nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut input = LocatingSlice::new(text);
    let read = script(&mut input, text).map_err(|error| {
        let fault = match error {
            ErrMode::Backtrack(fault) | ErrMode::Cut(fault) => fault,
            ErrMode::Incomplete(_) => Fault {
                at: text.len(),
                problem: Problem::Expected("more".into()),
            },
        };
        let what = match fault.problem {
            Problem::Refused(why) => why,
            Problem::Expected(what) => format!("expected {what}, found {}", found(text, fault.at)),
        };
        ParseError::at(path.to_owned(), text, fault.at, what)
    });
    let (settings, remarks, events) = read?;
    Ok(Script {
        path: path.to_owned(),
        text: text.to_owned(),
        settings,
        everywhere: remarks.everywhere,
        linux: remarks.linux,
        excepted: remarks.excepted,
        both: remarks.both,
        events,
    })
}

/// What stands at byte `at`, for a message.
fn found(text: &str, at: usize) -> String {
    let rest = text.get(at..).unwrap_or_default();
    let line = rest.lines().next().unwrap_or_default().trim_end();
    if rest.is_empty() {
        return "the end of the file".into();
    }
    if line.trim_start().starts_with("}%") {
        return "the end of the statement".into();
    }
    if line.is_empty() {
        return "the end of the line".into();
    }
    let word: String = line
        .chars()
        .enumerate()
        .take_while(|(at, c)| *at == 0 || *at < 20 && !c.is_whitespace())
        .map(|(_, c)| c)
        .collect();
    format!("`{word}`")
}

fn script(input: &mut Input<'_>, text: &str) -> Parsed<(Settings, Remarks, Vec<Event>)> {
    let remarks = remarks::remarks(text)?;
    skip(input)?;
    let settings = settings::settings(input)?;
    let mut events = Vec::new();
    let (mut latest, mut lines) = (Duration::ZERO, Lines::of(text));
    let mut clock = time::Clock::new(settings.tolerance);
    while !input.as_ref().is_empty() {
        let begin = place(input);
        let event = event(input, text, &mut lines, &settings)?;
        latest = event.when.latest(latest);
        if latest > time::LONGEST {
            return refused(begin, "by this event more than a century has passed");
        }
        if let Err(begun) = clock.next(event.when) {
            let begun = begun.as_secs_f64();
            return refused(
                begin,
                format!("this time has passed: an event before is at {begun:.6}"),
            );
        }
        events.push(event);
    }
    if events.is_empty() {
        return refused(text.len(), "nothing happens in this script");
    }
    Ok((settings, remarks, events))
}

fn event(
    input: &mut Input<'_>,
    text: &str,
    lines: &mut Lines<'_>,
    settings: &Settings,
) -> Parsed<Event> {
    let begin = place(input);
    let line = lines.line(begin);
    let when = if looks_at(input, "`") || looks_at(input, "%{") {
        When::After(Duration::ZERO)
    } else {
        time::when(input)?
    };
    let action = action(input, text, lines, settings)?;
    if matches!(when, When::Span { .. }) && !matches!(action, Action::Call(_)) {
        return refused(begin, "only a call can last: give this event one time");
    }
    if matches!(when, When::Any | When::Between(..) | When::AfterBetween(..))
        && !matches!(action, Action::Outbound(_))
    {
        return refused(
            begin,
            "only for what the host sends may the time be left open: give this event one time",
        );
    }
    Ok(Event { line, when, action })
}

fn action(
    input: &mut Input<'_>,
    text: &str,
    lines: &mut Lines<'_>,
    settings: &Settings,
) -> Parsed<Action> {
    if take(input, "<")? {
        return Ok(Action::Inbound(packet::packet(input, settings, false)?));
    }
    if take(input, ">")? {
        return Ok(Action::Outbound(packet::packet(input, settings, true)?));
    }
    if looks_at(input, "`") {
        return shell::shell(input);
    }
    if looks_at(input, "%{") {
        let begin = place(input) + 2;
        take(input, "%{")?;
        until(input, "}%", "this block of assertions")?;
        let end = place(input) - 2;
        skip(input)?;
        let body = text.get(begin..end).unwrap_or_default();
        return code::statements(body, begin, lines).map(Action::Code);
    }
    let rest: &str = input.as_ref();
    if rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return call::call(input).map(Action::Call);
    }
    expected(
        input,
        "`<` or `>` and a packet, a system call, a line in back-quotes, or `%{`",
    )
}

#[cfg(test)]
mod tests;
