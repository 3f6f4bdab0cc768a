//! A host that talks to itself.

use netstack_core::{RecvFlags, SendControl, SendFlags};
use suite::sim::{World, WorldConfig};
use txbuf::IovIter;

#[test]
fn a_connection_to_an_own_address_never_reaches_the_wire() {
    for v6 in [false, true] {
        let mut world = World::new(&WorldConfig::default());
        let address = World::address(0, v6, 7);
        let (now, iface) = (world.now, world.hosts[0].iface);
        let stack = &mut world.hosts[0].stack;
        let listener = stack.tcp_listen(address, 4).expect("a free port");
        let client = stack.tcp_connect(now, address, None).expect("a route");
        assert!(stack.poll_transmit(now, iface).is_none());
        let (server, _) = stack.tcp_accept(listener).expect("a connection");
        let message = vec![7; 100_000];
        let sent = stack
            .send_message(
                client,
                &mut IovIter::bytes(&message),
                SendFlags::NONE,
                &SendControl::default(),
            )
            .expect("room");
        let mut received = 0;
        let mut buffer = vec![0; 100_000];
        while received < sent {
            assert!(stack.poll_transmit(now, iface).is_none());
            let got = stack
                .receive_message(server, &mut IovIter::buffer(&mut buffer), RecvFlags::NONE)
                .expect("data");
            received += got.bytes;
        }
        for socket in [client, server, listener] {
            stack.close(now, socket);
        }
        assert!(world.step(), "TIME-WAIT is to pass");
        assert_eq!(world.packets(), 0);
    }
}
