use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use super::values::{duration, host, netns, size};
use super::{Cli, Command, Proxy, Service, ServiceKind, TunName};

fn refused<T: std::str::FromStr<Err = String>>(text: &str) -> String {
    text.parse::<T>()
        .err()
        .unwrap_or_else(|| panic!("{text} was accepted"))
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_full_line_parses() {
    let line = "netstack serve --tun tun0 --addr 10.9.0.2/24,fd00:9::2/64 --addr 10.8.0.2/16 --peer 10.9.0.1/24 \
                --mtu 1280 --netns blue --pcap x.pcapng --service echo:7 --service http:80 --http-root . --stats \
                --json --for 1.5s";
    let Command::Serve(serve) = Cli::try_parse_from(line.split_whitespace())
        .unwrap()
        .command
    else {
        panic!()
    };
    assert_eq!(serve.addr.len(), 3);
    assert_eq!(
        serve.service[1],
        Service {
            kind: ServiceKind::Http,
            port: 80
        }
    );
    assert_eq!(serve.run_for, Some(Duration::from_millis(1500)));
    assert_eq!(serve.mtu, Some(1280));
}

#[test]
fn the_help_of_bench_names_every_case_and_subject() {
    let names = netstack_bench::CASES.iter().map(|case| case.name);
    let names = names.chain(netstack_bench::SUBJECTS.iter().map(|subject| subject.name));
    for name in names {
        let is_it = |word: &str| word.trim_end_matches([',', '.']) == name;
        assert!(super::BENCH_HELP.split_whitespace().any(is_it), "{name}");
    }
}

#[test]
fn devices() {
    assert_eq!("tun0".parse(), Ok(TunName::Name("tun0".to_owned())));
    assert_eq!("fd:3".parse(), Ok(TunName::Fd(3)));
    for text in [
        "",
        "a-name-of-16-chr",
        "a b",
        "a/b",
        "a:b",
        "fd:",
        "fd:-1",
        "fd:x",
        "..",
        "tun\u{e9}",
    ] {
        refused::<TunName>(text);
    }
}

#[test]
fn addresses() {
    assert_eq!(host("fd00:9::2/64").unwrap().to_string(), "fd00:9::2/64");
    assert!(
        host("10.9.0.2")
            .unwrap_err()
            .contains("prefix length is missing")
    );
    assert!(host("10.9.0/24").unwrap_err().contains("not an IP address"));
    assert!(host("10.9.0.2/33").unwrap_err().contains("0 to 32"));
    assert!(host("fd00::1/129").unwrap_err().contains("0 to 128"));
    for text in [
        "0.0.0.0/0",
        "224.0.0.1/4",
        "255.255.255.255/32",
        "240.1.2.3/24",
        "0.1.2.3/24",
        "127.0.0.1/8",
        "::/0",
        "ff02::1/64",
        "::1/128",
    ] {
        assert!(
            host(text)
                .unwrap_err()
                .contains("cannot be the address of one host")
        );
    }
}

#[test]
fn addresses_of_networks_and_of_everybody() {
    for (text, sentence) in [
        (
            "10.9.0.255/24",
            "10.9.0.255 is the broadcast address of 10.9.0.0/24; take another",
        ),
        (
            "10.9.0.0/24",
            "10.9.0.0 is the network address of 10.9.0.0/24; take another",
        ),
        (
            "10.9.0.3/30",
            "10.9.0.3 is the broadcast address of 10.9.0.0/30; take another",
        ),
    ] {
        assert_eq!(host(text).unwrap_err(), sentence);
    }
    for text in [
        "10.9.0.0/31",
        "10.9.0.1/31",
        "10.9.0.255/32",
        "10.9.0.255/16",
        "10.9.0.2/0",
        "fd00:9::/64",
    ] {
        assert!(host(text).is_ok(), "{text}");
    }
    assert!(
        host("::ffff:10.9.0.2/120")
            .unwrap_err()
            .contains("write it as 10.9.0.2")
    );
}

#[test]
fn namespaces() {
    assert_eq!(netns("blue"), Ok("blue".to_owned()));
    for text in ["", "/var/run/netns/blue", "a/b", ".", ".."] {
        assert!(
            netns(text).unwrap_err().contains("ip netns list"),
            "{text:?}"
        );
    }
}

#[test]
fn services() {
    assert_eq!(
        "chargen:1919".parse(),
        Ok(Service {
            kind: ServiceKind::Chargen,
            port: 1919
        })
    );
    assert!(refused::<Service>("echo").contains("NAME:PORT"));
    assert!(refused::<Service>("ftp:21").contains("no service `ftp`"));
    for text in ["echo:", "echo:0", "echo:65536", "echo:x"] {
        assert!(refused::<Service>(text).contains("1 to 65535"));
    }
}

#[test]
fn proxies() {
    assert_eq!(
        "8080=10.9.0.1:80".parse(),
        Ok(Proxy {
            port: 8080,
            target: "10.9.0.1:80".parse().unwrap()
        })
    );
    let six: Proxy = "1=[fd00:9::1]:443".parse().unwrap();
    assert_eq!(six.to_string(), "1=[fd00:9::1]:443");
    for text in [
        "",
        "8080",
        "8080=",
        "=10.9.0.1:80",
        "0=10.9.0.1:80",
        "65536=10.9.0.1:80",
        "8080=10.9.0.1",
        "8080=10.9.0.1:0",
        "8080=host:80",
        "8080=fd00:9::1:80",
    ] {
        assert!(
            refused::<Proxy>(text).contains("PORT=ADDRESS:PORT"),
            "{text}"
        );
    }
    for text in [
        "1=0.0.0.0:1",
        "1=224.0.0.1:1",
        "1=127.0.0.1:1",
        "1=255.255.255.255:1",
        "1=[::]:1",
        "1=[::ffff:10.9.0.1]:1",
    ] {
        assert!(refused::<Proxy>(text).contains("cannot connect"), "{text}");
    }
}

#[test]
fn times() {
    assert_eq!(duration("20s"), Ok(Duration::from_secs(20)));
    assert_eq!(duration("20"), Ok(Duration::from_secs(20)));
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
    for text in [
        "",
        "s",
        "-1s",
        "1d",
        "1e300s",
        "nan",
        "inf",
        "99999999h",
        "1 0s",
    ] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn sizes() {
    assert_eq!(size("1GiB"), Ok(1 << 30));
    assert_eq!(size("64MiB"), Ok(64 << 20));
    assert_eq!(size("10kB"), Ok(10_000));
    assert_eq!(size("7"), Ok(7));
    for text in [
        "",
        "0",
        "-1",
        "1.5GiB",
        "1XiB",
        "99999999999GiB",
        "18446744073709551615KiB",
    ] {
        assert!(size(text).is_err(), "{text}");
    }
}
