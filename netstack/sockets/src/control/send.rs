//! Control messages of what is sent: which there are, and what each may say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Control, parse};
use crate::Errno;
use crate::stamps::OF_MESSAGE;

/// What control messages ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// `UDP_SEGMENT`; 0 for none, whatever the socket has.
    pub(crate) segment: Option<u16>,
    /// The number of an interface, as programs count them: from 1 on.
    pub(crate) interface: Option<u32>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) hop_limit: Option<u8>,
    pub(crate) traffic_class: Option<u8>,
    pub(crate) dont_fragment: Option<bool>,
    /// Bits of `SO_TIMESTAMPING`.
    pub(crate) stamps: Option<u32>,
}

/// What a datagram goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) to_v4: bool,
    /// Whether the socket is one of IPv6.
    pub(crate) of_v6: bool,
    pub(crate) is_udp: bool,
}

/// What goes with a datagram. UDP's own messages are looked at first.
///
/// # Errors
///
/// `EINVAL` for one that is not known, or is too short or out of range.
pub(crate) fn of_datagram(control: &[u8], way: Way) -> Result<Wishes, Errno> {
    let messages = parse(control)?;
    let mut wishes = Wishes::default();
    if way.is_udp {
        for message in messages.iter().filter(|one| one.level == libc::IPPROTO_UDP) {
            if message.kind != libc::UDP_SEGMENT {
                return Err(Errno::EINVAL);
            }
            wishes.segment = Some(u16::from_ne_bytes(exactly(message.data)?));
        }
    }
    for message in &messages {
        match message.level {
            libc::SOL_SOCKET => wishes.stamps = of_socket(message)?.or(wishes.stamps),
            libc::IPPROTO_IP if way.to_v4 => of_v4(message, &mut wishes)?,
            libc::IPPROTO_IPV6 if way.to_v4 && way.of_v6 && message.kind == libc::IPV6_PKTINFO => {
                let (address, interface) = v6_info(message.data)?;
                let IpAddr::V4(address) = IpAddr::V6(address).to_canonical() else {
                    return Err(Errno::EINVAL);
                };
                set_source(&mut wishes, address.into(), interface);
            }
            libc::IPPROTO_IPV6 if !way.to_v4 => of_v6(message, &mut wishes)?,
            _ => {}
        }
    }
    Ok(wishes)
}

/// What goes with a part of a stream, or with a packet: messages of the socket's level, of which only bits of
/// `SO_TIMESTAMPING` mean anything.
///
/// # Errors
///
/// As for datagrams.
pub(crate) fn of_others(control: &[u8]) -> Result<Option<u32>, Errno> {
    let messages = parse(control)?;
    let mut own = messages.iter().filter(|one| one.level == libc::SOL_SOCKET);
    own.try_fold(None, |stamps, one| Ok(of_socket(one)?.or(stamps)))
}

/// Bits of `SO_TIMESTAMPING`, if that is what it says.
fn of_socket(message: &Control<'_>) -> Result<Option<u32>, Errno> {
    match message.kind {
        libc::SO_TIMESTAMPING => {
            let wanted = u32::from_ne_bytes(exactly(message.data)?);
            match wanted & !OF_MESSAGE {
                0 => Ok(Some(wanted)),
                _ => Err(Errno::EINVAL),
            }
        }
        libc::SO_MARK => exactly::<4>(message.data).map(|_| None),
        // Those of sockets of one host mean nothing.
        libc::SCM_RIGHTS | libc::SCM_CREDENTIALS => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

fn of_v4(message: &Control<'_>, wishes: &mut Wishes) -> Result<(), Errno> {
    let data = message.data;
    match message.kind {
        libc::IP_PKTINFO => {
            let [i0, i1, i2, i3, a, b, c, d, ..]: [u8; 12] = exactly(data)?;
            let interface = u32::from_ne_bytes([i0, i1, i2, i3]);
            set_source(wishes, Ipv4Addr::new(a, b, c, d).into(), interface);
        }
        libc::IP_TTL => {
            let limit = u8::try_from(i32::from_ne_bytes(exactly(data)?));
            wishes.hop_limit = Some(limit.ok().filter(|limit| *limit > 0).ok_or(Errno::EINVAL)?);
        }
        libc::IP_TOS => {
            let class = match data {
                [class] => *class,
                _ => octet(i32::from_ne_bytes(exactly(data)?))?,
            };
            wishes.traffic_class = Some(class);
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn of_v6(message: &Control<'_>, wishes: &mut Wishes) -> Result<(), Errno> {
    let data = message.data;
    let number = || exactly(data).map(i32::from_ne_bytes);
    match message.kind {
        libc::IPV6_PKTINFO => {
            let (address, interface) = v6_info(data)?;
            set_source(wishes, address.into(), interface);
        }
        // -1 is what the socket has.
        libc::IPV6_HOPLIMIT => match number()? {
            -1 => {}
            limit => wishes.hop_limit = Some(octet(limit)?),
        },
        libc::IPV6_TCLASS => match number()? {
            -1 => {}
            class => wishes.traffic_class = Some(octet(class)?),
        },
        libc::IPV6_DONTFRAG => match number()? {
            dont @ (0 | 1) => wishes.dont_fragment = Some(dont == 1),
            _ => return Err(Errno::EINVAL),
        },
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// A `struct in6_pktinfo`; more than that is not looked at.
fn v6_info(data: &[u8]) -> Result<(Ipv6Addr, u32), Errno> {
    let address: &[u8; 16] = data.first_chunk().ok_or(Errno::EINVAL)?;
    let interface = data.get(16..).and_then(<[u8]>::first_chunk);
    let interface = u32::from_ne_bytes(*interface.ok_or(Errno::EINVAL)?);
    Ok((Ipv6Addr::from(*address), interface))
}

fn set_source(wishes: &mut Wishes, address: IpAddr, interface: u32) {
    wishes.source = Some(address).filter(|address| !address.is_unspecified());
    wishes.interface = Some(interface).filter(|interface| *interface != 0);
}

fn octet(number: i32) -> Result<u8, Errno> {
    u8::try_from(number).map_err(|_| Errno::EINVAL)
}

fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], Errno> {
    data.try_into().map_err(|_| Errno::EINVAL)
}
