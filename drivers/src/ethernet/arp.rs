//! Messages of the address resolution protocol (RFC 826) for IPv4 on Ethernet.

use std::net::Ipv4Addr;

use txbuf::Packet;

use super::mac::Mac;

/// Bytes of a message.
const LENGTH: usize = 28;
/// Ethernet and IPv4, with the lengths of their addresses.
const KIND: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

/// What a message wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Request,
    Reply,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arp {
    pub(super) operation: Operation,
    pub(super) sender: Ipv4Addr,
    pub(super) sender_mac: Mac,
    pub(super) target: Ipv4Addr,
    /// Of a request it says nothing.
    pub(super) target_mac: Mac,
}

impl Arp {
    /// Reads a message, behind which padding may follow. `None` if it is none, or from no one interface.
    pub(super) fn parse(bytes: &[u8]) -> Option<Arp> {
        let bytes: &[u8; LENGTH] = bytes.first_chunk()?;
        let operation = match bytes[6..8] {
            [0, 1] => Operation::Request,
            [0, 2] => Operation::Reply,
            _ => return None,
        };
        let address =
            |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
        let message = Arp {
            operation,
            sender_mac: Mac::at(&bytes[8..])?,
            sender: address(14),
            target_mac: Mac::at(&bytes[18..])?,
            target: address(24),
        };
        let one_sender = !message.sender.is_multicast() && !message.sender.is_broadcast();
        let is_sound = bytes[..6] == KIND && message.sender_mac.is_unicast() && one_sender;
        is_sound.then_some(message)
    }

    /// The message as what a frame carries.
    pub(super) fn packet(&self) -> Packet {
        let operation = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let mut bytes = [0; LENGTH];
        bytes[..6].copy_from_slice(&KIND);
        bytes[7] = operation;
        bytes[8..14].copy_from_slice(&self.sender_mac.0);
        bytes[14..18].copy_from_slice(&self.sender.octets());
        bytes[18..24].copy_from_slice(&self.target_mac.0);
        bytes[24..].copy_from_slice(&self.target.octets());
        // It is shorter than what fits.
        Packet::inline(&bytes).unwrap_or_default()
    }
}
