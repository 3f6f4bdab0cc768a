//! A TCP segment and its options, read byte by byte.

use etherparse::TcpHeaderSlice;

use super::seq::Seq;

/// A TCP header taken apart.
#[derive(Clone)]
pub(crate) struct Segment<'a> {
    pub(crate) ports: (u16, u16),
    pub(crate) seq: Seq,
    pub(crate) ack_number: Seq,
    pub(crate) flags: Flags,
    pub(crate) reserved: u8,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) checksum: u16,
    pub(crate) header_len: usize,
    pub(crate) options: Options,
    /// What was captured of the payload.
    pub(crate) payload: &'a [u8],
    /// The payload's length on the wire.
    pub(crate) len: u32,
}

/// The nine flags, and those of them that are read most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) fin: bool,
    pub(crate) syn: bool,
    pub(crate) rst: bool,
    pub(crate) psh: bool,
    pub(crate) ack: bool,
    pub(crate) urg: bool,
    pub(crate) ece: bool,
    pub(crate) cwr: bool,
    pub(crate) ae: bool,
}

/// At most so many SACK blocks fit into the options.
pub(crate) const SACK_BLOCKS: usize = 4;

/// What the options say. `fault` is the first thing wrong with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) mss: Option<u16>,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack_permitted: bool,
    pub(crate) timestamps: Option<Timestamps>,
    /// The length of the Fast Open cookie; zero asks for one.
    pub(crate) fast_open: Option<usize>,
    sack: [(Seq, Seq); SACK_BLOCKS],
    sack_count: usize,
    /// The length of a SACK option that no number of blocks gives.
    pub(crate) odd_sack: Option<usize>,
    pub(crate) fault: Option<Fault>,
}

/// A timestamps option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamps {
    pub(crate) value: u32,
    pub(crate) echo: u32,
}

/// What is wrong with the bytes of the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A length of less than two, or beyond the header.
    Length { kind: u8, length: usize },
    /// A kind whose length is fixed has another.
    Fixed { kind: u8, length: usize },
    /// Something other than zero after the end of the list.
    Tail,
}

impl Options {
    pub(crate) fn sack(&self) -> &[(Seq, Seq)] {
        &self.sack[..self.sack_count]
    }

    /// Walks the bytes after the fixed header.
    pub(crate) fn walk(bytes: &[u8]) -> Options {
        let mut options = Options::default();
        let mut rest = bytes;
        while let Some((&kind, after)) = rest.split_first() {
            match kind {
                0 => {
                    if after.iter().any(|&byte| byte != 0) {
                        options.fault = Some(Fault::Tail);
                    }
                    break;
                }
                1 => rest = after,
                _ => {
                    let length = usize::from(after.first().copied().unwrap_or(0));
                    let Some(body) = rest.get(2..length) else {
                        options.fault = Some(Fault::Length { kind, length });
                        break;
                    };
                    options.take(kind, body);
                    rest = &rest[length..];
                }
            }
        }
        options
    }

    fn take(&mut self, kind: u8, body: &[u8]) {
        let word = |at: usize| {
            body.get(at..at + 4)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(0, u32::from_be_bytes)
        };
        match (kind, body.len()) {
            (2, 2) => self.mss = Some(u16::from_be_bytes([body[0], body[1]])),
            (3, 1) => self.window_scale = Some(body[0]),
            (4, 0) => self.sack_permitted = true,
            (5, 8 | 16 | 24 | 32) => {
                for at in (0..body.len()).step_by(8) {
                    if let Some(slot) = self.sack.get_mut(self.sack_count) {
                        *slot = (Seq(word(at)), Seq(word(at + 4)));
                        self.sack_count += 1;
                    }
                }
            }
            (5, odd) => self.odd_sack = Some(odd + 2),
            (8, 8) => {
                self.timestamps = Some(Timestamps {
                    value: word(0),
                    echo: word(4),
                });
            }
            (34, cookie) => self.fast_open = Some(cookie),
            (2 | 3 | 4 | 8, length) => {
                self.fault.get_or_insert(Fault::Fixed {
                    kind,
                    length: length + 2,
                });
            }
            _ => {}
        }
    }
}

impl<'a> Segment<'a> {
    /// Takes a segment apart; `wire_len` is the length of the whole segment on the wire.
    pub(crate) fn parse(
        bytes: &'a [u8],
        wire_len: usize,
    ) -> Result<Segment<'a>, etherparse::err::tcp::HeaderSliceError> {
        let header = TcpHeaderSlice::from_slice(bytes)?;
        let header_len = header.slice().len();
        let reserved = header.slice()[12] & 0x0e;
        Ok(Segment {
            ports: (header.source_port(), header.destination_port()),
            seq: Seq(header.sequence_number()),
            ack_number: Seq(header.acknowledgment_number()),
            flags: Flags {
                fin: header.fin(),
                syn: header.syn(),
                rst: header.rst(),
                psh: header.psh(),
                ack: header.ack(),
                urg: header.urg(),
                ece: header.ece(),
                cwr: header.cwr(),
                ae: header.ns(),
            },
            reserved,
            window: header.window_size(),
            urgent: header.urgent_pointer(),
            checksum: header.checksum(),
            header_len,
            options: Options::walk(&bytes[20..header_len]),
            payload: &bytes[header_len..],
            len: u32::try_from(wire_len.saturating_sub(header_len)).unwrap_or(u32::MAX),
        })
    }

    /// Payload and the flags that take a sequence number.
    pub(crate) fn seq_len(&self) -> u32 {
        self.len + u32::from(self.flags.syn) + u32::from(self.flags.fin)
    }

    /// The sequence number after this segment.
    pub(crate) fn end(&self) -> Seq {
        self.seq.plus(self.seq_len())
    }

    /// Acknowledges, and nothing else.
    pub(crate) fn is_pure_ack(&self) -> bool {
        self.flags.ack && !self.flags.rst && self.seq_len() == 0
    }
}

#[cfg(test)]
mod tests;
