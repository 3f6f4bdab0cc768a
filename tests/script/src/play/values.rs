//! Values of assertions and what operators make of them. As in Python, integers are exact.

use std::cmp::Ordering;

use crate::ast::{Number, Operator};

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(Number),
    Text(String),
}

impl Value {
    pub(super) fn int(value: i128) -> Value {
        Value::Number(Number::Int(value))
    }

    pub(super) fn truth(is: bool) -> Value {
        Value::int(i128::from(is))
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Number(Number::Int(number)) => *number != 0,
            Value::Number(Number::Float(number)) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
        }
    }

    pub(super) fn show(&self) -> String {
        match self {
            Value::Number(Number::Int(number)) => number.to_string(),
            Value::Number(Number::Float(number)) => number.to_string(),
            Value::Text(text) => text.clone(),
        }
    }

    pub(super) fn negated(&self) -> Result<Value, String> {
        Ok(Value::Number(match self.number()? {
            Number::Int(number) => int(number.checked_neg())?,
            Number::Float(number) => Number::Float(-number),
        }))
    }

    fn number(&self) -> Result<Number, String> {
        match self {
            Value::Number(number) => Ok(*number),
            Value::Text(text) => Err(format!("`{text}` is no number")),
        }
    }
}

/// What an operation on integers made, if it fits.
fn int(made: Option<i128>) -> Result<Number, String> {
    made.map(Number::Int)
        .ok_or_else(|| "an integer of more than 128 bits".into())
}

fn float(number: Number) -> f64 {
    match number {
        Number::Int(number) => number as f64,
        Number::Float(number) => number,
    }
}

/// How two numbers compare; `None` with what is no number.
fn order(left: Number, right: Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(&right)),
        (Number::Float(left), Number::Float(right)) => left.partial_cmp(&right),
        (Number::Int(left), Number::Float(right)) => order_of_both(left, right),
        (Number::Float(left), Number::Int(right)) => {
            order_of_both(right, left).map(Ordering::reverse)
        }
    }
}

/// How an integer compares to what need not be one, which would lose digits of it.
fn order_of_both(int: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    match int.cmp(&(float.floor() as i128)) {
        Ordering::Equal if float.fract() != 0.0 => Some(Ordering::Less),
        order => Some(order),
    }
}

pub(super) fn compare(operator: Operator, left: &Value, right: &Value) -> Result<bool, String> {
    if matches!(operator, Operator::Eq | Operator::Ne) {
        let equal = match (left, right) {
            (Value::Number(left), Value::Number(right)) => {
                order(*left, *right) == Some(Ordering::Equal)
            }
            (Value::Text(left), Value::Text(right)) => left == right,
            _ => false,
        };
        return Ok(equal == (operator == Operator::Eq));
    }
    let order = order(left.number()?, right.number()?);
    Ok(order.is_some_and(|order| match operator {
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Gt => order.is_gt(),
        _ => order.is_ge(),
    }))
}

pub(super) fn calculate(operator: Operator, left: &Value, right: &Value) -> Result<Value, String> {
    if let (Operator::Add, Value::Text(left), Value::Text(right)) = (operator, left, right) {
        return Ok(Value::Text(format!("{left}{right}")));
    }
    let (left, right) = (left.number()?, right.number()?);
    let divides = matches!(operator, Operator::Div | Operator::Quotient | Operator::Rem);
    if divides && float(right) == 0.0 {
        return Err("a division by zero".into());
    }
    let made = match (left, right) {
        (Number::Int(left), Number::Int(right)) if operator != Operator::Div => {
            int(of_ints(operator, left, right))?
        }
        _ => Number::Float(of_floats(operator, float(left), float(right))?),
    };
    Ok(Value::Number(made))
}

/// What an operator makes of two integers, of which the second is not zero where it divides.
fn of_ints(operator: Operator, left: i128, right: i128) -> Option<i128> {
    match operator {
        Operator::Add => left.checked_add(right),
        Operator::Sub => left.checked_sub(right),
        Operator::Mul => left.checked_mul(right),
        Operator::Quotient => {
            let exact = remainder(left, right)? == 0;
            let down = !exact && (left < 0) != (right < 0);
            left.checked_div(right)?.checked_sub(i128::from(down))
        }
        Operator::Rem => remainder(left, right),
        Operator::BitAnd => Some(left & right),
        _ => Some(left | right),
    }
}

/// The remainder of the division that rounds down: it has the sign of `right`.
fn remainder(left: i128, right: i128) -> Option<i128> {
    let remainder = left.checked_rem(right)?;
    if remainder != 0 && (remainder < 0) != (right < 0) {
        remainder.checked_add(right)
    } else {
        Some(remainder)
    }
}

fn of_floats(operator: Operator, left: f64, right: f64) -> Result<f64, String> {
    Ok(match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::Div => left / right,
        Operator::Quotient => (left / right).floor(),
        Operator::Rem => left - right * (left / right).floor(),
        _ => return Err("`&` and `|` are for integers".into()),
    })
}

pub(super) fn apply(function: &str, args: &[Value]) -> Result<Value, String> {
    let first = args.first().ok_or("a function has an argument")?;
    if function == "str" {
        return Ok(Value::Text(first.show()));
    }
    let first = first.number()?;
    if function == "abs" {
        return Ok(Value::Number(match first {
            Number::Int(number) => int(number.checked_abs())?,
            Number::Float(number) => Number::Float(number.abs()),
        }));
    }
    let wanted = if function == "min" {
        Ordering::Less
    } else {
        Ordering::Greater
    };
    let best = args.iter().try_fold(first, |best, arg| {
        let number = arg.number()?;
        let is_better = order(number, best) == Some(wanted);
        Ok::<_, String>(if is_better { number } else { best })
    })?;
    Ok(Value::Number(best))
}

#[cfg(test)]
mod tests;
