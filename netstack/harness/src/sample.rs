//! What one measurement found.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::probe::{Core, Cpu};

/// One measurement of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Gbit/s of payload, or operations for each second.
    pub rate: f64,
    /// How long it was measured.
    pub seconds: f64,
    /// Bytes of payload, both ways.
    pub bytes: u64,
    /// Requests that were answered, or datagrams that arrived.
    pub operations: u64,
    /// Requests that were not answered, and stalls.
    pub errors: u64,
    /// How long requests took.
    pub latency: Option<Latency>,
    /// Processor time of the subject.
    pub subject: Cpu,
    /// Processor time of the client.
    pub client: Cpu,
    /// What each core did.
    pub cores: Vec<Core>,
    /// The most memory that the subject had resident so far, in KiB.
    pub peak_kib: u64,
    /// Packets that the client's device dropped because its queue was full.
    pub dropped: u64,
    /// Segments that the client's kernel sent again.
    pub retransmits: u64,
}

/// How long requests took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// 999 of 1000 took no longer.
    pub p999: f64,
}

impl Latency {
    /// Of times in nanoseconds.
    pub(crate) fn of(times: &Histogram<u64>) -> Latency {
        let micros = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        Latency {
            p50: micros(0.5),
            p99: micros(0.99),
            p999: micros(0.999),
        }
    }
}

impl Sample {
    /// Seconds of the subject's time in user and kernel mode for a gigabyte of bulk, or microseconds for each request.
    pub fn cost(&self, is_bulk: bool) -> Cpu {
        let scale = self.scale(is_bulk);
        Cpu {
            user: self.subject.user * scale,
            system: self.subject.system * scale,
        }
    }

    /// The client's time in either mode, in the same unit.
    pub fn client_cost(&self, is_bulk: bool) -> f64 {
        self.client.total() * self.scale(is_bulk)
    }

    /// The part of all cores' time that neither subject nor client nor interrupts have used, and what the hypervisor
    /// gave to somebody else: what disturbed the measurement, and the kernel's own threads.
    pub fn others(&self) -> f64 {
        let sum = |part: &dyn Fn(&Core) -> f64| self.cores.iter().map(part).sum::<f64>();
        let busy = sum(&|core| core.user + core.system) * self.seconds;
        let known = self.subject.total() + self.client.total();
        let all = self.seconds * self.cores.len().max(1) as f64;
        ((busy - known).max(0.0) + sum(&|core| core.stolen) * self.seconds) / all
    }

    fn scale(&self, is_bulk: bool) -> f64 {
        if is_bulk {
            1e9 / self.bytes.max(1) as f64
        } else {
            1e6 / self.operations.max(1) as f64
        }
    }
}
