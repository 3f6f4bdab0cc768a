//! The counters of a bridge, a line each second and all that count at the end.

use std::fmt::Write as _;
use std::time::Instant;

use netstack::bridge::BridgeReport;
use serde_json::{Map, Value, json};

/// The directions of a report, in its order.
const DIRECTIONS: [&str; 2] = ["left to right", "right to left"];

pub(super) struct Reporter {
    names: [String; 2],
    as_json: bool,
    started: Instant,
    /// Time, and packets and bytes of each direction, of the line before.
    last: (f64, [[u64; 2]; 2]),
}

impl Reporter {
    pub(super) fn new(names: [String; 2], as_json: bool) -> Reporter {
        Reporter {
            names,
            as_json,
            started: Instant::now(),
            last: (0.0, [[0; 2]; 2]),
        }
    }

    /// The line of this second.
    pub(super) fn line(&mut self, report: &BridgeReport) -> String {
        if self.as_json {
            return self.object("second", report).to_string();
        }
        let now = self.started.elapsed().as_secs_f64();
        // What leaves on the right has gone from left to right.
        let sent = [1, 0].map(|to| {
            let device = &report.interfaces[to].device;
            [device.tx_packets, device.tx_bytes]
        });
        let (before, old) = std::mem::replace(&mut self.last, (now, sent));
        let seconds = (now - before).max(1e-3);
        let mut line = format!("{now:6.1} s");
        for (index, name) in DIRECTIONS.iter().enumerate() {
            let [packets, bytes] =
                [0, 1].map(|i| (sent[index][i] - old[index][i]) as f64 / seconds);
            let _ = write!(
                line,
                "  {name} {packets:>9.0} packets/s {:>8.3} Gbit/s",
                bytes * 8e-9
            );
        }
        line
    }

    /// Every counter that is not zero, by name.
    pub(super) fn summary(&self, report: &BridgeReport) -> String {
        if self.as_json {
            return format!("{}\n", self.object("total", report));
        }
        let mut text = format!("total of {:.1} s\n", self.started.elapsed().as_secs_f64());
        let mut row = |of: &str, name: &str, value: u64| {
            if value > 0 {
                let _ = writeln!(text, "  {:<44} {value}", format!("{of} {name}"));
            }
        };
        for (name, side) in self.names.iter().zip(&report.interfaces) {
            side.device
                .iter()
                .for_each(|(counter, value)| row(name, counter, value));
            row(name, "receive_errors", side.receive_errors);
            row(name, "transmit_errors", side.transmit_errors);
        }
        for (name, direction) in DIRECTIONS.iter().zip(&report.directions) {
            direction
                .impairments
                .iter()
                .for_each(|(counter, value)| row(name, counter, *value));
            row(name, "late_dropped", direction.late_dropped);
            row(name, "under_way", direction.under_way);
        }
        for (layer, name, value) in report.router.iter().flat_map(|router| router.iter()) {
            row(layer, name, value);
        }
        for (name, side) in self.names.iter().zip(&report.interfaces) {
            if let Some(error) = &side.error {
                let _ = writeln!(text, "  {name}: {error}");
            }
        }
        text
    }

    fn object(&self, kind: &str, report: &BridgeReport) -> Value {
        let [left, right] = report.interfaces.each_ref().map(|side| {
            let errors = [
                ("receive_errors", side.receive_errors),
                ("transmit_errors", side.transmit_errors),
            ];
            let mut object = all(side.device.iter().chain(errors));
            object["error"] = side.error.as_ref().map(ToString::to_string).into();
            object
        });
        let [there, back] = report.directions.each_ref().map(|direction| {
            let others = [
                ("late_dropped", direction.late_dropped),
                ("under_way", direction.under_way),
            ];
            all(direction.impairments.iter().copied().chain(others))
        });
        let mut object = json!({
            "kind": kind,
            "seconds": self.started.elapsed().as_secs_f64(),
            "left": left,
            "right": right,
            "left_to_right": there,
            "right_to_left": back,
        });
        for (layer, name, value) in report.router.iter().flat_map(|router| router.iter()) {
            object["router"][layer][name] = value.into();
        }
        object
    }
}

fn all(counters: impl Iterator<Item = (&'static str, u64)>) -> Value {
    counters
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect::<Map<String, Value>>()
        .into()
}
