//! Cursors over spans and vectors, for either direction.

use std::collections::VecDeque;
use std::io::IoSliceMut;

use proptest::prelude::*;
use txbuf::{IovIter, OutOfRange, Part, Span};

use crate::{Op, World};

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let n = || 0_usize..400;
    let which = || 0_usize..64;
    prop_oneof![
        (which(), n(), n()).prop_map(|(i, skip, n)| Op::CopyFrom(i, skip, n)),
        (which(), which(), n()).prop_map(|(a, b, max)| Op::TakeSpans(a, b, max)),
        (which(), n(), n()).prop_map(|(i, a, b)| Op::PutInto(i, a, b)),
        (which(), which(), n()).prop_map(|(a, b, max)| Op::Collect(a, b, max)),
    ]
}

impl World {
    pub(crate) fn apply_cursor(&mut self, op: Op) -> Option<()> {
        match op {
            Op::CopyFrom(which, skip, n) => self.copy_from(which, skip, n),
            Op::TakeSpans(a, b, max) => self.take_spans(a, b, max),
            Op::PutInto(which, a, b) => self.put_into(which, a, b),
            Op::Collect(a, b, max) => self.collect(a, b, max),
            _ => None,
        }
    }

    /// Moves over `skip` bytes of plain ones and a span, copies `n`, goes back, and copies
    /// again.
    fn copy_from(&mut self, which: usize, skip: usize, n: usize) -> Option<()> {
        let (span, bytes) = &self.spans[self.span(which)?];
        let front = [0x55_u8; 30];
        let parts = [Part::Bytes(&front), Part::Span(span.clone())];
        let all = [&front[..], bytes].concat();
        let readable = span.is_readable();
        let mut iter = IovIter::parts(&parts);
        assert_eq!((iter.remaining(), iter.plain()), (all.len(), 30));
        let skipped = iter.advance(skip);
        assert_eq!(skipped.is_ok(), skip <= all.len());
        let at = if skipped.is_ok() { skip } else { 0 };
        for _ in 0..2 {
            let mut room = vec![0; n];
            let copied = iter.copy_from(&mut room);
            let wanted = n.min(all.len() - at);
            assert!(copied == wanted || copied < wanted && !readable);
            assert_eq!(room[..copied], all[at..at + copied]);
            assert_eq!(
                (iter.done(), iter.remaining()),
                (at + copied, all.len() - at - copied)
            );
            assert_eq!(iter.revert(at + copied + 1), Err(OutOfRange));
            assert_eq!(iter.revert(copied), Ok(()));
        }
        Some(())
    }

    /// Takes a queue of two spans apart at `max` bytes, gives the last piece back, and
    /// takes it again.
    fn take_spans(&mut self, a: usize, b: usize, max: usize) -> Option<()> {
        let (a, b) = (self.span(a)?, self.span(b)?);
        let mut queue: VecDeque<Span> = [a, b].map(|i| self.spans[i].0.clone()).into();
        let all = [a, b].map(|i| self.spans[i].1.clone()).concat();
        let mut iter = IovIter::spans(&mut queue);
        let (mut at, mut last) = (0, None);
        while let Some(span) = iter.take_span(max) {
            assert!(span.len() <= max && !span.is_empty());
            assert_eq!(self.device.read(&span), all[at..at + span.len()]);
            iter.put_back(span).unwrap();
            assert_eq!((iter.done(), iter.remaining()), (at, all.len() - at));
            let span = iter.take_span(max).unwrap();
            let bytes = all[at..at + span.len()].to_vec();
            at += span.len();
            last = Some((span, bytes));
        }
        assert_eq!(at, if max == 0 { 0 } else { all.len() });
        let (span, bytes) = last?;
        self.keep(span, bytes);
        Some(())
    }

    /// Puts a span into two vectors of `a` and `b` bytes.
    fn put_into(&mut self, which: usize, a: usize, b: usize) -> Option<()> {
        let (span, bytes) = &self.spans[self.span(which)?];
        let (mut first, mut second) = (vec![0x11; a], vec![0x11; b]);
        let mut vectors = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let mut iter = IovIter::sink(&mut vectors);
        let fits = bytes.len().min(a + b);
        match iter.put_span(span.clone()) {
            Ok(put) => assert_eq!((put, iter.done()), (fits, fits)),
            Err(_) => assert!(!span.is_readable() && iter.done() == 0),
        }
        let put = iter.done();
        assert_eq!(iter.remaining(), a + b - put);
        let all = [first, second].concat();
        assert_eq!(all[..put], bytes[..put]);
        // Beyond what was put nothing is touched, unless a copy was given up.
        assert!(!span.is_readable() || all[put..].iter().all(|&byte| byte == 0x11));
        Some(())
    }

    /// Collects two spans up to `max` bytes, and half of that again.
    fn collect(&mut self, a: usize, b: usize, max: usize) -> Option<()> {
        let (a, b) = (self.span(a)?, self.span(b)?);
        let all = [a, b].map(|i| self.spans[i].1.clone()).concat();
        let mut queue = VecDeque::new();
        let mut iter = IovIter::collect(&mut queue, max);
        for i in [a, b] {
            let fits = self.spans[i].1.len().min(iter.remaining());
            assert_eq!(iter.put_span(self.spans[i].0.clone()), Ok(fits));
        }
        let put = all.len().min(max);
        assert_eq!((iter.done(), iter.remaining()), (put, max - put));
        let back = put / 2;
        iter.revert(back).unwrap();
        let collected = queue.iter().map(|span| self.device.read(span));
        assert_eq!(collected.collect::<Vec<_>>().concat(), all[..put - back]);
        let span = queue.pop_front()?;
        let bytes = all[..span.len()].to_vec();
        self.keep(span, bytes);
        Some(())
    }
}
