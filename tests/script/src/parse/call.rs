//! System calls: `socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`, `connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)`.

use super::input::{
    Input, Parsed, expected, looks_at, need, number, place, refused, take, text, until, word,
};
use crate::ast::{Call, Expr, Wanted};
use crate::names;

/// Brackets within brackets: beyond, a script is taken for a mistake.
const DEPTH: usize = 16;

/// A call with its result.
pub(super) fn call(input: &mut Input<'_>) -> Parsed<Call> {
    let name = word(input, "the name of a system call")?.to_owned();
    need(input, "(", "and the arguments of the call")?;
    let args = list(input, ")", DEPTH)?;
    let result = if take(input, "=")? {
        result(input)?
    } else {
        return expected(input, "`=` and what the call returns");
    };
    remark(input)?;
    Ok(Call { name, args, result })
}

fn result(input: &mut Input<'_>) -> Parsed<Wanted> {
    if take(input, "?")? {
        return Ok(Wanted::Any);
    }
    let value = expression(input, DEPTH)?;
    if value != Expr::Int(-1) {
        return Ok(Wanted::Value(value));
    }
    let at = place(input);
    let name = word(input, "the name of an error behind -1, such as EAGAIN")?;
    if names::errno(name).is_none() {
        return refused(at, format!("`{name}` is no error that is known here"));
    }
    remark(input)?;
    Ok(Wanted::Error(name.to_owned()))
}

/// What `strace` writes in parentheses behind a result.
fn remark(input: &mut Input<'_>) -> Parsed<()> {
    if looks_at(input, "(") {
        until(input, ")", "this remark")?;
        super::input::skip(input)?;
    }
    Ok(())
}

/// Expressions with commas between them, up to `end`.
fn list(input: &mut Input<'_>, end: &str, depth: usize) -> Parsed<Vec<Expr>> {
    let mut items = Vec::new();
    if take(input, end)? {
        return Ok(items);
    }
    loop {
        items.push(expression(input, depth)?);
        if take(input, end)? {
            return Ok(items);
        }
        if !take(input, ",")? {
            return expected(input, format!("`,` or `{end}`"));
        }
    }
}

fn expression(input: &mut Input<'_>, depth: usize) -> Parsed<Expr> {
    let first = simple(input, depth)?;
    if !looks_at(input, "|") {
        return Ok(first);
    }
    let mut parts = vec![first];
    while take(input, "|")? {
        parts.push(simple(input, depth)?);
    }
    Ok(Expr::Or(parts))
}

fn simple(input: &mut Input<'_>, depth: usize) -> Parsed<Expr> {
    let Some(depth) = depth.checked_sub(1) else {
        return refused(place(input), "brackets are nested too deeply here");
    };
    if take(input, "...")? {
        return Ok(Expr::Ellipsis);
    }
    if looks_at(input, "\"") {
        return text(input).map(Expr::Text);
    }
    if take(input, "[")? {
        return list(input, "]", depth).map(Expr::List);
    }
    if take(input, "{")? {
        return fields(input, depth).map(Expr::Struct);
    }
    let begin = place(input);
    let negative = take(input, "-")?;
    if negative || input.as_ref().starts_with(|c: char| c.is_ascii_digit()) {
        let value = number::<i64>(input, "a number")?;
        let value = if negative { -value } else { value };
        if i32::try_from(value).is_err() {
            let why = format!("{value} is beyond the numbers of calls, which have 32 bits");
            return refused(begin, why);
        }
        return Ok(Expr::Int(value));
    }
    let name = word(
        input,
        "an argument: `...`, a number, a name, `[`, `{` or text",
    )?;
    if take(input, "(")? {
        return Ok(Expr::Apply(name.to_owned(), list(input, ")", depth)?));
    }
    Ok(Expr::Name(name.to_owned()))
}

/// Fields of a structure, up to `}`: `name=value`, or values alone.
fn fields(input: &mut Input<'_>, depth: usize) -> Parsed<Vec<(Option<String>, Expr)>> {
    let mut fields = Vec::new();
    if take(input, "}")? {
        return Ok(fields);
    }
    loop {
        let value = expression(input, depth)?;
        match value {
            Expr::Name(name) if take(input, "=")? => {
                fields.push((Some(name), expression(input, depth)?));
            }
            value => fields.push((None, value)),
        }
        if take(input, "}")? {
            return Ok(fields);
        }
        if !take(input, ",")? {
            return expected(input, "`,` or `}`");
        }
    }
}
