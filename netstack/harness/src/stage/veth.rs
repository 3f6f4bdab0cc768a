//! A pair of veth devices between two namespaces.

use std::net::UdpSocket;
use std::os::fd::{AsFd as _, AsRawFd as _};

use drivers::netlink::Netns;
use rtnetlink::{LinkUnspec, LinkVeth};
use tokio::runtime::Builder;

use crate::BenchError;
use crate::sys::{self, LinkOffload};

/// The name of the subject's end, in a namespace of its own.
pub(super) const FAR: &str = "nbfar";

/// Makes a pair whose ends are `near` in `client` and [`FAR`] in `subject`.
pub(super) fn make(client: &Netns, near: &str, subject: &Netns) -> Result<(), BenchError> {
    let cannot = |what: &str, why: String| {
        BenchError::io(
            format!("{what} (the kernel needs the module veth: `modprobe veth`)"),
            std::io::Error::other(why),
        )
    };
    let subject = subject.as_fd().as_raw_fd();
    let session = || {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(|error| BenchError::io("start a netlink conversation", error))?;
        runtime.block_on(async {
            let (connection, handle, _unsolicited) = rtnetlink::new_connection()
                .map_err(|error| BenchError::io("open a netlink socket", error))?;
            let connection = tokio::spawn(connection);
            let pair = LinkVeth::new(near, FAR).build();
            let made = handle.link().add(pair).execute().await;
            made.map_err(|error| cannot("make a veth pair", error.to_string()))?;
            let far = LinkUnspec::new_with_name(FAR).setns_by_fd(subject).build();
            let moved = handle.link().change(far).execute().await;
            moved.map_err(|error| cannot("move a veth device", error.to_string()))?;
            connection.abort();
            Ok(())
        })
    };
    client.run(session)?
}

/// Switches segmentation and joining off; checksums stay as they are.
pub(super) fn switch_segmentation_off(netns: &Netns, name: &str) -> Result<(), BenchError> {
    let switch = || {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        [LinkOffload::Tso, LinkOffload::Gso, LinkOffload::Gro]
            .into_iter()
            .try_for_each(|offload| sys::switch_off(&socket, name, offload))
    };
    netns
        .run(switch)?
        .map_err(|error| BenchError::io(format!("switch offloads of device {name} off"), error))
}
