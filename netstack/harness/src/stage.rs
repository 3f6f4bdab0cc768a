//! Where a measurement takes place: network namespaces made for it, and what joins them.

mod veth;

use std::fs;
use std::net::Ipv4Addr;

use drivers::netlink::{self, Address, Cidr, LinkConfig, Netns};

use crate::BenchError;
use crate::address::{CLIENT, PREFIX_LENGTH, SUBJECT};
use crate::subject::{self, Link};

/// The client's other addresses: connections that are made and closed for seconds run out of the ports of one.
const MORE_CLIENTS: std::ops::RangeInclusive<u8> = 129..=143;

/// Settings of a namespace, each with its reason.
const SETTINGS: [(&str, &str); 6] = [
    // Room for the windows that 64 KiB packets take.
    ("ipv4/tcp_rmem", "4096 131072 33554432"),
    ("ipv4/tcp_wmem", "4096 16384 4194304"),
    // Many short connections.
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_max_tw_buckets", "262144"),
    // A connection is not to know of the one before it.
    ("ipv4/tcp_no_metrics_save", "1"),
    // No packets that nobody asked for.
    ("ipv6/conf/all/disable_ipv6", "1"),
];

/// A stage.
pub(crate) struct Stage {
    link: Link,
    /// The client's device.
    device: String,
    /// The client's namespace.
    pub(crate) client: Netns,
    /// The subject's, which is the client's where TUN devices join them.
    pub(crate) subject: Netns,
}

impl Stage {
    /// Makes the namespaces and, where the subject does not do it itself, the link.
    pub(crate) fn set(link: Link, device: &str) -> Result<Stage, BenchError> {
        let client = namespace()?;
        let subject = match link {
            Link::Tun { .. } | Link::Pair { .. } => client.clone(),
            Link::Veth { offloads } => {
                let subject = namespace()?;
                let ends = [(&client, device), (&subject, veth::FAR)];
                veth::make(&client, device, &subject)?;
                netlink::configure(Some(&subject), veth::FAR, &up(&[SUBJECT], None))?;
                if !offloads {
                    for (netns, name) in ends {
                        veth::switch_segmentation_off(netns, name)?;
                    }
                }
                subject
            }
        };
        Ok(Stage {
            link,
            device: device.to_owned(),
            client,
            subject,
        })
    }

    /// Sets up the client's side of the link, when the subject is there.
    pub(crate) fn open(&self) -> Result<(), BenchError> {
        let queue = match self.link {
            Link::Tun { queue } | Link::Pair { queue } => Some(queue),
            Link::Veth { .. } => None,
        };
        if matches!(self.link, Link::Pair { .. }) {
            let onward = subject::onward(&self.device);
            netlink::configure(Some(&self.client), &onward, &up(&[], None))?;
        }
        let config = up(&sources(), queue);
        netlink::configure(Some(&self.client), &self.device, &config)?;
        Ok(())
    }
}

/// The client's addresses.
pub(crate) fn sources() -> Vec<Ipv4Addr> {
    let [a, b, c, _] = CLIENT.octets();
    let more = MORE_CLIENTS.map(|last| Ipv4Addr::new(a, b, c, last));
    [CLIENT].into_iter().chain(more).collect()
}

fn up(addresses: &[Ipv4Addr], tx_queue: Option<u32>) -> LinkConfig {
    let cidr = |address: &Ipv4Addr| Cidr::new((*address).into(), PREFIX_LENGTH).ok();
    LinkConfig {
        tx_queue,
        addresses: addresses
            .iter()
            .filter_map(cidr)
            .map(|local| Address { local, peer: None })
            .collect(),
        up: true,
        ..LinkConfig::default()
    }
}

/// A new namespace with the settings of measurements.
fn namespace() -> Result<Netns, BenchError> {
    let netns = Netns::anonymous()?;
    netns.run(|| {
        for (name, value) in SETTINGS {
            let path = format!("/proc/sys/net/{name}");
            match fs::write(&path, value) {
                Ok(()) => {}
                // A kernel without IPv6.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(BenchError::io(format!("write {path}"), error)),
            }
        }
        Ok(())
    })??;
    Ok(netns)
}
