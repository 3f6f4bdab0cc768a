//! The counters, a line each second and all that count at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use drivers::tap::CaptureReport;
use netstack::{Counters, InterfaceStatus};
use serde_json::{Map, Value, json};

/// Prints what changed since it was last asked.
pub(super) struct Meter {
    device: String,
    as_json: bool,
    started: Instant,
    last: Sample,
}

/// The counters that make a line.
#[derive(Clone, Copy, Default)]
struct Sample {
    at: Duration,
    rx_packets: u64,
    rx_bytes: u64,
    tx_packets: u64,
    tx_bytes: u64,
    retransmits: u64,
    drops: u64,
}

impl Meter {
    /// Begins to count.
    pub(super) fn start(device: &str, as_json: bool) -> Self {
        Meter {
            device: device.to_owned(),
            as_json,
            started: Instant::now(),
            last: Sample::default(),
        }
    }

    /// The line of this second.
    pub(super) fn line(&mut self, counters: &Counters, interfaces: &[InterfaceStatus]) -> String {
        let now = self.sample(counters, interfaces);
        let before = std::mem::replace(&mut self.last, now);
        if self.as_json {
            return self.object("second", counters, interfaces).to_string();
        }
        let seconds = (now.at - before.at).as_secs_f64().max(1e-3);
        let rate = |now: u64, before: u64| (now - before) as f64 / seconds;
        format!(
            "{:6.1} s  in {:>9.0} packets/s {:>8.3} Gbit/s  out {:>9.0} packets/s {:>8.3} Gbit/s  retransmits {}  drops {}",
            now.at.as_secs_f64(),
            rate(now.rx_packets, before.rx_packets),
            rate(now.rx_bytes, before.rx_bytes) * 8e-9,
            rate(now.tx_packets, before.tx_packets),
            rate(now.tx_bytes, before.tx_bytes) * 8e-9,
            now.retransmits - before.retransmits,
            now.drops - before.drops,
        )
    }

    /// Every counter that is not zero, by name.
    pub(super) fn summary(
        &self,
        counters: &Counters,
        interfaces: &[InterfaceStatus],
        captured: Option<CaptureReport>,
    ) -> String {
        if self.as_json {
            let mut object = self.object("total", counters, interfaces);
            if let Some(report) = captured {
                object["capture"] = json!({ "packets": report.written, "bytes": report.bytes, "dropped": report.dropped });
            }
            return format!("{object}\n");
        }
        let mut text = format!("total of {:.1} s\n", self.started.elapsed().as_secs_f64());
        for interface in interfaces {
            for (name, value) in interface.device.iter().filter(|(_, value)| *value > 0) {
                let _ = writeln!(
                    text,
                    "  {:<36} {value}",
                    format!("{} {name}", interface.name)
                );
            }
        }
        for (layer, name, value) in counters.iter().filter(|(_, _, value)| *value > 0) {
            let _ = writeln!(text, "  {:<36} {value}", format!("{layer} {name}"));
        }
        if let Some(report) = captured {
            let _ = writeln!(text, "  {:<36} {}", "capture packets", report.written);
            let _ = writeln!(text, "  {:<36} {}", "capture dropped", report.dropped);
        }
        text
    }

    fn sample(&self, counters: &Counters, interfaces: &[InterfaceStatus]) -> Sample {
        let mut sample = Sample {
            at: self.started.elapsed(),
            retransmits: counters.tcp.retransmits,
            drops: counters.drops(),
            ..Sample::default()
        };
        for InterfaceStatus { device, .. } in interfaces
            .iter()
            .filter(|interface| interface.name == self.device)
        {
            sample.rx_packets += device.rx_packets;
            sample.rx_bytes += device.rx_bytes;
            sample.tx_packets += device.tx_packets;
            sample.tx_bytes += device.tx_bytes;
            sample.drops += device.drops();
        }
        sample
    }

    fn object(&self, kind: &str, counters: &Counters, interfaces: &[InterfaceStatus]) -> Value {
        let mut layers = Map::new();
        for (layer, name, value) in counters.iter() {
            layers.entry(layer).or_insert_with(|| json!({}))[name] = value.into();
        }
        let devices: Map<String, Value> = interfaces
            .iter()
            .map(|interface| {
                let counters: Map<String, Value> = interface
                    .device
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                (interface.name.clone(), counters.into())
            })
            .collect();
        json!({ "kind": kind, "seconds": self.started.elapsed().as_secs_f64(), "devices": devices, "counters": layers })
    }
}
