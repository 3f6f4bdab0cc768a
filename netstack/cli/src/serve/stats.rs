//! The counters, a line each second and all that count at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use drivers::DeviceCounters;
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

    /// The line of this second, from the counters of each shard.
    pub(super) fn line(&mut self, shards: &[Counters], interfaces: &[InterfaceStatus]) -> String {
        let now = self.sample(shards, interfaces);
        let before = std::mem::replace(&mut self.last, now);
        if self.as_json {
            return self.object("second", shards, interfaces).to_string();
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

    /// Every counter that is not zero, by name: of all shards together, and if there are several, of each.
    pub(super) fn summary(
        &self,
        shards: &[Counters],
        interfaces: &[InterfaceStatus],
        captured: Option<CaptureReport>,
    ) -> String {
        if self.as_json {
            let mut object = self.object("total", shards, interfaces);
            if let Some(report) = captured {
                object["capture"] = json!({ "packets": report.written, "bytes": report.bytes, "dropped": report.dropped });
            }
            return format!("{object}\n");
        }
        let mut text = format!("total of {:.1} s\n", self.started.elapsed().as_secs_f64());
        self.list(&mut text, &sum(shards), interfaces, |_| true);
        if let Some(report) = captured {
            let _ = writeln!(text, "  {:<36} {}", "capture packets", report.written);
            let _ = writeln!(text, "  {:<36} {}", "capture dropped", report.dropped);
        }
        for (number, counters) in shards.iter().enumerate().filter(|_| shards.len() > 1) {
            let _ = writeln!(text, "of shard {number}");
            self.list(&mut text, counters, interfaces, |shard| shard == number);
        }
        text
    }

    /// The counters, and those of the queues that are wanted by their shard.
    fn list(
        &self,
        text: &mut String,
        counters: &Counters,
        interfaces: &[InterfaceStatus],
        is_wanted: impl Fn(usize) -> bool,
    ) {
        let device = self.device_of(interfaces, is_wanted);
        for (name, value) in device.iter().filter(|(_, value)| *value > 0) {
            let _ = writeln!(text, "  {:<36} {value}", format!("{} {name}", self.device));
        }
        for (layer, name, value) in counters.iter().filter(|(_, _, value)| *value > 0) {
            let _ = writeln!(text, "  {:<36} {value}", format!("{layer} {name}"));
        }
    }

    /// What the queues of the device count that are wanted by their shard.
    fn device_of(
        &self,
        interfaces: &[InterfaceStatus],
        is_wanted: impl Fn(usize) -> bool,
    ) -> DeviceCounters {
        interfaces
            .iter()
            .filter(|queue| queue.name == self.device && is_wanted(queue.shard))
            .fold(DeviceCounters::default(), |sum, queue| {
                sum.plus(&queue.device)
            })
    }

    fn sample(&self, shards: &[Counters], interfaces: &[InterfaceStatus]) -> Sample {
        let counters = sum(shards);
        let device = self.device_of(interfaces, |_| true);
        Sample {
            at: self.started.elapsed(),
            rx_packets: device.rx_packets,
            rx_bytes: device.rx_bytes,
            tx_packets: device.tx_packets,
            tx_bytes: device.tx_bytes,
            retransmits: counters.tcp.retransmits,
            drops: counters.drops() + device.drops(),
        }
    }

    fn object(&self, kind: &str, shards: &[Counters], interfaces: &[InterfaceStatus]) -> Value {
        let mut object = self.counted(&sum(shards), interfaces, |_| true);
        object["kind"] = kind.into();
        object["seconds"] = self.started.elapsed().as_secs_f64().into();
        if shards.len() > 1 {
            let of_each = shards.iter().enumerate();
            let of_each = of_each.map(|(number, counters)| {
                self.counted(counters, interfaces, |shard| shard == number)
            });
            object["shards"] = of_each.collect();
        }
        object
    }

    /// The counters, and those of the queues that are wanted by their shard, by name.
    fn counted(
        &self,
        counters: &Counters,
        interfaces: &[InterfaceStatus],
        is_wanted: impl Fn(usize) -> bool,
    ) -> Value {
        let mut layers = Map::new();
        for (layer, name, value) in counters.iter() {
            layers.entry(layer).or_insert_with(|| json!({}))[name] = value.into();
        }
        let device = self.device_of(interfaces, is_wanted);
        let device: Map<String, Value> = device
            .iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        json!({ "devices": { self.device.as_str(): device }, "counters": layers })
    }
}

fn sum(shards: &[Counters]) -> Counters {
    let mut sum = Counters::default();
    shards.iter().for_each(|counters| sum.add(counters));
    sum
}
