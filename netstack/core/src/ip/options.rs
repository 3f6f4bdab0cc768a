//! The options of IPv4 headers and of IPv6 option headers.

/// What is wrong with the options of an IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum V4OptionProblem {
    /// A length below 2 or past the end of the header; the option's position in the options.
    BadLength(usize),
    /// A loose or strict source route (RFC 7126 section 4.3: dropped by default).
    SourceRoute,
}

/// Walks the options of an IPv4 header. Those it does not know are ignored (RFC 1122 section
/// 3.2.1.8); so are the timestamp, record route and the obsolete stream identifier.
pub(crate) fn check_v4(options: &[u8]) -> Result<(), V4OptionProblem> {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        match kind {
            V4_END => break,
            V4_NOP => at += 1,
            V4_LOOSE_ROUTE | V4_STRICT_ROUTE => return Err(V4OptionProblem::SourceRoute),
            _ => {
                let len = options.get(at + 1).copied().map_or(0, usize::from);
                if len < 2 || at + len > options.len() {
                    return Err(V4OptionProblem::BadLength(at));
                }
                at += len;
            }
        }
    }
    Ok(())
}

/// Copies to `out` the options that a fragment after the first must repeat: those with the copy bit
/// (RFC 791 section 3.1), padded with zeros to a multiple of 4. Returns how many bytes that is.
///
/// `out` must be as long as `options`, which has passed [`check_v4`].
pub(crate) fn copied_v4(options: &[u8], out: &mut [u8]) -> usize {
    let (mut at, mut len) = (0, 0);
    while let Some(&kind) = options.get(at) {
        let size = match kind {
            V4_END => break,
            V4_NOP => 1,
            _ => options.get(at + 1).copied().map_or(0, usize::from).max(2),
        };
        let copied = kind & V4_COPY_BIT != 0;
        if copied
            && let (Some(from), Some(to)) =
                (options.get(at..at + size), out.get_mut(len..len + size))
        {
            to.copy_from_slice(from);
            len += size;
        }
        at += size;
    }
    let padded = len.next_multiple_of(4).min(out.len());
    if let Some(pad) = out.get_mut(len..padded) {
        pad.fill(V4_END);
    }
    padded
}

/// Whether a router alert (RFC 2113) is among the options of an IPv4 header, which have passed [`check_v4`].
pub(crate) fn has_alert_v4(options: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        match kind {
            V4_END => return false,
            V4_ALERT => return true,
            V4_NOP => at += 1,
            _ => at += options.get(at + 1).copied().map_or(2, usize::from).max(2),
        }
    }
    false
}

/// Whether a router alert (RFC 2711) is among the options of an IPv6 header, which have passed [`check_v6`].
pub(crate) fn has_alert_v6(options: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        match kind {
            V6_ROUTER_ALERT => return true,
            V6_PAD1 => at += 1,
            _ => at += 2 + options.get(at + 1).copied().map_or(0, usize::from),
        }
    }
    false
}

/// What an IPv6 option that this host does not know asks for (RFC 8200 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum V6OptionProblem {
    /// An option runs past the end of its header.
    BadLength,
    /// The packet is to be dropped without a word.
    Discard,
    /// Dropped, and reported, with the option's position in the options; to a packet sent to a
    /// multicast address too if `even_multicast`.
    Report {
        /// Position of the option type.
        at: usize,
        /// Whether a multicast destination does not stop the report.
        even_multicast: bool,
    },
}

/// Walks the options of an IPv6 hop-by-hop or destination options header, in their order.
pub(crate) fn check_v6(options: &[u8]) -> Result<(), V6OptionProblem> {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        if kind == V6_PAD1 {
            at += 1;
            continue;
        }
        let len = options
            .get(at + 1)
            .copied()
            .map(usize::from)
            .ok_or(V6OptionProblem::BadLength)?;
        if at + 2 + len > options.len() {
            return Err(V6OptionProblem::BadLength);
        }
        if !matches!(kind, V6_PADN | V6_ROUTER_ALERT) {
            match kind >> 6 {
                0b00 => {}
                0b01 => return Err(V6OptionProblem::Discard),
                action => {
                    return Err(V6OptionProblem::Report {
                        at,
                        even_multicast: action == 0b10,
                    });
                }
            }
        }
        at += 2 + len;
    }
    Ok(())
}

const V4_END: u8 = 0;
const V4_NOP: u8 = 1;
const V4_LOOSE_ROUTE: u8 = 131;
const V4_STRICT_ROUTE: u8 = 137;
const V4_ALERT: u8 = 148;
const V4_COPY_BIT: u8 = 0x80;

const V6_PAD1: u8 = 0;
const V6_PADN: u8 = 1;
const V6_ROUTER_ALERT: u8 = 5;

#[cfg(test)]
mod tests;
