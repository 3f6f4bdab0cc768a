//! The part of Python that assertions in `%{ }%` use: `assert`, `print`, assignments, arithmetic, comparisons (also
//! chained), `and`, `or`, `not`, parentheses, names, numbers, text, and the functions `abs`, `min`, `max` and `str`.

use winnow::LocatingSlice;
use winnow::ascii::digit0;
use winnow::error::ErrMode;
use winnow::prelude::*;
use winnow::stream::Stream;

use super::input::{
    Fault, Input, Lines, Parsed, expected, looks_at, need, place, refused, skip, take, take_word,
    text, word,
};
use crate::ast::{Number, Operator, Statement, Term};

/// Parentheses within parentheses: beyond, a script is taken for a mistake.
const DEPTH: usize = 32;

/// Operands, and words of texts, of one statement. What is longer is no assertion that somebody wrote, and trees of
/// terms are as deep as they are long.
const WORDS: usize = 256;

const FUNCTIONS: [&str; 4] = ["abs", "min", "max", "str"];

/// Operators by how tightly they bind; comparisons stand between the first two and the others.
const LEVELS: [&[(&str, Operator)]; 4] = [
    &[("|", Operator::BitOr)],
    &[("&", Operator::BitAnd)],
    &[("+", Operator::Add), ("-", Operator::Sub)],
    &[
        ("*", Operator::Mul),
        ("//", Operator::Quotient),
        ("/", Operator::Div),
        ("%", Operator::Rem),
    ],
];

const COMPARISONS: [(&str, Operator); 6] = [
    ("==", Operator::Eq),
    ("!=", Operator::Ne),
    ("<=", Operator::Le),
    (">=", Operator::Ge),
    ("<", Operator::Lt),
    (">", Operator::Gt),
];

/// The statements of a block, which begins at byte `begin` of the script whose lines are `lines`.
pub(super) fn statements(
    block: &str,
    begin: usize,
    lines: &mut Lines<'_>,
) -> Parsed<Vec<Statement>> {
    let mut statements = Vec::new();
    let mut at = begin;
    for line in logical_lines(block) {
        let indent = line.len() - line.trim_start().len();
        let bare = line.trim();
        if !bare.is_empty() && !bare.starts_with('#') {
            let mut input = LocatingSlice::new(bare);
            let read = statement(&mut input, lines.line(at + indent), bare);
            statements.push(read.map_err(|error| moved(error, at + indent))?);
        }
        at += line.len() + 1;
    }
    Ok(statements)
}

/// Splits at line ends and semicolons that stand in no parentheses and no text.
fn logical_lines(block: &str) -> Vec<&str> {
    let (mut lines, mut start, mut open, mut quote) = (Vec::new(), 0, 0usize, None);
    for (at, c) in block.char_indices() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => open += 1,
            (None, ')') => open = open.saturating_sub(1),
            (None, '\n' | ';') if open == 0 => {
                lines.push(&block[start..at]);
                start = at + 1;
            }
            (None, _) => {}
        }
    }
    lines.push(&block[start..]);
    lines
}

fn moved(error: ErrMode<Fault>, by: usize) -> ErrMode<Fault> {
    error.map(|fault| Fault {
        at: fault.at + by,
        ..fault
    })
}

fn statement(input: &mut Input<'_>, line: usize, whole: &str) -> Parsed<Statement> {
    if words(whole) > WORDS {
        return refused(
            place(input),
            format!("this statement has more than {WORDS} operands and words"),
        );
    }
    let read = if take_word(input, "assert")? {
        let begin = place(input);
        let condition = term(input, DEPTH)?;
        let text = whole[begin..place(input)].trim().to_owned();
        let message = if take(input, ",")? {
            Some(term(input, DEPTH)?)
        } else {
            None
        };
        Statement::Assert {
            line,
            text,
            condition,
            message,
        }
    } else if take_word(input, "print")? {
        let parenthesis = take(input, "(")?;
        let mut terms = vec![term(input, DEPTH)?];
        while take(input, ",")? {
            terms.push(term(input, DEPTH)?);
        }
        if parenthesis {
            need(input, ")", "behind what is printed")?;
        }
        Statement::Print(terms)
    } else {
        let begin = place(input);
        let name = word(input, "`assert`, `print` or `name = value`")?.to_owned();
        if looks_at(input, "==") || !take(input, "=")? {
            return refused(
                begin,
                "expected `assert`, `print` or `name = value`: no more of Python is understood here",
            );
        }
        Statement::Assign(name, term(input, DEPTH)?)
    };
    if input.as_ref().is_empty() {
        Ok(read)
    } else {
        expected(input, "the end of the statement")
    }
}

/// Words and quotation marks: each operand has one at least.
fn words(statement: &str) -> usize {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let words = statement.split(|c| !is_of_word(c));
    let quotes = statement.matches(['"', '\'']).count();
    words.filter(|word| !word.is_empty()).count() + quotes
}

