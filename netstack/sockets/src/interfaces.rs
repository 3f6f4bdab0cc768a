//! Interfaces as programs know them: by number, from 1 on, and by name.

use std::net::IpAddr;

use netstack_core::{IfaceId, Stack};

use crate::Errno;

/// Bytes of an interface's name, with the zero byte behind it.
pub(crate) const NAME: usize = 16;

/// The number of an interface.
pub(crate) fn number_of(iface: IfaceId) -> u32 {
    iface.index().saturating_add(1)
}

/// The interface with a number.
///
/// # Errors
///
/// `ENODEV`.
pub(crate) fn numbered(stack: &Stack, number: u32) -> Result<IfaceId, Errno> {
    let iface = number.checked_sub(1).map(IfaceId::new);
    let exists = |iface: &IfaceId| stack.interface_name(*iface).is_some();
    iface.filter(exists).ok_or(Errno::ENODEV)
}

/// The first address of the stack, of either version.
pub(crate) fn first_address(stack: &Stack, v4: bool) -> Option<IpAddr> {
    let exists = |iface: &IfaceId| stack.interface_name(*iface).is_some();
    (0..)
        .map(IfaceId::new)
        .take_while(exists)
        .flat_map(|iface| stack.addresses(iface))
        .map(|cidr| IpAddr::from(cidr.address()))
        .find(|address| address.is_ipv4() == v4)
}

/// The interface with a name, which ends with a zero byte or with the bytes; none for an empty one.
///
/// # Errors
///
/// `ENODEV`.
pub(crate) fn named(stack: &Stack, name: &[u8]) -> Result<Option<IfaceId>, Errno> {
    let name = name.get(..NAME - 1).unwrap_or(name);
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    let name = core::str::from_utf8(name).map_err(|_| Errno::ENODEV)?;
    stack.interface_named(name).map(Some).ok_or(Errno::ENODEV)
}
