//! Memory that the CPU may not read, and reading spans and packets that may have some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use txbuf::{Chain, DeviceMemory, Kind, Packet, Span, Unreadable, checksum};

use crate::{Op, World};

/// A device, which knows what the places hold that it gave away and was not given back.
#[derive(Default)]
pub(crate) struct Device {
    /// Where the next bytes go: no place is used twice.
    next: Mutex<u64>,
    lent: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl DeviceMemory for Device {
    fn provider(&self) -> u64 {
        7
    }

    fn release(&self, offset: u64, len: usize) {
        let released = self.lent.lock().unwrap().remove(&offset);
        assert_eq!(released.map(|bytes| bytes.len()), Some(len));
    }
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    (1_usize..400, any::<bool>()).prop_map(|(len, send)| Op::Device { len, send })
}

impl Device {
    fn lend(&self, bytes: &[u8]) -> u64 {
        let mut next = self.next.lock().unwrap();
        let offset = *next;
        // Places without bytes are places too.
        *next += bytes.len() as u64 + 1;
        self.lent.lock().unwrap().insert(offset, bytes.to_vec());
        offset
    }

    /// Places that were not released, and their bytes.
    pub(crate) fn lent(&self) -> (usize, usize) {
        let lent = self.lent.lock().unwrap();
        (lent.len(), lent.values().map(Vec::len).sum())
    }

    /// The bytes of a span, as a driver of the device finds them.
    pub(crate) fn read(&self, span: &Span) -> Vec<u8> {
        let mut bytes = Vec::new();
        for extent in span.extents() {
            assert!(!extent.is_empty());
            let at = bytes.len();
            match extent.device() {
                Some(place) => {
                    let lent = self.lent.lock().unwrap();
                    let (start, held) = lent.range(..=place.offset).next_back().unwrap();
                    let from = (place.offset - start) as usize;
                    assert_eq!((place.provider, place.len), (7, extent.len()));
                    bytes.extend_from_slice(&held[from..from + place.len]);
                }
                None => {
                    bytes.resize(at + extent.len(), 0);
                    assert_eq!(extent.copy_to(0, &mut bytes[at..]), Ok(extent.len()));
                }
            }
        }
        bytes
    }

    pub(crate) fn read_packet(&self, packet: &Packet) -> Vec<u8> {
        let payload = packet.span().map(|span| self.read(span));
        [packet.headers(), &payload.unwrap_or_default()].concat()
    }
}

/// What of a span the CPU may read is read without the device, and the rest refused.
pub(crate) fn check_span(device: &Device, span: &Span, bytes: &[u8]) {
    assert_eq!(device.read(span), bytes);
    assert_eq!(span.len(), bytes.len());
    let readable = span.extents().all(|extent| extent.kind() != Kind::Device);
    assert_eq!(span.is_readable(), readable);
    if readable {
        assert_eq!(span.to_vec().as_deref(), Ok(bytes));
        assert_eq!(span.checksum(), Ok(checksum::sum(bytes)));
    } else {
        assert_eq!(span.to_vec(), Err(Unreadable));
        assert_eq!(span.checksum(), Err(Unreadable));
    }
}

pub(crate) fn check_packet(device: &Device, packet: &Packet, bytes: &[u8]) {
    assert_eq!(device.read_packet(packet), bytes);
    if packet.span().is_none_or(Span::is_readable) {
        assert_eq!(packet.to_vec().as_deref(), Ok(bytes));
        assert_eq!(packet.checksum(0), Ok(checksum::sum(bytes)));
    } else {
        assert_eq!(packet.to_vec(), Err(Unreadable));
        assert_eq!(packet.checksum(0), Err(Unreadable));
    }
}

/// The chain's bytes from its start on.
pub(crate) fn check_chain(device: &Device, chain: &Chain, history: &[u8]) {
    let mut pos = chain.start() as usize;
    while pos < history.len() {
        let span = chain.span(pos as u64, usize::MAX);
        assert!(!span.is_empty());
        check_span(device, &span, &history[pos..pos + span.len()]);
        pos += span.len();
    }
}

impl World {
    pub(crate) fn apply_device(&mut self, len: usize, send: bool) {
        let bytes = self.fresh(len);
        let offset = self.device.lend(&bytes);
        let memory = Arc::clone(&self.device);
        let span = Span::from_device(&self.ledger, memory, offset, len, None).unwrap();
        if send {
            self.chain.append_span(span);
            self.history.extend(bytes);
        } else {
            self.keep(span, bytes);
        }
    }
}
