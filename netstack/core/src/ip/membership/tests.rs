use super::super::testing::*;
use super::*;
use crate::ip::input;

fn read(bytes: &[u8]) -> Option<Query> {
    let memory = Memory::new();
    let mut packet = memory.packet(bytes);
    let header = input::parse(&mut packet).unwrap();
    query(&header, &packet)
}

fn igmp(code: u8, group: [u8; 4], len: usize) -> Vec<u8> {
    let mut message = vec![0x11, code, 0, 0];
    message.extend(group);
    message.resize(len, 0);
    v4_options(A4, "224.0.0.1", 2, &[148, 4, 0, 0], &message)
}

fn mld(src: &str, code: u16, len: usize) -> Vec<u8> {
    let mut message = vec![130, 0, 0, 0];
    message.extend(code.to_be_bytes());
    message.resize(len, 0);
    let mut with_alert = vec![ICMP6, 0, 5, 2, 0, 0, 1, 0];
    with_alert.extend(message);
    let mut bytes = v6(src, "ff02::1", 0, &with_alert);
    bytes[7] = 1;
    bytes
}

// req: RFC3376-10
#[test]
fn the_version_of_a_query_is_in_its_length_and_code() {
    let all = [0; 4];
    for (code, len, version, tenths) in [
        (0, 8, Version::One, 100),
        (50, 8, Version::Two, 50),
        (50, 12, Version::Three, 50),
        (0x80, 12, Version::Three, 16 << 3),
        (0xff, 16, Version::Three, 31 << 10),
    ] {
        let query = read(&igmp(code, all, len)).unwrap();
        assert_eq!((query.version, query.group), (version, None));
        assert_eq!(query.within, Duration::from_millis(tenths * 100));
    }
    assert_eq!(read(&igmp(0, all, 10)), None);
    let group = [239, 1, 2, 3];
    let specific = read(&igmp(10, group, 12)).unwrap();
    assert_eq!(specific.group, Some(group.into()));
}

// req: RFC3810-02, RFC3810-12
#[test]
fn queries_of_ipv6_come_from_a_router_of_the_link() {
    for (code, len, version, millis) in [
        (1_000, 24, Version::Two, 1_000),
        (1_000, 28, Version::Three, 1_000),
        (0x8000, 28, Version::Three, 0x1000 << 3),
    ] {
        let query = read(&mld("fe80::1", code, len)).unwrap();
        assert_eq!(query.version, version);
        assert_eq!(query.within, Duration::from_millis(millis));
    }
    assert_eq!(read(&mld("fe80::1", 1_000, 26)), None);
    assert_eq!(read(&mld(A6, 1_000, 28)), None);
    let mut far = mld("fe80::1", 1_000, 28);
    far[7] = 64;
    assert_eq!(read(&far), None);
}

// req: RFC3376-13
#[test]
fn queries_alert_routers() {
    let plain = |len| {
        let mut message = vec![0x11, 50, 0, 0];
        message.resize(len, 0);
        v4(A4, "224.0.0.1", 2, &message)
    };
    assert_eq!(read(&plain(8)), None);
    assert_eq!(read(&plain(12)), None);
    let mut first = plain(8);
    first[21] = 0;
    assert_eq!(read(&first).unwrap().version, Version::One);
    let mut elsewhere = igmp(50, [0; 4], 12);
    elsewhere[19] = 5;
    fix_v4(&mut elsewhere);
    assert_eq!(read(&elsewhere), None, "for all groups, and not to all");
    let mut padded = mld("fe80::1", 1_000, 28);
    padded[42] = 1;
    assert_eq!(read(&padded), None, "padding is no alert");
    let mut behind = mld("fe80::1", 1_000, 28);
    behind[42..48].copy_from_slice(&[0, 0, 5, 2, 0, 0]);
    assert!(read(&behind).is_some());
}

#[test]
fn a_full_report_fits() {
    for (src, group) in [(A4, "239.1.1.1"), (A6, "ff0e::1")] {
        let groups = [(ip(group), Say::IsIn); MOST_RECORDS];
        for version in [Version::One, Version::Two, Version::Three] {
            let packet = report(version, ip(src), &groups).unwrap().unwrap();
            let memory = Memory::new();
            let bytes = packet.to_vec().unwrap();
            let mut packet = memory.packet(&bytes);
            let header = input::parse(&mut packet).unwrap();
            assert_eq!(header.hop_limit, 1);
        }
    }
}
