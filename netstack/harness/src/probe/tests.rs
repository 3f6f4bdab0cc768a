use super::{Cores, Traffic, cores, parse_cores, parse_device, parse_protocol, parse_times};

#[test]
fn a_row_for_each_core_and_none_for_their_sum() {
    let text =
        "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 0 20 70 0 0 0 0 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\nintr 5\n";
    let parsed = parse_cores(text);
    assert_eq!(
        parsed,
        Cores(vec![[10, 0, 20, 70, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8]])
    );
    let idle = Cores(vec![[0; 8]; 2]);
    let first = parsed.since(&idle)[0];
    assert_eq!(
        (first.user, first.system, first.busy()),
        (0.1, 0.2, 0.1 + 0.2)
    );
}

#[test]
fn this_machine_has_cores() {
    assert!(!cores().expect("/proc/stat").0.is_empty());
}

#[test]
fn a_name_in_brackets_does_not_move_the_times() {
    let text = "7 (a) b ) c) R 1 7 7 0 -1 4194304 1 0 0 0 123 45 0 0 20 0 1 0 5 6 7";
    assert_eq!(parse_times(text), Some((123, 45)));
    assert_eq!(parse_times("7 (short) R 1"), None);
}

#[test]
fn the_counters_of_a_device() {
    let text = "Inter-| Receive | Transmit\n face |bytes packets\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  nb0:700 5 0 0 0 0 0 0 900 3 0 2 0 0 0 0\n";
    let expected = Traffic {
        received_packets: 5,
        received_bytes: 700,
        sent_packets: 3,
        sent_bytes: 900,
        dropped: 2,
        retransmits: 0,
    };
    assert_eq!(parse_device(text, "nb0"), Some(expected));
    assert_eq!(parse_device(text, "nb"), None);
}

#[test]
fn a_counter_of_a_protocol() {
    let text = "Tcp: RtoMin RetransSegs\nTcp: 200 17\nUdp: InDatagrams\nUdp: 4\n";
    assert_eq!(parse_protocol(text, "Tcp:", "RetransSegs"), Some(17));
    assert_eq!(parse_protocol(text, "Udp:", "InDatagrams"), Some(4));
    assert_eq!(parse_protocol(text, "Udp:", "NoPorts"), None);
}
