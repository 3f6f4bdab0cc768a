//! What a stack is made from: `addr=192.168.0.1/16,mtu=1500,seed=7`, and `tun=tun0` for one that runs by itself.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use drivers::netlink::Cidr;
use netstack_core::IpCidr;
use netstack_sockets::Errno;

/// What was asked for, or the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opts {
    pub(crate) addresses: Vec<IpCidr>,
    pub(crate) gateways: Vec<IpAddr>,
    /// Of packets in IPv4, or of the device.
    pub(crate) mtu: Option<usize>,
    pub(crate) mtu6: Option<usize>,
    pub(crate) seed: Option<u64>,
    /// The device of a stack that runs by itself.
    pub(crate) attach: Option<Attach>,
}

/// Which device, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attach {
    /// Its name.
    pub(crate) tun: String,
    /// The network namespace that it is in, if not that of the thread.
    pub(crate) netns: Option<String>,
    /// The kernel's addresses on it, which also have it brought up.
    pub(crate) peers: Vec<Cidr>,
    /// Whether super-packets go by it.
    pub(crate) offload: bool,
}

impl Opts {
    /// Reads a comma list; an empty one means the default of everything.
    pub(crate) fn parse(text: &str) -> Result<Opts, Errno> {
        let mut opts = Opts {
            addresses: Vec::new(),
            gateways: Vec::new(),
            mtu: None,
            mtu6: None,
            seed: None,
            attach: None,
        };
        let mut attach = Attach::default();
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let (name, value) = one.split_once('=').ok_or(Errno::EINVAL)?;
            match name {
                "addr" => opts
                    .addresses
                    .push(value.parse().map_err(|()| Errno::EINVAL)?),
                "gateway" => opts
                    .gateways
                    .push(value.parse().map_err(|_| Errno::EINVAL)?),
                "mtu" => opts.mtu = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                "mtu6" => opts.mtu6 = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                "seed" => opts.seed = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                "tun" => attach.tun = value.to_owned(),
                "netns" => attach.netns = Some(value.to_owned()),
                "peer" => attach.peers.push(value.parse().map_err(|_| Errno::EINVAL)?),
                "offload" => attach.offload = truth(value)?,
                _ => return Err(Errno::EINVAL),
            }
        }
        if !attach.tun.is_empty() {
            opts.attach = Some(attach);
        } else if attach != Attach::default() {
            return Err(Errno::EINVAL);
        }
        if opts.attach.is_some() && opts.mtu6.is_some() {
            // A device has one.
            return Err(Errno::EINVAL);
        }
        if opts.addresses.is_empty() {
            for address in ["192.168.0.1/16", "fd3d:a0b:17d6::1/64"] {
                opts.addresses
                    .push(address.parse().map_err(|()| Errno::EINVAL)?);
            }
        }
        Ok(opts)
    }

    /// The ways to everywhere, of IPv4 and of IPv6, each by its gateway if there is one.
    pub(crate) fn ways(&self) -> Result<[(IpCidr, Option<IpAddr>); 2], Errno> {
        let way = |everywhere: &str, v4| {
            let mut gateways = self.gateways.iter().copied();
            let via = gateways.find(|gateway| gateway.is_ipv4() == v4);
            let everywhere = everywhere.parse().map_err(|()| Errno::EINVAL)?;
            Ok::<_, Errno>((everywhere, via))
        };
        Ok([way("0.0.0.0/0", true)?, way("::/0", false)?])
    }

    /// The seed of everything random: from the system, unless one was given.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        match self.seed {
            Some(number) => {
                if let Some(first) = seed.first_chunk_mut() {
                    *first = number.to_le_bytes();
                }
            }
            None => {
                for (at, part) in seed.chunks_mut(8).enumerate() {
                    // Its keys come from the system, other ones each time.
                    let number = RandomState::new().hash_one(at).to_le_bytes();
                    part.copy_from_slice(number.get(..part.len()).unwrap_or_default());
                }
            }
        }
        seed
    }
}

/// A number that is 0 or 1.
fn truth(value: &str) -> Result<bool, Errno> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::Opts;
    use netstack_sockets::Errno;

    #[test]
    fn every_option_is_read() {
        let text = "addr=10.0.0.1/8,addr=fd00::1/64,mtu=1400,mtu6=1520,gateway=10.0.0.2,seed=7";
        let opts = Opts::parse(text).expect("well-formed");
        assert_eq!((opts.addresses.len(), opts.gateways.len()), (2, 1));
        assert_eq!(
            (opts.mtu, opts.mtu6, opts.seed),
            (Some(1400), Some(1520), Some(7))
        );
        assert_eq!(opts.seed()[..9], [7, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let opts = Opts::parse("").expect("nothing is fine");
        assert_eq!((opts.addresses.len(), opts.mtu), (2, None));
        assert_eq!(opts.attach, None);
        assert_ne!(opts.seed(), opts.seed());
    }

    #[test]
    fn a_device_is_named_with_what_belongs_to_it() {
        let text = "tun=tun0,netns=blue,peer=10.0.0.2/24,peer=fd00::2/64,offload=1,mtu=9000";
        let attach = Opts::parse(text).expect("well-formed").attach;
        let attach = attach.expect("a device");
        assert_eq!(
            (attach.tun.as_str(), attach.netns.as_deref()),
            ("tun0", Some("blue"))
        );
        assert_eq!((attach.peers.len(), attach.offload), (2, true));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "addr",
            "addr=",
            "addr=1.2.3.4/33",
            "mtu=x",
            "mtu=-1",
            "x=1",
            "seed=1e9",
            "offload=1",
            "peer=10.0.0.1/8",
            "tun=,netns=blue",
            "tun=tun0,offload=yes",
            "tun=tun0,mtu6=1500",
            "tun=tun0,peer=x",
        ] {
            assert_eq!(Opts::parse(text), Err(Errno::EINVAL), "{text}");
        }
    }
}
