//! Callbacks that see packets on their way in, through and out, without a socket.

use super::Stack;
use crate::Instant;
use crate::ip::IfaceId;
use std::collections::VecDeque;
use txbuf::Packet;

/// Packets that hooks may inject and that have not left yet.
const INJECTED_LIMIT: usize = 1024;

/// Where a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passage {
    /// A device has received it; nothing of it has been looked at.
    In {
        /// By which interface it came.
        iface: IfaceId,
    },
    /// It is for somebody else, its headers are sound, and it is known where it leaves. Its hop limit is as received.
    Through {
        /// By which interface it came.
        from: IfaceId,
        /// By which interface it leaves.
        to: IfaceId,
    },
    /// A device asked for it; it is as it will be sent, but for what the device does (checksums, cutting).
    Out {
        /// By which interface it leaves.
        iface: IfaceId,
    },
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, as the hook has left it.
    Pass,
    /// It is dropped, and counted as `hook_dropped`.
    Drop,
    /// The hook has it (by [`core::mem::take`]) or has done with it; counted as `hook_taken`.
    Taken,
}

/// Sees every packet at every [`Passage`], and may change it, take it, or send others.
///
/// A packet is changed through its header area ([`Packet::pull`], [`Packet::push`]); who changes what a checksum covers
/// mends the checksum, unless it is partial. At `Through` the way is already chosen: a changed destination does not
/// change it. A closure with these arguments is a hook.
///
/// At `Out` a payload may be memory that an application has lent for its message ([`txbuf::Kind::User`]): a hook that keeps
/// such a packet or a clone of it calls [`Packet::orphan`] first, or the sender's completion waits for it.
pub trait Hook: Send {
    /// Looks at `packet`. What is sent by `inject` leaves by its interface before anything else, and no hook sees it.
    fn packet(
        &mut self,
        now: Instant,
        passage: Passage,
        packet: &mut Packet,
        inject: &mut Injector,
    ) -> Verdict;
}

impl<F> Hook for F
where
    F: FnMut(Instant, Passage, &mut Packet, &mut Injector) -> Verdict + Send,
{
    fn packet(
        &mut self,
        now: Instant,
        passage: Passage,
        packet: &mut Packet,
        inject: &mut Injector,
    ) -> Verdict {
        self(now, passage, packet, inject)
    }
}

/// Takes packets that a hook sends.
#[derive(Debug, Default)]
pub struct Injector {
    packets: VecDeque<(IfaceId, Packet)>,
    room: usize,
}

impl Injector {
    /// Sends `packet`, a whole IP packet, by `iface`.
    ///
    /// # Errors
    ///
    /// Too many injected packets have not left yet; the packet comes back.
    pub fn send(&mut self, iface: IfaceId, packet: Packet) -> Result<(), Packet> {
        if self.packets.len() >= self.room {
            return Err(packet);
        }
        self.packets.push_back((iface, packet));
        Ok(())
    }
}

/// The hooks of a stack, in the order in which they were added.
#[derive(Default)]
pub(super) struct Hooks {
    list: Vec<Box<dyn Hook>>,
    injector: Injector,
}

impl Stack {
    /// Adds a hook behind those that are there. A packet that one of them does not pass is not seen by those behind it.
    pub fn add_hook(&mut self, hook: impl Hook + 'static) {
        self.hooks.list.push(Box::new(hook));
    }

    /// Sends `packet`, a whole IP packet, by `iface`: before anything else and past all hooks. To inject a packet the
    /// other way, hand it to [`handle_packet`](Self::handle_packet).
    ///
    /// # Errors
    ///
    /// There is no such interface, or 1024 injected packets wait there; the packet comes back.
    pub fn inject(&mut self, iface: IfaceId, packet: Packet) -> Result<(), Packet> {
        match self.interfaces.get_mut(iface.index() as usize) {
            Some(interface) if interface.injected.len() < INJECTED_LIMIT => {
                self.counters.ip.injected += 1;
                interface.injected.push_back(packet);
                Ok(())
            }
            _ => Err(packet),
        }
    }

    /// Shows a packet to the hooks. True: it goes no further.
    #[inline]
    pub(super) fn hooked(&mut self, now: Instant, passage: Passage, packet: &mut Packet) -> bool {
        !self.hooks.list.is_empty() && self.run_hooks(now, passage, packet)
    }

    fn run_hooks(&mut self, now: Instant, passage: Passage, packet: &mut Packet) -> bool {
        self.hooks.injector.room = INJECTED_LIMIT;
        let mut verdict = Verdict::Pass;
        for hook in &mut self.hooks.list {
            verdict = hook.packet(now, passage, packet, &mut self.hooks.injector);
            if verdict != Verdict::Pass {
                break;
            }
        }
        while let Some((iface, packet)) = self.hooks.injector.packets.pop_front() {
            if self.inject(iface, packet).is_err() {
                self.counters.ip.inject_refused += 1;
            }
        }
        match verdict {
            // A hook that has taken all bytes has left nothing to go on.
            Verdict::Pass if packet.is_empty() => self.counters.ip.hook_taken += 1,
            Verdict::Pass => return false,
            Verdict::Drop => self.counters.ip.hook_dropped += 1,
            Verdict::Taken => self.counters.ip.hook_taken += 1,
        }
        true
    }
}
