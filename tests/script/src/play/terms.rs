//! Evaluates the assertions in `%{ }%`.

use std::collections::BTreeMap;

use super::values::{Value, apply, calculate, compare};
use crate::ast::{Operator, Statement, Term};

/// Constants of Linux's `TCP_INFO`.
const CONSTANTS: [(&str, i128); 21] = [
    ("True", 1),
    ("False", 0),
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
    ("TCP_INFINITE_SSTHRESH", 2_147_483_647),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
];

/// What was assigned, over all blocks of a script.
#[derive(Debug, Default)]
pub(super) struct Variables {
    assigned: BTreeMap<String, Value>,
}

type Info = BTreeMap<&'static str, i128>;

impl Variables {
    /// Runs the statements of a block.
    ///
    /// # Errors
    ///
    /// The line of the assertion that does not hold, and what its names stand for.
    pub(super) fn run(
        &mut self,
        statements: &[Statement],
        info: &Info,
        printed: &mut Vec<String>,
    ) -> Result<(), (Option<usize>, String)> {
        for statement in statements {
            match statement {
                Statement::Assert {
                    line,
                    text,
                    condition,
                    message,
                } => {
                    let at = |why| (Some(*line), why);
                    if self.value(condition, info).map_err(at)?.is_true() {
                        continue;
                    }
                    let mut why = format!("`assert {text}` does not hold");
                    let names = self.names(condition, info);
                    if !names.is_empty() {
                        why = format!("{why}: {}", names.join(", "));
                    }
                    if let Some(message) = message {
                        let message = self.value(message, info).map_err(at)?.show();
                        why = format!("{why} ({message})");
                    }
                    return Err((Some(*line), why));
                }
                Statement::Print(terms) => {
                    let texts = terms
                        .iter()
                        .map(|term| self.value(term, info).map(|value| value.show()));
                    let texts: Result<Vec<_>, _> = texts.collect();
                    printed.push(texts.map_err(|why| (None, why))?.join(" "));
                }
                Statement::Assign(name, term) => {
                    let value = self.value(term, info).map_err(|why| (None, why))?;
                    self.assigned.insert(name.clone(), value);
                }
            }
        }
        Ok(())
    }

    /// The names of a condition and what they stand for.
    fn names(&self, term: &Term, info: &Info) -> Vec<String> {
        let mut names = Vec::new();
        collect(term, &mut names);
        names.dedup();
        let known = names.into_iter().filter_map(|name| {
            let value = self.name(name, info).ok()?.show();
            Some(format!("{name} is {value}"))
        });
        known.collect()
    }

    fn name(&self, name: &str, info: &Info) -> Result<Value, String> {
        if let Some(value) = self.assigned.get(name) {
            return Ok(value.clone());
        }
        let constant = CONSTANTS.iter().find(|(known, _)| *known == name);
        let number = info
            .get(name)
            .copied()
            .or(constant.map(|(_, value)| *value));
        number
            .map(Value::int)
            .ok_or_else(|| format!("`{name}` is not known of this host"))
    }

    fn value(&self, term: &Term, info: &Info) -> Result<Value, String> {
        Ok(match term {
            Term::Number(number) => Value::Number(*number),
            Term::Text(text) => Value::Text(text.clone()),
            Term::Name(name) => self.name(name, info)?,
            Term::Minus(term) => self.value(term, info)?.negated()?,
            Term::Not(term) => Value::truth(!self.value(term, info)?.is_true()),
            Term::Compare(first, others) => {
                let mut left = self.value(first, info)?;
                for (operator, right) in others {
                    let right = self.value(right, info)?;
                    if !compare(*operator, &left, &right)? {
                        return Ok(Value::truth(false));
                    }
                    left = right;
                }
                Value::truth(true)
            }
            Term::Binary(Operator::And, left, right) => {
                let left = self.value(left, info)?;
                if left.is_true() {
                    self.value(right, info)?
                } else {
                    left
                }
            }
            Term::Binary(Operator::Or, left, right) => {
                let left = self.value(left, info)?;
                if left.is_true() {
                    left
                } else {
                    self.value(right, info)?
                }
            }
            Term::Binary(operator, left, right) => calculate(
                *operator,
                &self.value(left, info)?,
                &self.value(right, info)?,
            )?,
            Term::Apply(function, args) => {
                let args: Result<Vec<_>, _> =
                    args.iter().map(|arg| self.value(arg, info)).collect();
                apply(function, &args?)?
            }
        })
    }
}

fn collect<'t>(term: &'t Term, names: &mut Vec<&'t str>) {
    match term {
        Term::Number(_) | Term::Text(_) => {}
        Term::Name(name) => names.push(name),
        Term::Minus(term) | Term::Not(term) => collect(term, names),
        Term::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
        Term::Compare(first, others) => {
            collect(first, names);
            others.iter().for_each(|(_, term)| collect(term, names));
        }
        Term::Apply(_, args) => args.iter().for_each(|arg| collect(arg, names)),
    }
}
