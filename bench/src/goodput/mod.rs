//! Goodput over simulated bad paths, of this stack and of smoltcp: measured path by path, kept as lines of JSON so that a
//! long run can be made of several, and shown as a table or as a picture.

mod plot;

pub use plot::plot;

use core::fmt;
use core::time::Duration;
use netstack_core::Congestion;
use serde_json::{Value, json};
use suite::goodput::{Contender, Path, fairness, measure, share};

/// Who is measured on each path, in the order of the columns.
pub const CONTENDERS: [Contender; 5] = [
    Contender::Ours(Congestion::Reno),
    Contender::Smoltcp(Congestion::Reno),
    Contender::Ours(Congestion::Cubic),
    Contender::Smoltcp(Congestion::Cubic),
    Contender::Ours(Congestion::Bbr),
];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Mbit/s of one connection.
    Goodput,
    /// Jain's index of two connections that share the path.
    Fairness,
}

/// One contender on one path, a figure for each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What the figures are.
    pub quantity: Quantity,
    /// Mbit/s, milliseconds there and back, data packets lost of a thousand.
    pub path: (u64, u64, u32),
    /// Its name.
    pub contender: String,
    /// Simulated seconds of each run.
    pub seconds: u64,
    /// The figures.
    pub runs: Vec<f64>,
}

impl Quantity {
    /// All of them.
    const ALL: [Quantity; 2] = [Quantity::Goodput, Quantity::Fairness];

    /// As lines of JSON name it.
    fn name(self) -> &'static str {
        match self {
            Quantity::Goodput => "goodput",
            Quantity::Fairness => "fairness",
        }
    }

    /// As tables do.
    fn title(self) -> &'static str {
        match self {
            Quantity::Goodput => "Mbit/s of one connection",
            Quantity::Fairness => "Jain's index of two",
        }
    }
}

impl Cell {
    /// Measures it.
    pub fn measure(
        quantity: Quantity,
        contender: Contender,
        path: (u64, u64, u32),
        seconds: u64,
        seeds: u64,
    ) -> Cell {
        let (rate, rtt, loss) = path;
        let on = Path {
            rate: rate * 1_000_000,
            rtt: Duration::from_millis(rtt),
            loss,
            marks: false,
        };
        let time = Duration::from_secs(seconds);
        let run = |seed| match quantity {
            Quantity::Goodput => measure(contender, &on, time, seed).goodput / 1e6,
            Quantity::Fairness => fairness(&share(contender, &on, time, seed, 2)),
        };
        Cell {
            quantity,
            path,
            contender: contender.to_string(),
            seconds,
            runs: (0..seeds).map(run).collect(),
        }
    }

    /// One line of JSON.
    pub fn to_json(&self) -> String {
        let (rate, rtt, loss) = self.path;
        json!({
            "quantity": self.quantity.name(), "mbits": rate, "rtt_ms": rtt, "loss_per_mille": loss, "contender": self.contender,
            "seconds": self.seconds, "runs": self.runs,
        })
        .to_string()
    }

    /// Reads such a line; `None` if it is none.
    pub fn from_json(line: &str) -> Option<Cell> {
        let value: Value = serde_json::from_str(line).ok()?;
        let number = |name: &str| value.get(name)?.as_u64();
        let runs = value.get("runs")?.as_array()?;
        let quantity = value.get("quantity")?.as_str()?;
        Some(Cell {
            quantity: Quantity::ALL.into_iter().find(|it| it.name() == quantity)?,
            path: (
                number("mbits")?,
                number("rtt_ms")?,
                u32::try_from(number("loss_per_mille")?).ok()?,
            ),
            contender: value.get("contender")?.as_str()?.to_owned(),
            seconds: number("seconds")?,
            runs: runs.iter().filter_map(Value::as_f64).collect(),
        })
    }

    /// The mean of the runs.
    pub fn mean(&self) -> f64 {
        self.runs.iter().sum::<f64>() / self.runs.len() as f64
    }
}

impl fmt::Display for Cell {
    /// The mean, the least and the greatest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.runs.iter().copied().fold(0.0, f64::max);
        let digits = match greatest {
            ..=10.0 => 2,
            ..=100.0 => 1,
            _ => 0,
        };
        let mean = self.mean();
        write!(f, "{mean:.digits$} ({least:.digits$}-{greatest:.digits$})")
    }
}

/// The paths of `cells`, in order and once each.
pub fn paths(cells: &[Cell]) -> Vec<(u64, u64, u32)> {
    let mut paths: Vec<_> = cells.iter().map(|cell| cell.path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// The cells as tables of Markdown, one for each quantity, with a line for each path and a column for each contender.
pub fn table(cells: &[Cell]) -> String {
    let of = |quantity| {
        let cells = cells.iter().filter(|cell| cell.quantity == quantity);
        (quantity, cells.cloned().collect::<Vec<_>>())
    };
    let tables = Quantity::ALL.map(of).into_iter();
    let tables = tables.filter(|(_, cells)| !cells.is_empty());
    let tables: Vec<String> = tables
        .map(|(quantity, cells)| table_of(quantity, &cells))
        .collect();
    tables.join("\n")
}

fn table_of(quantity: Quantity, cells: &[Cell]) -> String {
    let names = CONTENDERS.map(|contender| contender.to_string());
    let mut text = format!("| {} | {} |\n", quantity.title(), names.join(" | "));
    text += &format!("|---|{}\n", "---:|".repeat(names.len()));
    for path in paths(cells) {
        let (rate, rtt, loss) = path;
        let lost = f64::from(loss) / 10.0;
        text += &format!("| {rate} Mbit/s, {rtt} ms, {lost} % lost |");
        for name in &names {
            let cell = cells
                .iter()
                .find(|cell| cell.path == path && cell.contender == *name);
            match cell {
                Some(cell) => text += &format!(" {cell} |"),
                None => text += " |",
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
