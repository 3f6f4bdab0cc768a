use super::*;

#[test]
fn addresses_are_read_as_they_are_written() {
    let mac: Mac = "02:00:5e:10:00:ff".parse().unwrap();
    assert_eq!(mac, Mac([2, 0, 0x5e, 0x10, 0, 0xff]));
    assert_eq!(mac.to_string(), "02:00:5e:10:00:ff");
    assert_eq!("2:0:5E:10:0:FF".parse(), Ok(mac));
    for text in [
        "",
        "02:00:5e:10:00",
        "02:00:5e:10:00:ff:00",
        "02:00:5e:10:00:fff",
        "02:00:5e:10:00:+f",
        "02-00-5e-10-00-ff",
        "02:00:5e:10:00:",
    ] {
        assert_eq!(text.parse::<Mac>(), Err(MacError(text.to_owned())));
    }
}

#[test]
fn an_address_of_ones_own_making_is_one_interfaces_and_local() {
    for name in 0..1000 {
        let mac = Mac::of_name(&name);
        assert!(mac.is_unicast() && mac.0[0] & LOCAL != 0);
        assert_eq!(mac, Mac::of_name(&name));
    }
    assert_ne!(Mac::of_name(&1), Mac::of_name(&2));
}

#[test]
fn groups_have_addresses_of_their_own() {
    let v4 = Mac::of_group_v4(Ipv4Addr::new(239, 129, 2, 3));
    assert_eq!(v4.to_string(), "01:00:5e:01:02:03");
    let v6 = Mac::of_group_v6("ff02::1:ff00:1".parse().unwrap());
    assert_eq!(v6.to_string(), "33:33:ff:00:00:01");
    assert!(v4.is_group() && v6.is_group() && Mac::BROADCAST.is_group());
    assert!(!Mac([0; 6]).is_unicast());
}
