//! How many ICMP errors may be sent.

use std::hash::Hasher as _;
use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use crate::random::Random;
use crate::time::Instant;

/// Limits of the ICMP errors a stack originates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LimitConfig {
    /// Errors per second over all destinations.
    pub(crate) global_rate: u32,
    /// Most errors at once over all destinations.
    pub(crate) global_burst: u32,
    /// Errors per second to one class of destinations.
    pub(crate) class_rate: u32,
    /// Most errors at once to one class of destinations.
    pub(crate) class_burst: u32,
}

impl Default for LimitConfig {
    fn default() -> Self {
        LimitConfig {
            global_rate: 1000,
            global_burst: 50,
            class_rate: 10,
            class_burst: 10,
        }
    }
}

/// Token buckets for ICMP errors (RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8): one for all
/// and one for each class of destinations.
///
/// A class is a keyed hash of the destination (of its /64 in IPv6), so that the memory is fixed and
/// nobody can choose an address that shares a bucket with a victim. The global bucket takes an
/// unpredictable amount for an error, because who can count exactly when it runs dry can find out
/// which ports answer to somebody else.
pub(crate) struct ErrorLimiter {
    config: LimitConfig,
    key: (u64, u64),
    global: Bucket,
    classes: Box<[Bucket]>,
}

const CLASSES: usize = 256;

impl ErrorLimiter {
    /// Full buckets.
    pub(crate) fn new(config: LimitConfig, random: &mut Random) -> Self {
        ErrorLimiter {
            key: (random.next_u64(), random.next_u64()),
            global: Bucket::full(config.global_burst),
            classes: vec![Bucket::full(config.class_burst); CLASSES].into(),
            config,
        }
    }

    /// Whether an error may be sent to `dst` now; if so it is charged for.
    // req: RFC1812-20, RFC4443-10
    pub(crate) fn allow(&mut self, now: Instant, dst: IpAddr, random: &mut Random) -> bool {
        let class = self.class_of(dst);
        let Some(class) = self.classes.get_mut(class) else {
            return false;
        };
        class.refill(now, self.config.class_rate, self.config.class_burst);
        self.global
            .refill(now, self.config.global_rate, self.config.global_burst);
        if !class.has(1) || !self.global.has(1) {
            return false;
        }
        class.take(1);
        self.global.take(1 + random.below(3));
        true
    }

    fn class_of(&self, dst: IpAddr) -> usize {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        match dst {
            IpAddr::V4(dst) => hasher.write_u32(dst.to_bits()),
            IpAddr::V6(dst) => hasher.write_u64((dst.to_bits() >> 64) as u64),
        }
        (hasher.finish() % CLASSES as u64) as usize
    }
}

/// Tokens in billionths, so that a refill needs no division and loses nothing.
#[derive(Clone, Copy)]
struct Bucket {
    level: u64,
    refilled: Instant,
}

const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    fn full(burst: u32) -> Self {
        Bucket {
            level: u64::from(burst) * TOKEN,
            refilled: Instant::ZERO,
        }
    }

    fn refill(&mut self, now: Instant, rate: u32, burst: u32) {
        let passed = now.since(self.refilled).min(Duration::from_secs(3600));
        let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        let gained = passed.saturating_mul(u64::from(rate));
        self.level = self
            .level
            .saturating_add(gained)
            .min(u64::from(burst) * TOKEN);
        self.refilled = self.refilled.max(now);
    }

    fn has(&self, tokens: u32) -> bool {
        self.level >= u64::from(tokens) * TOKEN
    }

    fn take(&mut self, tokens: u32) {
        self.level = self.level.saturating_sub(u64::from(tokens) * TOKEN);
    }
}

#[cfg(test)]
mod tests;
