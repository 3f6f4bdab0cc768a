//! Every packet that came in is delivered, kept, or dropped under exactly one name.

use netstack_core::Counters;

/// Packets that the IP layer dropped before it looked at fragments.
const IP_DROPS: [&str; 22] = [
    "in_truncated",
    "in_bad_version",
    "in_bad_header_length",
    "in_bad_total_length",
    "in_bad_checksum",
    "in_bad_option",
    "in_source_routed",
    "in_bad_source",
    "in_bad_destination",
    "in_bad_extension",
    "in_unknown_option",
    "in_routing_header",
    "in_misplaced_hop_by_hop",
    "in_header_chain_too_long",
    "in_no_next_header",
    "in_incomplete_header_chain",
    "in_bad_fragment_length",
    "in_fragment_too_long",
    "in_unreadable",
    "in_no_memory",
    "in_not_ours",
    "in_other_group",
];
/// Fragments that were dropped: each of them one packet.
const FRAGMENT_DROPS: [&str; 9] = [
    "reassembly_duplicates",
    "reassembly_overlaps",
    "reassembly_inconsistent",
    "reassembly_tiny",
    "reassembly_too_large",
    "reassembly_no_memory",
    "reassembly_refused",
    "reassembly_bad_ecn",
    "reassembly_malformed",
];
/// What becomes of an ICMP message.
const ICMP: [&str; 7] = [
    "icmp_in_truncated",
    "icmp_in_bad_checksum",
    "icmp_in_unknown_type",
    "icmp_in_bad_quote",
    "icmp_in_echo_requests",
    "icmp_in_echo_replies",
    "icmp_in_errors",
];
/// What becomes of a message about groups.
const GROUPS: [&str; 3] = [
    "group_queries",
    "group_messages_ignored",
    "igmp_in_bad_checksum",
];
/// What becomes of a UDP datagram.
const UDP: [&str; 10] = [
    "in_datagrams",
    "in_truncated",
    "in_bad_length",
    "in_bad_checksum",
    "in_no_checksum",
    "in_no_port",
    "in_not_peer",
    "in_queue_full",
    "in_no_memory",
    "in_unreadable",
];
/// What becomes of a TCP packet before any connection sees it.
const TCP: [&str; 5] = [
    "in_segments",
    "in_malformed",
    "in_bad_checksum",
    "in_bad_port",
    "in_unreadable",
];
/// Segments that were dropped after that.
const TCP_DROPS: [&str; 17] = [
    "in_bad_flags",
    "in_not_unicast",
    "in_no_memory",
    "in_no_connection",
    "in_out_of_window",
    "in_bad_ack",
    "in_paws",
    "in_no_timestamp",
    "in_receive_full",
    "in_assembler_full",
    "in_after_fin",
    "in_resets_ignored",
    "in_after_close",
    "syn_overflows",
    "syn_cookies_refused",
    "listen_overflows",
    "icmp_not_in_flight",
];

/// The sum of the counters of `layer` named `names`.
///
/// # Panics
///
/// When there is no counter of such a name.
fn sum(counters: &Counters, layer: &str, names: &[&str]) -> u64 {
    let value = |name: &&str| {
        let found = counters
            .iter()
            .find(|(of, counter, _)| *of == layer && counter == name);
        found
            .unwrap_or_else(|| panic!("no counter {layer} {name}"))
            .2
    };
    names.iter().map(value).sum()
}

/// Packets that were dropped, at whatever layer, and errors that were not believed.
pub fn dropped(counters: &Counters) -> u64 {
    sum(counters, "ip", &IP_DROPS)
        + sum(counters, "ip", &FRAGMENT_DROPS)
        + sum(
            counters,
            "ip",
            &["in_unknown_protocol", "icmp_in_not_ours", "icmp_in_bad_mtu"],
        )
        + sum(counters, "ip", &ICMP[..4])
        + sum(counters, "ip", &GROUPS[1..])
        + sum(counters, "udp", &UDP[1..])
        + sum(counters, "tcp", &TCP[1..])
        + sum(counters, "tcp", &TCP_DROPS)
}

/// Checks that the counters add up: what a layer got from below is what it gave on, kept, or dropped
/// under a name.
///
/// # Panics
///
/// When they do not.
pub fn check_accounting(counters: &Counters) {
    let ip = &counters.ip;
    let dropped = sum(counters, "ip", &IP_DROPS);
    // Fragments end here, but those that complete a datagram.
    let in_fragments = ip.fragments_received - ip.reassembled;
    let expected = dropped + in_fragments + ip.in_unknown_protocol + ip.in_delivered;
    assert_eq!(ip.in_received, expected, "IP: {counters:?}");
    assert!(
        sum(counters, "ip", &FRAGMENT_DROPS) <= in_fragments,
        "fragments: {counters:?}"
    );
    let transports = sum(counters, "ip", &ICMP)
        + sum(counters, "ip", &GROUPS)
        + sum(counters, "udp", &UDP)
        + sum(counters, "tcp", &TCP);
    assert_eq!(ip.in_delivered, transports, "transports: {counters:?}");
    assert_eq!(ip.in_unreadable, 0, "all memory here is readable");
}
