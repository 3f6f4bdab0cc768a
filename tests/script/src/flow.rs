//! The connection that a script plays, and how its numbers stand to those on the wire.
//!
//! A script counts from initial sequence numbers of its own choice. The side that the script plays uses its numbers as
//! they are; those of the host are shifted by the difference that its SYN shows. Timestamps of the host are learned one
//! by one: whatever the host sent where the script says `TS val 100` is 100 from then on.

use std::collections::HashMap;
use std::mem;
use std::net::SocketAddr;

use crate::ast::TcpOption;

/// The ports of the side that the script plays when it is a client.
pub(crate) const FIRST_REMOTE_PORT: u16 = 40_000;

/// By how many ticks a timestamp is only late and not another one.
const LATE_TICKS: u32 = 10;

/// One conversation.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// The host's end; port 0 until it is known.
    pub(crate) local: SocketAddr,
    /// The script's end.
    pub(crate) remote: SocketAddr,
    /// The host's initial sequence number: the script's, and the real one.
    isn: Option<(u32, u32)>,
    /// The script's own.
    remote_isn: Option<u32>,
    clock: HashMap<u32, u32>,
    /// How many timestamps were some ticks later than they should have been, since that was asked.
    late_ticks: usize,
    last: Option<(u32, u32)>,
    /// Identifications of the host, by what the script calls them.
    ids: HashMap<u32, u32>,
    /// The flow label that the host chose.
    label: Option<u32>,
}

impl Flow {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> Flow {
        Flow {
            local,
            remote,
            isn: None,
            remote_isn: None,
            clock: HashMap::new(),
            late_ticks: 0,
            last: None,
            ids: HashMap::new(),
            label: None,
        }
    }

    /// The host sent its SYN.
    pub(crate) fn learn_isn(&mut self, script: u32, live: u32) {
        self.isn = Some((script, live));
    }

    /// The script sent its SYN.
    pub(crate) fn note_remote_isn(&mut self, script: u32) {
        self.remote_isn = Some(script);
    }

    /// A number of the host's side as it is on the wire.
    pub(crate) fn to_live(&self, script: u32) -> u32 {
        let (of_script, of_live) = self.isn.unwrap_or_default();
        script.wrapping_sub(of_script).wrapping_add(of_live)
    }

    /// A number of the host's side as the script counts.
    pub(crate) fn to_script(&self, live: u32) -> u32 {
        let (of_script, of_live) = self.isn.unwrap_or_default();
        live.wrapping_sub(of_live).wrapping_add(of_script)
    }

    /// The place in the host's stream of the byte with this number.
    pub(crate) fn host_place(&self, script: u32) -> u64 {
        let isn = self.isn.map_or(0, |(isn, _)| isn);
        u64::from(script.wrapping_sub(isn).wrapping_sub(1))
    }

    /// The place in the script's stream of the byte with this number.
    pub(crate) fn script_place(&self, script: u32) -> u64 {
        let isn = self.remote_isn.unwrap_or_default();
        u64::from(script.wrapping_sub(isn).wrapping_sub(1))
    }

    /// The host sent `live` where the script says `script`. Returns what it should have sent, if that was learned
    /// before and is something else.
    pub(crate) fn learn_clock(&mut self, script: u32, live: u32) -> Option<u32> {
        self.last = Some((script, live));
        let known = *self.clock.entry(script).or_insert(live);
        self.late_ticks += usize::from((1..=LATE_TICKS).contains(&live.wrapping_sub(known)));
        (known != live).then_some(known)
    }

    /// The host sent the identification `live` where the script says `script`. Returns what is wrong with that: one
    /// name is one number, and another name another one.
    pub(crate) fn learn_id(&mut self, script: u32, live: u32) -> Option<String> {
        let same = self.ids.iter().find(|(_, known)| **known == live);
        if let Some((name, _)) = same.filter(|(name, _)| **name != script) {
            return Some(format!(
                "its identification is the one that was {name} before"
            ));
        }
        let known = *self.ids.entry(script).or_insert(live);
        (known != live).then(|| {
            format!("its identification is not the one that was {script} before: {live}, and not {known}")
        })
    }

    /// The host chose the flow label `live`. Returns what is wrong with it: it is zero, or not that of packets before.
    pub(crate) fn learn_label(&mut self, live: u32) -> Option<String> {
        let known = *self.label.get_or_insert(live);
        if live == 0 {
            return Some("it has no flow label".into());
        }
        (known != live).then(|| format!("its flow label is {live:#x}, and was {known:#x} before"))
    }

    /// How many timestamps were a little late since the last call: of a host in real time the clock goes on between two
    /// packets that the script has at one time.
    pub(crate) fn take_late_ticks(&mut self) -> usize {
        mem::take(&mut self.late_ticks)
    }

    /// A timestamp of the host as the script would have to echo it.
    pub(crate) fn clock_to_live(&self, script: u32) -> u32 {
        match (self.clock.get(&script), self.last) {
            (Some(live), _) => *live,
            (None, Some((of_script, of_live))) if script != 0 => {
                script.wrapping_sub(of_script).wrapping_add(of_live)
            }
            _ => script,
        }
    }

    /// A timestamp of the host as the script counts, as far as that is known.
    pub(crate) fn clock_to_script(&self, live: u32) -> u32 {
        match self.last {
            Some((of_script, of_live)) => live.wrapping_sub(of_live).wrapping_add(of_script),
            None => live,
        }
    }

    /// Options that the script sends, with what is the host's in them shifted.
    pub(crate) fn options_to_live(&self, options: &[TcpOption]) -> Vec<TcpOption> {
        let shifted = options.iter().map(|option| match option {
            TcpOption::Sack(blocks) => {
                let edges = blocks.iter();
                TcpOption::Sack(
                    edges
                        .map(|(left, right)| (self.to_live(*left), self.to_live(*right)))
                        .collect(),
                )
            }
            TcpOption::Timestamps { val, ecr } => TcpOption::Timestamps {
                val: *val,
                ecr: self.clock_to_live(*ecr),
            },
            other => other.clone(),
        });
        shifted.collect()
    }
}
