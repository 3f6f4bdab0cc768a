//! Evaluates the assertions in `%{ }%`.

use std::collections::BTreeMap;

use crate::ast::{Operator, Statement, Term};

/// Constants of Linux's `TCP_INFO`.
const CONSTANTS: [(&str, f64); 21] = [
    ("True", 1.0),
    ("False", 0.0),
    ("TCP_ESTABLISHED", 1.0),
    ("TCP_SYN_SENT", 2.0),
    ("TCP_SYN_RECV", 3.0),
    ("TCP_FIN_WAIT1", 4.0),
    ("TCP_FIN_WAIT2", 5.0),
    ("TCP_TIME_WAIT", 6.0),
    ("TCP_CLOSE", 7.0),
    ("TCP_CLOSE_WAIT", 8.0),
    ("TCP_LAST_ACK", 9.0),
    ("TCP_LISTEN", 10.0),
    ("TCP_CLOSING", 11.0),
    ("TCP_CA_Open", 0.0),
    ("TCP_CA_Disorder", 1.0),
    ("TCP_CA_CWR", 2.0),
    ("TCP_CA_Recovery", 3.0),
    ("TCP_CA_Loss", 4.0),
    ("TCP_INFINITE_SSTHRESH", 2_147_483_647.0),
    ("TCPI_OPT_TIMESTAMPS", 1.0),
    ("TCPI_OPT_SACK", 2.0),
];

/// A value.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    fn is_true(&self) -> bool {
        match self {
            Value::Number(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
        }
    }

    fn show(&self) -> String {
        match self {
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text.clone(),
        }
    }

    fn number(&self) -> Result<f64, String> {
        match self {
            Value::Number(number) => Ok(*number),
            Value::Text(text) => Err(format!("`{text}` is no number")),
        }
    }
}

/// What was assigned, over all blocks of a script.
#[derive(Debug, Default)]
pub(super) struct Variables {
    assigned: BTreeMap<String, Value>,
}

type Info = BTreeMap<&'static str, f64>;

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
            .map(Value::Number)
            .ok_or_else(|| format!("`{name}` is not known of this host"))
    }

    fn value(&self, term: &Term, info: &Info) -> Result<Value, String> {
        Ok(match term {
            Term::Number(number) => Value::Number(*number),
            Term::Text(text) => Value::Text(text.clone()),
            Term::Name(name) => self.name(name, info)?,
            Term::Minus(term) => Value::Number(-self.value(term, info)?.number()?),
            Term::Not(term) => truth(!self.value(term, info)?.is_true()),
            Term::Compare(first, others) => {
                let mut left = self.value(first, info)?;
                for (operator, right) in others {
                    let right = self.value(right, info)?;
                    if !compare(*operator, &left, &right)? {
                        return Ok(truth(false));
                    }
                    left = right;
                }
                truth(true)
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

fn truth(is: bool) -> Value {
    Value::Number(f64::from(u8::from(is)))
}

fn compare(operator: Operator, left: &Value, right: &Value) -> Result<bool, String> {
    if matches!(operator, Operator::Eq | Operator::Ne) {
        return Ok((left == right) == (operator == Operator::Eq));
    }
    let (left, right) = (left.number()?, right.number()?);
    Ok(match operator {
        Operator::Lt => left < right,
        Operator::Le => left <= right,
        Operator::Gt => left > right,
        _ => left >= right,
    })
}

fn calculate(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    if let (Operator::Add, Value::Text(left), Value::Text(right)) = (operator, left, right) {
        return Ok(Value::Text(format!("{left}{right}")));
    }
    let (left, right) = (left.number()?, right.number()?);
    let divides = matches!(operator, Operator::Div | Operator::Quotient | Operator::Rem);
    if divides && right == 0.0 {
        return Err("a division by zero".into());
    }
    Ok(Value::Number(match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::Div => left / right,
        Operator::Quotient => (left / right).floor(),
        Operator::Rem => left - right * (left / right).floor(),
        Operator::BitAnd => (left as i64 & right as i64) as f64,
        _ => (left as i64 | right as i64) as f64,
    }))
}

fn apply(function: &str, args: &[Value]) -> Result<Value, String> {
    let first = args.first().ok_or("a function has an argument")?;
    if function == "str" {
        return Ok(Value::Text(first.show()));
    }
    let numbers: Result<Vec<_>, _> = args.iter().map(Value::number).collect();
    let numbers = numbers?;
    let first = first.number()?;
    Ok(Value::Number(match function {
        "abs" => first.abs(),
        "min" => numbers.into_iter().fold(first, f64::min),
        _ => numbers.into_iter().fold(first, f64::max),
    }))
}
