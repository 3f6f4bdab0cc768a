//! TCP options as bytes.

use crate::ast::TcpOption;

const EOL: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const SCALE: u8 = 3;
const SACK_OK: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const USER_TIMEOUT: u8 = 28;
const FAST_OPEN: u8 = 34;
const EXPERIMENT: u8 = 254;
/// What tells this experiment from others (RFC 7413, 4.1.1).
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

impl TcpOption {
    /// Bytes that the option fills.
    pub(crate) fn size(&self) -> usize {
        match self {
            TcpOption::Eol | TcpOption::Nop => 1,
            TcpOption::Mss(_) => 4,
            TcpOption::Scale(_) => 3,
            TcpOption::SackOk => 2,
            TcpOption::Sack(blocks) => 2 + 8 * blocks.len(),
            TcpOption::Timestamps { .. } => 10,
            TcpOption::Raw(bytes) => bytes.len(),
            TcpOption::FastOpen(cookie) => 2 + cookie.len(),
            TcpOption::FastOpenExperiment(cookie) => 4 + cookie.len(),
        }
    }

    /// Appends the option to a header.
    pub(super) fn write(&self, header: &mut Vec<u8>) {
        let size = u8::try_from(self.size()).unwrap_or(u8::MAX);
        match self {
            TcpOption::Eol => header.push(EOL),
            TcpOption::Nop => header.push(NOP),
            TcpOption::Mss(mss) => {
                header.extend([MSS, size]);
                header.extend(mss.to_be_bytes());
            }
            TcpOption::Scale(shift) => header.extend([SCALE, size, *shift]),
            TcpOption::SackOk => header.extend([SACK_OK, size]),
            TcpOption::Sack(blocks) => {
                header.extend([SACK, size]);
                for (left, right) in blocks {
                    header.extend(left.to_be_bytes());
                    header.extend(right.to_be_bytes());
                }
            }
            TcpOption::Timestamps { val, ecr } => {
                header.extend([TIMESTAMPS, size]);
                header.extend(val.to_be_bytes());
                header.extend(ecr.to_be_bytes());
            }
            TcpOption::Raw(bytes) => header.extend(bytes),
            TcpOption::FastOpen(cookie) => {
                header.extend([FAST_OPEN, size]);
                header.extend(cookie);
            }
            TcpOption::FastOpenExperiment(cookie) => {
                header.extend([EXPERIMENT, size]);
                header.extend(FAST_OPEN_MAGIC);
                header.extend(cookie);
            }
        }
    }
}

/// Reads the options of a header; says what is wrong with them.
pub(super) fn read(mut bytes: &[u8]) -> Result<Vec<TcpOption>, String> {
    let mut options = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        match *kind {
            EOL => {
                // What follows is padding; each byte is shown, as a script writes it.
                options.push(TcpOption::Eol);
                bytes = rest;
                continue;
            }
            NOP => {
                options.push(TcpOption::Nop);
                bytes = rest;
                continue;
            }
            _ => {}
        }
        let len = usize::from(rest.first().copied().unwrap_or(0));
        let Some(body) = bytes.get(2..len) else {
            return Err(format!("option {kind} has a wrong length of {len} bytes"));
        };
        options.push(one(*kind, body)?);
        bytes = bytes.get(len..).unwrap_or_default();
    }
    Ok(options)
}

fn one(kind: u8, body: &[u8]) -> Result<TcpOption, String> {
    let word = |at: usize| -> u32 {
        let bytes = body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        u32::from_be_bytes(bytes.unwrap_or_default())
    };
    Ok(match (kind, body) {
        (MSS, [high, low]) => TcpOption::Mss(u16::from_be_bytes([*high, *low])),
        (SCALE, [shift]) => TcpOption::Scale(*shift),
        (SACK_OK, []) => TcpOption::SackOk,
        (SACK, blocks) if blocks.len() % 8 == 0 => {
            let starts = (0..blocks.len()).step_by(8);
            TcpOption::Sack(starts.map(|at| (word(at), word(at + 4))).collect())
        }
        (TIMESTAMPS, [_, _, _, _, _, _, _, _]) => TcpOption::Timestamps {
            val: word(0),
            ecr: word(4),
        },
        (USER_TIMEOUT, [high, low]) => TcpOption::Raw(vec![USER_TIMEOUT, 4, *high, *low]),
        (FAST_OPEN, cookie) => TcpOption::FastOpen(cookie.to_vec()),
        (EXPERIMENT, [0xf9, 0x89, cookie @ ..]) => TcpOption::FastOpenExperiment(cookie.to_vec()),
        _ => {
            return Err(format!(
                "option {kind} with {} bytes is not known",
                body.len()
            ));
        }
    })
}
