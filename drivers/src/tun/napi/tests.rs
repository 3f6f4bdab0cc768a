use std::thread;

use rustix::fs::OFlags;
use txbuf::Ledger;

use super::open_setting;
use crate::netlink::Netns;
use crate::testing::{netns_or_skip, pool};
use crate::tun::tests::configured;
use crate::{Tun, TunConfig};

/// What the kernel says of the device's threads.
fn threads(netns: &Netns, name: &str) -> String {
    let read = || {
        let mut said = [0; 8];
        let setting = open_setting(name, OFlags::RDONLY).unwrap();
        let length = rustix::io::read(&setting, &mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).trim().to_owned()
    };
    thread::scope(|scope| scope.spawn(|| netns.run(read).unwrap()).join().unwrap())
}

#[test]
fn the_kernel_takes_in_by_a_thread_when_asked() {
    let test = "tun::napi::the_kernel_takes_in_by_a_thread_when_asked";
    for (threaded_napi, offload) in [(false, false), (true, false), (true, true)] {
        let Some(netns) = netns_or_skip(test) else {
            return;
        };
        let config = TunConfig {
            threaded_napi,
            offload,
            ..configured(&netns, 1500)
        };
        let tun = Tun::open(&config, &pool(&Ledger::new())).unwrap();
        let said = threads(&netns, tun.name());
        assert_eq!(said, if threaded_napi { "1" } else { "0" });
    }
}
