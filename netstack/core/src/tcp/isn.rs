//! Initial sequence numbers and timestamp offsets that nobody off the path can guess
//! (RFC 6528; RFC 7323, 5.4).

use super::flow::FlowKey;
use super::seq::Seq;
use crate::Instant;
use crate::random::Random;
use core::hash::{Hash, Hasher};
use siphasher::sip::SipHasher13;
use smoltcp::wire::IpProtocol;
use std::net::SocketAddr;

/// The secret of one stack.
#[derive(Debug)]
pub(crate) struct Secret {
    key: (u64, u64),
}

impl Secret {
    // req: RFC6528-03
    pub(crate) fn new(random: &mut Random) -> Self {
        Secret {
            key: (random.next_u64(), random.next_u64()),
        }
    }

    /// ISN = M + F(addresses, ports, secret), M a clock of four microseconds (RFC 6528, 3).
    // req: MUST-8, SHLD-1, MUST-9, RFC6528-01, RFC6528-02, U-45
    pub(crate) fn isn(&self, now: Instant, flow: &FlowKey) -> Seq {
        let clock = (now.as_micros() / 4) as u32;
        Seq(clock.wrapping_add(self.hash(flow, b'i') as u32))
    }

    /// What the connection's timestamps are ahead of the clock.
    // req: RFC7323-41
    pub(crate) fn timestamp_offset(&self, flow: &FlowKey) -> u32 {
        self.hash(flow, b't') as u32
    }

    /// What hides the ephemeral ports that this pair of hosts, with the remote port, sees from all others
    /// (RFC 6056, 3.3.4).
    // req: RFC6056-02
    pub(crate) fn port_hash(&self, flow: &FlowKey) -> u64 {
        self.hash(flow, b'p')
    }

    /// The flow label of the packets of a flow: of IPv6, one that is not zero and always the same (RFC 6437, 3).
    // req: RFC8504-03
    pub(crate) fn flow_label(&self, flow: &FlowKey, protocol: IpProtocol) -> u32 {
        if flow.remote().is_ipv4() {
            return 0;
        }
        let mut hasher = self.hasher(flow, b'l');
        hasher.write_u8(protocol.into());
        (hasher.finish() as u32 & 0x000f_ffff).max(1)
    }

    /// What spreads peers over sockets that share a port, so that nobody can choose which one is asked.
    pub(crate) fn group_hash(&self, flow: &FlowKey) -> u64 {
        self.hash(flow, b'g')
    }

    /// What hides the first byte of the SYN cookies for the SYN with the number `irs`.
    pub(crate) fn cookie_mask(&self, flow: &FlowKey, irs: Seq) -> u32 {
        let mut hasher = self.hasher(flow, b'm');
        hasher.write_u32(irs.0);
        hasher.finish() as u32 & 0xff
    }

    /// The 24 bits that only this stack can add to a SYN cookie which says `code` in period `count`.
    pub(crate) fn cookie_tag(&self, flow: &FlowKey, irs: Seq, count: u64, code: u32) -> u32 {
        let mut hasher = self.hasher(flow, b'c');
        hasher.write_u32(irs.0);
        hasher.write_u64(count);
        hasher.write_u32(code);
        hasher.finish() as u32 & 0x00ff_ffff
    }

    /// What only this stack can say of both hosts in one period: a Fast Open cookie.
    pub(crate) fn fast_open_hash(&self, period: u64, flow: &FlowKey) -> u64 {
        let hosts = FlowKey::new(
            SocketAddr::new(flow.local().ip(), 0),
            SocketAddr::new(flow.remote().ip(), 0),
        );
        let mut hasher = self.hasher(&hosts, b'f');
        hasher.write_u64(period);
        hasher.finish()
    }

    // req: RFC6528-04
    fn hash(&self, flow: &FlowKey, purpose: u8) -> u64 {
        self.hasher(flow, purpose).finish()
    }

    fn hasher(&self, flow: &FlowKey, purpose: u8) -> SipHasher13 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        flow.hash(&mut hasher);
        hasher.write_u8(purpose);
        hasher
    }
}
