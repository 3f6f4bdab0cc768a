//! Reports of made-up samples.

use super::{Machine, Report, Skipped};
use crate::case::Pin;
use crate::row::Row;
use crate::{Core, Cpu, Latency, Options, Sample};

/// A report of these rows.
pub(crate) fn report(rows: Vec<Row>) -> Report {
    let options = Options {
        rounds: 3,
        seconds: 2.0,
        cases: Vec::new(),
        subjects: Vec::new(),
        pins: Vec::new(),
        peers: "peers".into(),
    };
    let skipped = vec![Skipped {
        subject: "gvisor",
        why: "it is not <here>".to_owned(),
    }];
    let mut report = Report::new(&options, skipped);
    report.machine = Machine {
        processor: "Abacus".to_owned(),
        cores: 2,
        kernel: "6.18".to_owned(),
    };
    report.finish(rows);
    report
}

/// A row of samples with these rates, each of 2 s, of 8 MiB, and with a latency that fits.
pub(crate) fn row(
    case: &'static str,
    pin: Pin,
    subject: &'static str,
    is_bulk: bool,
    rates: &[f64],
) -> Row {
    let sample = |rate: &f64| Sample {
        rate: *rate,
        seconds: 2.0,
        bytes: if is_bulk {
            (rate * 2e9 / 8.0) as u64
        } else {
            (rate * 2.0 * 1500.0) as u64
        },
        operations: if is_bulk { 0 } else { (rate * 2.0) as u64 },
        errors: 0,
        latency: (!is_bulk && !case.starts_with("fwd-")).then_some(Latency {
            p50: 1e6 / rate,
            p99: 2e6 / rate,
            p999: 3e6 / rate,
        }),
        subject: Cpu {
            user: 0.5,
            system: 1.0,
        },
        client: Cpu {
            user: 0.1,
            system: 0.9,
        },
        cores: vec![
            Core {
                user: 0.3,
                system: 0.7,
                interrupts: 0.0,
                stolen: 0.0,
            },
            Core {
                user: 0.0,
                system: 0.35,
                interrupts: 0.05,
                stolen: 0.0,
            },
        ],
        peak_kib: 8 << 10,
        dropped: 3,
        retransmits: 1,
    };
    Row {
        case,
        about: "a case",
        pin,
        subject,
        is_bulk,
        is_forwarding: case.starts_with("fwd-"),
        samples: rates.iter().map(sample).collect(),
        medians: None,
    }
}
