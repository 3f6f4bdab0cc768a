use super::*;

fn networks() -> Networks {
    let own = ["10.1.2.3/24", "2001:db8::3/64", "10.1.2.130/25"];
    let own: Vec<Cidr> = own.iter().map(|text| text.parse().unwrap()).collect();
    let gateways = [
        ("0.0.0.0/0", "10.1.2.1"),
        ("10.9.0.0/16", "10.1.2.9"),
        ("::/0", "fe80::1"),
    ];
    let gateways = gateways.map(|(network, by)| (network.parse().unwrap(), by.parse().unwrap()));
    Networks::new(&own, &gateways)
}

// req: RFC1122-48, RFC1122-49
#[test]
fn the_longest_prefix_tells_the_neighbour() {
    let networks = networks();
    for (destination, hop) in [
        ("10.1.2.77", "10.1.2.77"),
        ("10.9.1.1", "10.1.2.9"),
        ("10.8.1.1", "10.1.2.1"),
        ("2001:db8::77", "2001:db8::77"),
        ("2001:db8:1::77", "fe80::1"),
    ] {
        let hop: IpAddr = hop.parse().unwrap();
        assert_eq!(networks.next_hop(destination.parse().unwrap()), hop);
    }
    let lonely = Networks::new(&[], &[]);
    let anybody = "192.0.2.1".parse().unwrap();
    assert_eq!(lonely.next_hop(anybody), anybody);
    assert_eq!(lonely.own_towards(anybody), None);
}

#[test]
fn all_of_a_network_are_told_from_one_of_it() {
    let networks = networks();
    for (address, all) in [
        ("255.255.255.255", true),
        ("10.1.2.255", true),
        ("10.1.2.127", false),
        ("10.1.3.255", false),
        ("10.1.2.0", false),
        ("2001:db8::ffff:ffff:ffff:ffff", false),
    ] {
        assert_eq!(
            networks.is_broadcast(address.parse().unwrap()),
            all,
            "{address}"
        );
    }
    // RFC 3021: two hosts, no broadcast.
    let pair = Networks::new(&["10.0.0.0/31".parse().unwrap()], &[]);
    assert!(!pair.is_broadcast("10.0.0.1".parse().unwrap()));
    let everywhere = Networks::new(&["10.0.0.1/0".parse().unwrap()], &[]);
    assert!(!everywhere.is_broadcast("10.0.0.255".parse().unwrap()));
}

#[test]
fn neighbours_are_those_of_the_own_networks_and_of_the_link() {
    let networks = networks();
    for (address, near) in [
        ("10.1.2.77", true),
        ("10.2.2.77", false),
        ("169.254.1.1", true),
        ("fe80::77", true),
        ("2001:db8:1::1", false),
    ] {
        assert_eq!(
            networks.is_on_link(address.parse().unwrap()),
            near,
            "{address}"
        );
    }
    let towards = |address: &str| networks.own_towards(address.parse().unwrap());
    assert_eq!(towards("10.1.2.77"), "10.1.2.3".parse().ok());
    assert_eq!(towards("fe80::1"), "2001:db8::3".parse().ok());
}
