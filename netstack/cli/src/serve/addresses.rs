//! A look at the kernel's IPv6 addresses, which it drops when a device goes down and does not put back.

use std::net::IpAddr;

use drivers::netlink::{self, Cidr, Netns};

/// The addresses that the device had, to tell when one is gone.
pub(super) struct Addresses {
    netns: Option<Netns>,
    name: String,
    had: Vec<Cidr>,
}

impl Addresses {
    /// Those that the device has now.
    pub(super) fn note(netns: Option<Netns>, name: &str) -> Addresses {
        let mut had = netlink::addresses(netns.as_ref(), name).unwrap_or_default();
        had.retain(is_dropped_by_kernel);
        Addresses {
            netns,
            name: name.to_owned(),
            had,
        }
    }

    /// What to say of addresses that are gone since the last look, once the device is up again.
    pub(super) fn look(&mut self) -> Option<String> {
        if self.had.is_empty() {
            return None;
        }
        let netns = self.netns.as_ref();
        // What is wrong with the device as a whole is told elsewhere.
        let link = netlink::link_state(netns, &self.name).ok()?;
        let has = netlink::addresses(netns, &self.name).ok()?;
        if !link.up {
            return None;
        }
        let gone: Vec<Cidr> = self.had.extract_if(.., |one| !has.contains(one)).collect();
        let first = gone.first()?;
        let list: Vec<String> = gone.iter().map(Cidr::to_string).collect();
        Some(format!(
            "the kernel has dropped {} from device {}, as it does when a device goes down; put it back by \
             `ip address add {first} dev {}`",
            list.join(" and "),
            self.name,
            self.name
        ))
    }
}

/// IPv4 addresses stay, and link-local ones come back by themselves.
fn is_dropped_by_kernel(cidr: &Cidr) -> bool {
    matches!(cidr.address(), IpAddr::V6(v6) if !v6.is_unicast_link_local())
}