fn term(input: &mut Input<'_>, depth: usize) -> Parsed<Term> {
    let Some(depth) = depth.checked_sub(1) else {
        return refused(place(input), "parentheses are nested too deeply here");
    };
    let mut left = conjunction(input, depth)?;
    while take_word(input, "or")? {
        left = binary(Operator::Or, left, conjunction(input, depth)?);
    }
    Ok(left)
}

fn conjunction(input: &mut Input<'_>, depth: usize) -> Parsed<Term> {
    let mut left = negation(input, depth)?;
    while take_word(input, "and")? {
        left = binary(Operator::And, left, negation(input, depth)?);
    }
    Ok(left)
}

fn negation(input: &mut Input<'_>, depth: usize) -> Parsed<Term> {
    let Some(depth) = depth.checked_sub(1) else {
        return refused(place(input), "`not` is nested too deeply here");
    };
    if take_word(input, "not")? {
        return Ok(Term::Not(Box::new(negation(input, depth)?)));
    }
    let first = level(input, 0, depth)?;
    let mut compared = Vec::new();
    while let Some(operator) = operator(input, &COMPARISONS)? {
        compared.push((operator, level(input, 0, depth)?));
    }
    Ok(if compared.is_empty() {
        first
    } else {
        Term::Compare(Box::new(first), compared)
    })
}

fn level(input: &mut Input<'_>, at: usize, depth: usize) -> Parsed<Term> {
    let Some(operators) = LEVELS.get(at) else {
        return factor(input, depth);
    };
    let mut left = level(input, at + 1, depth)?;
    while let Some(operator) = operator(input, operators)? {
        left = binary(operator, left, level(input, at + 1, depth)?);
    }
    Ok(left)
}

fn operator(input: &mut Input<'_>, of: &[(&str, Operator)]) -> Parsed<Option<Operator>> {
    for (text, operator) in of {
        if looks_at(input, text) {
            input.next_slice(text.len());
            blanks(input)?;
            return Ok(Some(*operator));
        }
    }
    Ok(None)
}

/// `//` divides here, and does not begin a comment.
fn blanks(input: &mut Input<'_>) -> Parsed<()> {
    let _: &str = winnow::token::take_while(0.., char::is_whitespace).parse_next(input)?;
    Ok(())
}

fn binary(operator: Operator, left: Term, right: Term) -> Term {
    Term::Binary(operator, Box::new(left), Box::new(right))
}

fn factor(input: &mut Input<'_>, depth: usize) -> Parsed<Term> {
    let Some(depth) = depth.checked_sub(1) else {
        return refused(place(input), "signs are nested too deeply here");
    };
    if take(input, "-")? {
        return Ok(Term::Minus(Box::new(factor(input, depth)?)));
    }
    if take(input, "(")? {
        let inner = term(input, depth)?;
        blanks_then(input, ")")?;
        return Ok(inner);
    }
    if looks_at(input, "\"") {
        return text(input).map(Term::Text);
    }
    if looks_at(input, "'") {
        input.next_slice(1);
        let inner = super::input::until(input, "'", "this text")?.to_owned();
        skip(input)?;
        return Ok(Term::Text(inner));
    }
    if input
        .as_ref()
        .starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return decimal(input);
    }
    let name_at = place(input);
    let rest: &str = input.as_ref();
    let len = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    if len == 0 {
        return expected(input, "a number, a name or `(`");
    }
    let name = input.next_slice(len).to_owned();
    blanks(input)?;
    if !take(input, "(")? {
        return Ok(Term::Name(name));
    }
    if !FUNCTIONS.contains(&name.as_str()) {
        return refused(
            name_at,
            format!("there is no function `{name}`: there are abs, min, max and str"),
        );
    }
    let mut args = vec![term(input, depth)?];
    while take(input, ",")? {
        args.push(term(input, depth)?);
    }
    blanks_then(input, ")")?;
    Ok(Term::Apply(name, args))
}

fn blanks_then(input: &mut Input<'_>, end: &str) -> Parsed<()> {
    if !looks_at(input, end) {
        return expected(input, format!("`{end}`"));
    }
    input.next_slice(end.len());
    blanks(input)
}

fn decimal(input: &mut Input<'_>) -> Parsed<Term> {
    let begin = place(input);
    if looks_at(input, "0x") {
        return super::input::number::<i64>(input, "a number")
            .map(|value| Term::Number(Number::Int(value.into())));
    }
    let whole: &str = digit0.parse_next(input)?;
    let read = if looks_at(input, ".") {
        input.next_slice(1);
        let decimals: &str = digit0.parse_next(input)?;
        format!("0{whole}.{decimals}")
            .parse()
            .map(Number::Float)
            .ok()
    } else {
        whole.parse().map(Number::Int).ok()
    };
    blanks(input)?;
    match read {
        Some(number) => Ok(Term::Number(number)),
        None => refused(begin, "this number has more than 128 bits"),
    }
}
