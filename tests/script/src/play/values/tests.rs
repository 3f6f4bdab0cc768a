use std::path::Path;

use super::*;
use crate::ast::{Action, Statement, Term};
use crate::parse;

/// What an assertion would see of the term that stands in `text`.
fn shown(text: &str) -> String {
    let script = parse(Path::new("a.pkt"), &format!("0 %{{ x = {text} }}%")).expect("a term");
    let Action::Code(code) = &script.events[0].action else {
        panic!("code");
    };
    let Statement::Assign(_, term) = &code[0] else {
        panic!("an assignment");
    };
    value(term).map_or_else(|why| why, |value| value.show())
}

/// The value of a term without names.
fn value(term: &Term) -> Result<Value, String> {
    match term {
        Term::Number(number) => Ok(Value::Number(*number)),
        Term::Text(text) => Ok(Value::Text(text.clone())),
        Term::Minus(term) => value(term)?.negated(),
        Term::Binary(operator, left, right) => calculate(*operator, &value(left)?, &value(right)?),
        Term::Compare(left, others) => {
            let (operator, right) = &others[0];
            compare(*operator, &value(left)?, &value(right)?).map(Value::truth)
        }
        Term::Apply(function, args) => {
            let args: Result<Vec<Value>, String> = args.iter().map(value).collect();
            apply(function, &args?)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn integers_are_exact() {
    for (text, wanted) in [
        ("9007199254740993 == 9007199254740992", "0"),
        ("9007199254740993 > 9007199254740992.0", "1"),
        ("9007199254740993 - 9007199254740992", "1"),
        (
            "max(9007199254740993, 9007199254740992)",
            "9007199254740993",
        ),
        ("min(3, 2.5, 4)", "2.5"),
        ("5 < 5.5", "1"),
        ("-5 < -5.5", "0"),
        ("5.0 == 5", "1"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("7 // -2", "-4"),
        ("-8 // 2", "-4"),
        ("7 % -3", "-2"),
        ("-7 % 3", "2"),
        ("7 / 2", "3.5"),
        ("6 & 3 | 8", "10"),
        ("0x10 + 1", "17"),
        ("abs(-3)", "3"),
        ("1 == \"1\"", "0"),
        ("0.5 + 0.5 == 1", "1"),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn what_cannot_be_calculated_is_told() {
    let most = i128::MAX.to_string();
    let too_large = "an integer of more than 128 bits";
    for (text, wanted) in [
        (format!("{most} + 1"), too_large),
        (format!("-{most} - 2"), too_large),
        (format!("{most} * 2"), too_large),
        (format!("(-{most} - 1) // -1"), too_large),
        (format!("abs(-{most} - 1)"), too_large),
        ("1 // 0".to_owned(), "a division by zero"),
        ("1 % 0.0".to_owned(), "a division by zero"),
        ("1.5 & 1".to_owned(), "`&` and `|` are for integers"),
        ("1 + \"1\"".to_owned(), "`1` is no number"),
    ] {
        assert_eq!(shown(&text), wanted, "{text}");
    }
    let error =
        parse(Path::new("a.pkt"), &format!("0 %{{ x = {most}0 }}%")).expect_err("too large");
    assert_eq!(error.what, "this number has more than 128 bits");
}
