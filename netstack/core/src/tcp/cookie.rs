//! SYN cookies (RFC 4987, 3.6): a SYN-ACK that carries what a half-open connection would remember, so that nothing
//! has to be.
//!
//! The initial sequence number is a byte with the time and the segment size, hidden by a mask, and 24 bits of a keyed
//! hash over everything. Window scale, SACK and ECN travel in the low bits of the timestamp, which the peer echoes;
//! without timestamps they are not agreed on.

use super::TcpConfig;
use super::flow::FlowKey;
use super::handshake::{Agreed, Origin, Request, syn_window};
use super::isn::Secret;
use super::segment::Segment;
use super::seq::Seq;
use crate::Instant;
use core::time::Duration;

/// The clock of cookies. One is good in the period in which it was made and in the next.
const PERIOD: Duration = Duration::from_secs(64);
/// How long a cookie may be good.
pub(crate) const LIFETIME: Duration = Duration::from_secs(128);

/// The segment sizes that a cookie can say, as an index. What a peer names is rounded down.
const SIZES: [u16; 8] = [64, 536, 1220, 1360, 1420, 1440, 1460, 8940];

/// How many bits of a timestamp carry options.
const OPTION_BITS: u32 = 6;
const OPTION_MASK: u32 = (1 << OPTION_BITS) - 1;
const SCALE_MASK: u32 = 0x0f;
/// In place of a window scale: there is none.
const NO_SCALE: u32 = 0x0f;
const SACK: u32 = 0x10;
const ECN: u32 = 0x20;
/// In place of all options: there are no timestamps that could carry them.
const NO_TIMESTAMPS: u32 = 1 << OPTION_BITS;

/// The SYN-ACK for the SYN that said `agreed`; nothing of either has to be kept.
// req: RFC4987-01, RFC4987-02, RFC4987-03, RFC4987-05
pub(crate) fn syn_ack(
    secret: &Secret,
    now: Instant,
    origin: Origin,
    mut agreed: Agreed,
    config: &TcpConfig,
) -> Segment {
    if agreed.timestamp.is_none() {
        (agreed.scale, agreed.sack, agreed.ecn) = (None, false, false);
    }
    let code = Code {
        count: count(now),
        size: SIZES.partition_point(|size| *size <= agreed.mss).max(1) - 1,
        options: options_of(&agreed),
    };
    let iss = code.seal(secret, &origin.flow, agreed.irs);
    let mut segment = Request::new(Origin { iss, ..origin }, agreed, now, config).syn_ack(now);
    if let Some(timestamps) = &mut segment.options.timestamps {
        // At the clock or behind it: the connection's timestamps go on from the clock.
        let carrying = timestamps.val & !OPTION_MASK | code.options;
        let ahead = carrying.wrapping_sub(timestamps.val) as i32 > 0;
        timestamps.val = carrying.wrapping_sub(if ahead { 1 << OPTION_BITS } else { 0 });
    }
    segment
}

/// What the handshake agreed on that `segment`, its third, completes: our ISS, and what the SYN said. `None` when it
/// acknowledges no cookie, or one that is too old.
// req: RFC4987-01, RFC4987-02
pub(crate) fn open(
    secret: &Secret,
    now: Instant,
    flow: &FlowKey,
    segment: &Segment,
    config: &TcpConfig,
) -> Option<(Seq, Agreed)> {
    let (iss, irs) = (segment.ack - 1, segment.seq - 1);
    let timestamps = segment.options.timestamps.filter(|_| config.timestamps);
    let options = timestamps.map_or(NO_TIMESTAMPS, |echo| echo.ecr & OPTION_MASK);
    let code = Code::unseal(secret, now, flow, irs, iss, options)?;
    let carried = |bit| timestamps.is_some() && options & bit != 0;
    let scale = Some(options & SCALE_MASK).filter(|scale| *scale != NO_SCALE);
    let agreed = Agreed {
        irs,
        mss: SIZES[code.size],
        scale: scale
            .filter(|_| timestamps.is_some())
            .map(|scale| scale as u8),
        sack: carried(SACK),
        timestamp: timestamps.map(|timestamps| timestamps.val),
        timestamp_offset: secret.timestamp_offset(flow),
        ecn: carried(ECN),
        window: syn_window(config),
    };
    Some((iss, agreed))
}

fn options_of(agreed: &Agreed) -> u32 {
    if agreed.timestamp.is_none() {
        return NO_TIMESTAMPS;
    }
    let scale = agreed.scale.map_or(NO_SCALE, u32::from);
    let bit = |bit, set| if set { bit } else { 0 };
    scale | bit(SACK, agreed.sack) | bit(ECN, agreed.ecn)
}

fn count(now: Instant) -> u64 {
    now.as_nanos() / PERIOD.as_nanos() as u64
}

/// What a cookie says.
struct Code {
    /// The period in which it was made.
    count: u64,
    /// An index of [`SIZES`].
    size: usize,
    options: u32,
}

impl Code {
    fn seal(&self, secret: &Secret, flow: &FlowKey, irs: Seq) -> Seq {
        let plain = (self.count as u32 & 31) << 3 | self.size as u32;
        let top = plain ^ secret.cookie_mask(flow, irs);
        Seq(top << 24 | self.tag(secret, flow, irs))
    }

    fn unseal(
        secret: &Secret,
        now: Instant,
        flow: &FlowKey,
        irs: Seq,
        iss: Seq,
        options: u32,
    ) -> Option<Code> {
        let plain = iss.0 >> 24 ^ secret.cookie_mask(flow, irs);
        let current = count(now);
        let age = (current as u32).wrapping_sub(plain >> 3) & 31;
        let code = Code {
            count: current.checked_sub(u64::from(age)).filter(|_| age <= 1)?,
            size: (plain & 7) as usize,
            options,
        };
        (code.tag(secret, flow, irs) == iss.0 & 0x00ff_ffff).then_some(code)
    }

    fn tag(&self, secret: &Secret, flow: &FlowKey, irs: Seq) -> u32 {
        secret.cookie_tag(flow, irs, self.count, self.size as u32 | self.options << 8)
    }
}

#[cfg(test)]
mod tests;
