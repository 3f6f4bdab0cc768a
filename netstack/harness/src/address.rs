//! Who is where, on every link.

use std::net::Ipv4Addr;

/// The subject's address.
pub(crate) const SUBJECT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// Where packets go that the subject is to carry on. The client finds it on its own link.
pub(crate) const BEYOND: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 200);
/// The client's first address.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
/// Bits of the network's part of both.
pub(crate) const PREFIX_LENGTH: u8 = 24;
/// The port of a proxy at the subject, and the port at the client where it leads.
pub(crate) const PROXY: u16 = 8;
pub(crate) const PROXIED: u16 = 9;
