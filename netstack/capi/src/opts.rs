//! What a stack is made from: `addr=192.168.0.1/16,mtu=1500,seed=7`.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use netstack_core::IpCidr;
use netstack_sockets::Errno;

/// What was asked for, or the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opts {
    pub(crate) addresses: Vec<IpCidr>,
    pub(crate) gateways: Vec<IpAddr>,
    pub(crate) mtu: usize,
    pub(crate) mtu6: Option<usize>,
    pub(crate) seed: Option<u64>,
}

impl Opts {
    /// Reads a comma list; an empty one means the default of everything.
    pub(crate) fn parse(text: &str) -> Result<Opts, Errno> {
        let mut opts = Opts {
            addresses: Vec::new(),
            gateways: Vec::new(),
            mtu: 1500,
            mtu6: None,
            seed: None,
        };
        for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            let (name, value) = one.split_once('=').ok_or(Errno::EINVAL)?;
            match name {
                "addr" => opts
                    .addresses
                    .push(value.parse().map_err(|()| Errno::EINVAL)?),
                "gateway" => opts
                    .gateways
                    .push(value.parse().map_err(|_| Errno::EINVAL)?),
                "mtu" => opts.mtu = value.parse().map_err(|_| Errno::EINVAL)?,
                "mtu6" => opts.mtu6 = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                "seed" => opts.seed = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                _ => return Err(Errno::EINVAL),
            }
        }
        if opts.addresses.is_empty() {
            for address in ["192.168.0.1/16", "fd3d:a0b:17d6::1/64"] {
                opts.addresses
                    .push(address.parse().map_err(|()| Errno::EINVAL)?);
            }
        }
        Ok(opts)
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
            (1400, Some(1520), Some(7))
        );
        assert_eq!(opts.seed()[..9], [7, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let opts = Opts::parse("").expect("nothing is fine");
        assert_eq!((opts.addresses.len(), opts.mtu), (2, 1500));
        assert_ne!(opts.seed(), opts.seed());
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
        ] {
            assert_eq!(Opts::parse(text), Err(Errno::EINVAL), "{text}");
        }
    }
}
