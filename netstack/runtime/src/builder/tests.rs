use std::io;

use drivers::memory::{MemoryConfig, pair};
use netstack_core::{Event, IpCidr};

use super::{Builder, Interface, StartError};
use crate::{Service, ServiceContext};

fn interface(name: &str, wakeup: bool) -> Interface {
    let (end, _) = pair(MemoryConfig {
        wakeup,
        ..MemoryConfig::default()
    })
    .unwrap();
    Interface::new(name, end)
}

fn cidr(text: &str) -> IpCidr {
    text.parse().unwrap()
}

#[test]
fn two_interfaces_need_two_names() {
    let builder = Builder::new()
        .interface(interface("a", true))
        .interface(interface("a", true));
    assert!(matches!(builder.start(), Err(StartError::DuplicateInterface(name)) if name == "a"));
}

#[test]
fn a_device_without_a_descriptor_is_refused() {
    let started = Builder::new().interface(interface("a", false)).start();
    assert!(matches!(started, Err(StartError::NotPollable(name)) if name == "a"));
}

#[test]
fn an_address_that_is_none_is_refused() {
    let started = Builder::new()
        .interface(interface("a", true).address(cidr("224.0.0.1/24")))
        .start();
    let Err(StartError::Interface {
        interface, what, ..
    }) = started
    else {
        panic!("a multicast address was taken");
    };
    assert_eq!(
        (interface.as_str(), what.as_str()),
        ("a", "address 224.0.0.1/24")
    );
}

#[test]
fn a_service_that_cannot_start_says_so() {
    struct Unlucky;

    impl Service for Unlucky {
        fn name(&self) -> &str {
            "unlucky"
        }

        fn on_start(&mut self, cx: &mut ServiceContext<'_>) -> io::Result<()> {
            cx.listen("10.0.0.1:7".parse().unwrap(), 1)?;
            cx.listen("10.0.0.1:7".parse().unwrap(), 1)?;
            Ok(())
        }

        fn on_event(&mut self, _: &mut ServiceContext<'_>, _: &Event) {}
    }

    let started = Builder::new()
        .interface(interface("a", true).address(cidr("10.0.0.1/24")))
        .service(Unlucky)
        .start();
    let Err(StartError::Service { service, source }) = started else {
        panic!("one address was listened on twice");
    };
    assert_eq!(
        (service.as_str(), source.kind()),
        ("unlucky", io::ErrorKind::AddrInUse)
    );
}
