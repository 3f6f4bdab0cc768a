//! A stack that is part of something else, driven as that of a `Netstack` is.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{cidr, link, within};
use netstack::drivers::memory::pair;
use netstack::net::UdpSocket;
use netstack::services::Echo;
use netstack::txbuf::IovIter;
use netstack::{
    Afterwards, Driven, Driver, Instant, Interface, Netstack, RecvFlags, SendControl, SendFlags,
    SocketId, Stack, StartError,
};

/// Sends back what comes to a socket.
struct Parrot {
    stack: Stack,
    socket: Option<SocketId>,
    heard: usize,
    over: Arc<AtomicBool>,
}

impl Driven for Parrot {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn stack_mut(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn hear(&mut self, _: Instant, _: &mut Afterwards) -> bool {
        let before = self.heard;
        while let Some(event) = self.stack.poll_event() {
            self.heard += 1;
            let mut buf = [0; 100];
            let mut into = IovIter::buffer(&mut buf);
            let received =
                self.stack
                    .receive_message(event.socket, &mut into, RecvFlags::default());
            if let Ok(received) = received {
                let control = SendControl {
                    to: received.from,
                    ..SendControl::default()
                };
                let mut back = IovIter::bytes(&buf[..received.bytes]);
                let sent = self.stack.send_message(
                    event.socket,
                    &mut back,
                    SendFlags::default(),
                    &control,
                );
                sent.expect("room");
            }
        }
        self.heard > before
    }

    fn stop(&mut self, _: Instant) -> bool {
        false
    }

    fn abandon(&mut self, now: Instant) {
        if let Some(socket) = self.socket {
            self.stack.abort(now, socket);
        }
    }

    fn over(&mut self, _: &mut Afterwards) {
        self.over.store(true, Ordering::Release);
    }
}

#[test]
fn a_stack_in_something_else_is_driven() {
    let (one, other) = pair(link()).expect("a link");
    let over = Arc::new(AtomicBool::new(false));
    let builder =
        Netstack::builder().interface(Interface::new("mem0", one).address(cidr("10.0.0.1/24")));
    let driver = Driver::start(builder, |stack| Parrot {
        stack,
        socket: None,
        heard: 0,
        over: Arc::clone(&over),
    })
    .expect("a loop");
    let bound = driver.with(|parrot, _| {
        let bound = parrot
            .stack
            .udp_bind("10.0.0.1:7".parse().expect("literal"));
        parrot.socket = Some(bound.expect("a free port"));
    });
    bound.expect("it runs");
    let client = Netstack::builder()
        .interface(Interface::new("mem0", other).address(cidr("10.0.0.2/24")))
        .start()
        .expect("a stack");
    let socket = UdpSocket::bind(&client, "10.0.0.2:0").expect("a free port");
    socket.connect("10.0.0.1:7").expect("a way");
    for _ in 0..10 {
        assert_eq!(socket.send(b"hello").expect("room"), 5);
        let mut buf = [0; 10];
        assert_eq!(socket.recv(&mut buf).expect("the same"), 5);
        assert_eq!(&buf[..5], b"hello");
    }
    assert!(driver.with(|parrot, _| parrot.heard).expect("it runs") >= 10);
    assert!(!over.load(Ordering::Acquire));
    let ended = driver.shutdown(Duration::from_secs(5)).expect("it runs");
    assert!(ended.finished);
    assert!(over.load(Ordering::Acquire));
    assert!(driver.with(|_, _| ()).is_err());
    drop(socket);
    let ended = client.shutdown(Duration::from_secs(5)).expect("a stack");
    assert_eq!(ended.live_nodes(), 0, "{ended:?}");
}

#[test]
fn it_ends_when_its_driver_goes() {
    let (one, _other) = pair(link()).expect("a link");
    let over = Arc::new(AtomicBool::new(false));
    let builder = Netstack::builder().interface(Interface::new("mem0", one));
    let driver = Driver::start(builder, |stack| Parrot {
        stack,
        socket: None,
        heard: 0,
        over: Arc::clone(&over),
    });
    drop(driver.expect("a loop"));
    assert!(within(Duration::from_secs(5), || over.load(Ordering::Acquire)));
}

#[test]
fn what_only_a_netstack_has_is_refused() {
    let parrot = |stack| Parrot {
        stack,
        socket: None,
        heard: 0,
        over: Arc::default(),
    };
    let (one, other) = pair(link()).expect("a link");
    let queues = Interface::new("mem0", one).queue(other);
    let refused = Driver::start(Netstack::builder().interface(queues), parrot);
    assert!(matches!(refused, Err(StartError::Queues { queues: 2, .. })));
    let service = Echo::new(["10.0.0.1:7".parse().expect("literal")]);
    let refused = Driver::start(Netstack::builder().service(service), parrot);
    assert!(matches!(refused, Err(StartError::Service { .. })));
}
