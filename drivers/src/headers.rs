//! Where the headers of a packet end and its payload begins.

/// The longest headers that are told from payload: IPv4 and TCP, both with all options.
pub(crate) const LONGEST: usize = 120;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// What is found in the first bytes of an IP packet. Nothing of it is checked against the packet's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Headers {
    /// Where the transport header starts, or whatever follows the IP header.
    pub(crate) transport: usize,
    /// Where the payload starts.
    pub(crate) payload: usize,
    /// TCP or UDP, if the packet is one of these and not a fragment; of any other all behind the IP header is payload.
    pub(crate) protocol: Option<u8>,
}

impl Headers {
    /// Reads the headers of a packet of which `byte` gives the first [`LONGEST`] bytes. `None` for what is no IP.
    pub(crate) fn of(byte: impl Fn(usize) -> u8) -> Option<Headers> {
        let (transport, protocol, whole) = match byte(0) >> 4 {
            4 => {
                let whole = byte(6) & 0x3f == 0 && byte(7) == 0;
                (usize::from(byte(0) & 0x0f) * 4, byte(9), whole)
            }
            6 => (40, byte(6), true),
            _ => return None,
        };
        let protocol = Some(protocol).filter(|_| whole);
        let (protocol, length) = match protocol {
            Some(TCP) => (protocol, usize::from(byte(transport + 12) >> 4) * 4),
            Some(UDP) => (protocol, 8),
            _ => (None, 0),
        };
        Some(Headers {
            transport,
            payload: transport + length,
            protocol,
        })
    }
}

#[cfg(test)]
mod tests;
