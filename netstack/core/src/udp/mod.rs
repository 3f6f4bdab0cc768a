//! UDP (RFC 768): datagrams in and out.

pub(crate) mod input;
pub(crate) mod output;

/// Bytes of a UDP header.
pub(crate) const UDP_HEADER: usize = 8;

/// Where the checksum lies in it.
const CHECKSUM_AT: u16 = 6;
