//! Lines in back-quotes. Those that only set variables of the kernel are understood; others are for a shell.

use super::input::{Input, Parsed, place, refused, skip, take, until};
use crate::ast::Action;

/// A line in back-quotes.
pub(super) fn shell(input: &mut Input<'_>) -> Parsed<Action> {
    let begin = place(input);
    take(input, "`")?;
    let text = until(input, "`", "this line for the shell")?;
    skip(input)?;
    let commands = text.split(['\n', ';']).map(str::trim);
    let commands = commands.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut assigned = Vec::new();
    for command in commands {
        let mut words = command.split_whitespace();
        if words.next() != Some("sysctl") {
            return Ok(Action::Shell(text.trim().to_owned()));
        }
        for word in words.filter(|word| !matches!(*word, "-q" | "-w" | "-qw")) {
            assigned.push(assignment(begin, command, word)?);
        }
    }
    Ok(Action::Sysctl(assigned))
}

/// `name=value`, and with quotes `name="a b c"`, of which the words after the first belong to the one before.
fn assignment(begin: usize, command: &str, word: &str) -> Parsed<(String, Vec<i64>)> {
    let Some((name, value)) = word.split_once('=') else {
        return refused(
            begin,
            format!(
                "`{command}`: a setting is `sysctl -q name=value`, several numbers joined by commas"
            ),
        );
    };
    let numbers = value.trim_matches('"').split(',').map(str::parse);
    match numbers.collect() {
        Ok(numbers) => Ok((name.to_owned(), numbers)),
        Err(_) => refused(begin, format!("`{value}` is no number for {name}")),
    }
}
