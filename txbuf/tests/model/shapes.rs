//! Operations that change the shape of spans and packets.

use proptest::prelude::*;

use crate::{Op, World};

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let n = || 0_usize..400;
    let which = || 0_usize..64;
    prop_oneof![
        (which(), which()).prop_map(|(a, b)| Op::AppendTo(a, b)),
        which().prop_map(Op::Linearise),
        which().prop_map(Op::Compact),
        (which(), n()).prop_map(|(i, n)| Op::SplitPacket(i, n)),
        (which(), n()).prop_map(|(i, n)| Op::Carve(i, n)),
        (which(), n(), 0_usize..120).prop_map(|(i, n, headers)| Op::Zerocopy(i, n, headers)),
        (which(), 0_usize..160).prop_map(|(i, n)| Op::ExpandHead(i, n)),
        (0_usize..10_000, 1_usize..300, n()).prop_map(|(pos, len, append)| Op::Grow {
            pos,
            len,
            append
        }),
    ]
}

impl World {
    pub(crate) fn apply_shape(&mut self, op: Op) -> Option<()> {
        match op {
            Op::AppendTo(..) | Op::Linearise(_) | Op::Compact(_) => self.apply_to_shape(op),
            Op::Grow { pos, len, append } => self.grow(pos, len, append),
            _ => self.apply_to_packet_shape(op),
        }
    }

    fn apply_to_shape(&mut self, op: Op) -> Option<()> {
        match op {
            Op::AppendTo(a, b) => {
                if self.spans.len() < 2 {
                    return None;
                }
                let (next, more) = self.spans.swap_remove(b % self.spans.len());
                let a = a % self.spans.len();
                let (span, bytes) = &mut self.spans[a];
                match span.append(&self.ledger, next) {
                    Ok(()) => bytes.extend_from_slice(&more),
                    Err(next) => self.spans.push((next, more)),
                }
            }
            Op::Linearise(which) => {
                let i = self.span(which)?;
                let (span, bytes) = &mut self.spans[i];
                if let Ok(linear) = span.linearise(self.lender.arena()) {
                    assert_eq!(linear.contiguous(), Some(&bytes[..]));
                    *span = linear;
                }
            }
            Op::Compact(which) => {
                let i = self.span(which)?;
                let span = &mut self.spans[i].0;
                *span = std::mem::take(span).compact(self.lender.arena());
            }
            _ => {}
        }
        Some(())
    }

    /// Takes a span of the end of the stream, appends, and lets the span grow.
    fn grow(&mut self, pos: usize, len: usize, append: usize) -> Option<()> {
        let (start, end) = (self.chain.start(), self.chain.end());
        let pos = start + pos as u64 % (end - start + 1);
        let mut span = self.chain.span(pos, len);
        let bytes = self.fresh(append);
        let done = self.chain.append(&bytes).unwrap_or(0);
        self.history.extend_from_slice(&bytes[..done]);
        let before = span.len();
        let grown = self.chain.grow_span(&mut span, pos, len + append);
        assert_eq!(span.len(), before + grown);
        assert!(grown == 0 || span.len() <= len + append);
        let pos = pos as usize;
        let expected = self.history[pos..pos + span.len()].to_vec();
        self.keep(span, expected);
        Some(())
    }

    fn apply_to_packet_shape(&mut self, op: Op) -> Option<()> {
        let (Op::SplitPacket(which, n)
        | Op::Carve(which, n)
        | Op::Zerocopy(which, n, _)
        | Op::ExpandHead(which, n)) = op
        else {
            return None;
        };
        let i = self.packet(which)?;
        let (packet, bytes) = &mut self.packets[i];
        let fits = n <= bytes.len();
        let made = match op {
            Op::SplitPacket(..) => {
                let back = packet.split_off(n);
                assert_eq!(back.is_ok(), fits);
                Some((back.ok()?, bytes.split_off(n)))
            }
            Op::Carve(..) => {
                assert_eq!(packet.carve(n).is_ok(), fits);
                bytes.drain(..n.min(bytes.len()) * usize::from(fits));
                None
            }
            Op::Zerocopy(_, _, headers) => {
                let copy = packet.zerocopy(n, headers).ok()?;
                assert!(copy.headers().len() >= headers);
                Some((copy, bytes[..n].to_vec()))
            }
            _ => {
                let _ = packet.expand_head(n);
                None
            }
        };
        if self.packets.len() < 10 {
            self.packets.extend(made);
        }
        Some(())
    }
}
