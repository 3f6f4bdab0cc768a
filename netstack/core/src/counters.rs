//! Every drop and every notable event, by name.
//!
//! A counter is a public field, so that the hot path adds to a known place, and a name, so that a
//! person or a machine can list them all.

/// The classes that a counter may be declared to have. Without one it counts what passes, or an event.
macro_rules! of_class {
    (dropped $value:expr) => {
        $value
    };
}

macro_rules! counters {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident $(: $class:ident)?,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl $name {
            /// Each counter's name and value, in the order of declaration.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field),)*].into_iter()
            }

            /// Adds each counter of `more` to the same one here.
            fn add(&mut self, more: &$name) {
                $(self.$field = self.$field.wrapping_add(more.$field);)*
            }

            /// What this layer has dropped: the sum of the counters that count nothing else.
            pub fn drops(&self) -> u64 {
                0_u64 $($(.wrapping_add(of_class!($class self.$field)))?)*
            }
        }
    };
}

counters! {
    /// Counters of the IP layer and of what is carried directly on it.
    IpCounters {
        /// Packets handed to the stack.
        in_received,
        /// Packets delivered to a transport.
        in_delivered,
        /// Packets handed to a device.
        out_sent,
        /// Packets dropped because they were said to come from an interface that the stack does not have. They do not
        /// count as received.
        in_unknown_interface: dropped,
        /// Packets of this host to itself.
        looped_back,

        /// Received shorter than their headers or than the length they claim.
        in_truncated: dropped,
        /// Received with a version that is neither 4 nor 6.
        in_bad_version: dropped,
        /// Received with an IPv4 header length below 20 bytes.
        in_bad_header_length: dropped,
        /// Received with an IPv4 total length below the header length.
        in_bad_total_length: dropped,
        /// Received with a wrong IPv4 header checksum.
        in_bad_checksum: dropped,
        /// Received with an IPv4 option whose length is impossible.
        in_bad_option: dropped,
        /// Received with an IPv4 source route.
        in_source_routed: dropped,
        /// Received from an address that no packet on a wire comes from.
        in_bad_source: dropped,
        /// Received for an address that no packet on a wire goes to.
        in_bad_destination: dropped,
        /// Received with an IPv6 extension header or option of impossible length.
        in_bad_extension: dropped,
        /// Received with an IPv6 option that is unknown here and asks to be dropped.
        in_unknown_option: dropped,
        /// Received with an IPv6 routing header that has segments left.
        in_routing_header: dropped,
        /// Received with an IPv6 hop-by-hop header that is not the first.
        in_misplaced_hop_by_hop: dropped,
        /// Received with more IPv6 extension headers than one packet needs.
        in_header_chain_too_long: dropped,
        /// Received with nothing after the IPv6 headers (next header 59).
        in_no_next_header: dropped,
        /// First IPv6 fragments that end before the transport header.
        in_incomplete_header_chain: dropped,
        /// Fragments with more to come whose length is no multiple of 8, or that are empty.
        in_bad_fragment_length: dropped,
        /// Fragments that reach past the 65,535 bytes of a datagram.
        in_fragment_too_long: dropped,
        /// Received in memory that the CPU may not read.
        in_unreadable: dropped,
        /// Dropped because no memory was left to copy what its sender had only lent.
        in_no_memory: dropped,
        /// Bytes of receive queues that were copied out of arenas near their cap.
        evacuated_bytes,
        /// Received for an address that is not this host's.
        in_not_ours: dropped,
        /// Received for a multicast group that this host is not in. Nothing is lost with them.
        in_other_group,
        /// Packets for which this shard has no socket, passed on to the next: what is for no socket at all is passed on
        /// by every shard but the last.
        strays,
        /// Packets for a socket of this shard that came to another one.
        in_other_shard,
        /// Dropped because too many waited to be passed on to the next shard.
        stray_queue_full: dropped,
        /// Received for a protocol that nothing here speaks.
        in_unknown_protocol: dropped,

        /// Fragments received.
        fragments_received,
        /// Datagrams put together from fragments.
        reassembled,
        /// Fragments received twice; the copy was dropped.
        reassembly_duplicates: dropped,
        /// Datagrams given up because a fragment overlapped another.
        reassembly_overlaps: dropped,
        /// Datagrams given up because their fragments disagree about the end.
        reassembly_inconsistent: dropped,
        /// First fragments too small for the transport header they begin.
        reassembly_tiny: dropped,
        /// Datagrams whose fragments did not all arrive in time.
        reassembly_timeouts: dropped,
        /// Datagrams given up because they hold more fragments or bytes than one datagram may.
        reassembly_too_large: dropped,
        /// Datagrams given up so that a newer one has room.
        reassembly_evicted: dropped,
        /// Fragments dropped because no memory was left to copy them.
        reassembly_no_memory: dropped,
        /// Fragments dropped after their datagram had been given up.
        reassembly_refused: dropped,
        /// Datagrams given up because only some fragments came from a sender that speaks ECN.
        reassembly_bad_ecn: dropped,
        /// Datagrams whose headers made no sense once they were whole.
        reassembly_malformed: dropped,

        /// Fragments made.
        out_fragments,
        /// Packets too big for their path that may not be fragmented.
        out_fragment_failed: dropped,
        /// Packets without a route.
        out_no_route: dropped,
        /// Packets for which no address of this host can be the source.
        out_no_source: dropped,
        /// Packets whose headers did not fit their header area or length field.
        out_no_room: dropped,
        /// Packets that found the queue of their device full.
        out_queue_full: dropped,
        /// Packets without a socket that waited so long for their device that nobody needs them any more.
        out_queue_late: dropped,

        /// ICMP messages shorter than their header.
        icmp_in_truncated: dropped,
        /// ICMP messages with a wrong checksum.
        icmp_in_bad_checksum: dropped,
        /// ICMP messages of a type that is not handled here.
        icmp_in_unknown_type: dropped,
        /// ICMP errors whose quotation cannot be understood.
        icmp_in_bad_quote: dropped,
        /// Echo requests received.
        icmp_in_echo_requests,
        /// Echo replies received.
        icmp_in_echo_replies,
        /// ICMP errors received.
        icmp_in_errors,
        /// ICMP errors that quote nothing of a socket of this host.
        icmp_in_not_ours: dropped,
        /// Reports that a packet was too long for a link that takes longer ones.
        icmp_in_bad_mtu: dropped,
        /// ICMP errors sent.
        icmp_out_errors,
        /// ICMP errors not sent because the packet in question must not be answered.
        icmp_out_suppressed,
        /// ICMP errors not sent because of the rate limit.
        icmp_out_rate_limited,
        /// ICMP errors not sent because this host has no address to send them from, because the IP version has no
        /// such error, or because memory is out.
        icmp_out_not_made,

        /// Reports about multicast groups sent.
        group_reports,
        /// Queries about multicast groups taken in.
        group_queries,
        /// Messages about multicast groups that are no query which a router of the link would send.
        group_messages_ignored: dropped,
        /// IGMP messages with a wrong checksum.
        igmp_in_bad_checksum: dropped,

        /// Packets (fragments, super-packets) that were queued for the interface by which they are forwarded.
        forwarded,
        /// Not forwarded because there is no route.
        forward_no_route: dropped,
        /// Not forwarded because they would go back to where they came from.
        forward_back: dropped,
        /// Not forwarded because their hop limit was used up.
        forward_hop_limit: dropped,
        /// Not forwarded because they are too big for the next link and must not be fragmented.
        forward_too_big: dropped,
        /// Not forwarded because their addresses mean nothing on another link.
        forward_out_of_scope: dropped,
        /// Super-packets that had to be fragmented and could not be cut.
        forward_not_cut: dropped,
        /// Forwarded packets that found the queue of their interface full.
        forward_queue_full: dropped,
        /// Forwarded packets that waited so long for their device that nobody needs them any more.
        forward_queue_late: dropped,

        /// Packets that were injected.
        injected,
        /// Packets of hooks that could not be injected: there was no room, or no such interface.
        inject_refused: dropped,
        /// Packets dropped by a hook.
        hook_dropped: dropped,
        /// Packets taken by a hook.
        hook_taken,
    }
}

counters! {
    /// Counters of UDP.
    UdpCounters {
        /// Datagrams queued for a socket.
        in_datagrams,
        /// Datagrams queued with the interface that they leave by.
        out_datagrams,
        /// Datagrams that could not be sent when they were given, for another reason than a full queue; whoever gave them
        /// was told.
        out_refused: dropped,
        /// Received shorter than a UDP header.
        in_truncated: dropped,
        /// Received with a length below the header's or beyond the packet's end.
        in_bad_length: dropped,
        /// Received with a wrong checksum.
        in_bad_checksum: dropped,
        /// Received over IPv6 without a checksum.
        in_no_checksum: dropped,
        /// Received for a port that no socket has.
        in_no_port: dropped,
        /// Received by a connected socket from somebody else.
        in_not_peer: dropped,
        /// Dropped because the socket's receive queue was full.
        in_queue_full: dropped,
        /// Dropped because no memory was left to keep them.
        in_no_memory: dropped,
        /// Received in memory that the CPU may not read.
        in_unreadable: dropped,
        /// Errors about datagrams queued for who wants to read them.
        errors_queued,
        /// Errors about datagrams that found the queue full.
        errors_queue_full: dropped,
        /// Times of datagrams that left, queued for who wants to know.
        stamps_queued,
        /// Times of datagrams that left, which found the queue full.
        stamps_queue_full: dropped,
    }
}

counters! {
    /// Counters of ping, raw and packet sockets. Each has a reference to what it receives, so that what one drops is not
    /// lost for others.
    RawCounters {
        /// Packets queued for a socket.
        in_packets,
        /// Packets queued with the interface that they leave by.
        out_packets,
        /// Messages that could not be sent when they were given, for another reason than a full queue; whoever gave them
        /// was told.
        out_refused: dropped,
        /// Dropped because they were not of the socket's peer.
        in_not_peer: dropped,
        /// Dropped because the socket's receive queue was full.
        in_queue_full: dropped,
        /// Dropped because no memory was left to keep them.
        in_no_memory: dropped,
        /// Dropped when it was their turn to leave, because they could not be made into a packet.
        out_malformed: dropped,
    }
}

counters! {
    /// Counters of TCP.
    TcpCounters {
        /// Segments received that parsed.
        in_segments,
        /// Segments sent, a super-packet counted once.
        out_segments,
        /// Connections that this side opened.
        active_opens,
        /// Connections that a peer opened.
        passive_opens,
        /// Segments, or super-packets, sent again.
        retransmits,
        /// Retransmission timers that went off.
        timeouts,
        /// Probes of the end of a flight.
        out_loss_probes,
        /// Probes of a shut window.
        out_window_probes,
        /// Resets sent.
        out_resets,
        /// Resets that ended a connection.
        in_resets,
        /// Challenge acknowledgements sent (RFC 5961).
        out_challenges,
        /// Challenge acknowledgements not sent because one had just been, or too many of all connections.
        challenges_withheld,
        /// Segments beyond a hole.
        in_out_of_order,
        /// Dropped: too short for its header, or a header too short.
        in_malformed: dropped,
        /// Dropped: wrong checksum.
        in_bad_checksum: dropped,
        /// Dropped: port 0.
        in_bad_port: dropped,
        /// Dropped: flags that contradict each other, or the state of the connection.
        in_bad_flags: dropped,
        /// Dropped: in memory that may not be read.
        in_unreadable: dropped,
        /// Dropped: to or from an address that is not one host's.
        in_not_unicast: dropped,
        /// Dropped: no storage for what it carries.
        in_no_memory: dropped,
        /// Dropped: neither a connection nor a listener wants it.
        in_no_connection: dropped,
        /// Dropped: outside the receive window.
        in_out_of_window: dropped,
        /// Dropped: its acknowledgement is of nothing that was sent.
        in_bad_ack: dropped,
        /// Dropped: older than what was received before (PAWS).
        in_paws: dropped,
        /// Dropped: without the timestamp that was agreed on.
        in_no_timestamp: dropped,
        /// Dropped: what waits to be read costs more than the limit, or the stack is short of storage and the
        /// reader lags.
        in_receive_full: dropped,
        /// Dropped: beyond so many holes that no more are kept.
        in_assembler_full: dropped,
        /// Segments that begin with what was received before: that part was dropped.
        in_partly_old,
        /// Segments that reach beyond the receive window, or come while it is shut: that part was dropped.
        in_beyond_window,
        /// Data thrown away because the application has shut its reading side.
        in_read_shut: dropped,
        /// Dropped: data behind the peer's FIN.
        in_after_fin: dropped,
        /// Dropped: resets of a connection in TIME-WAIT (RFC 1337).
        in_resets_ignored: dropped,
        /// Data for a connection that the application has closed; answered with a reset.
        in_after_close: dropped,
        /// Connections that were reset when closed, because too many had been let go of already.
        orphans_reset,
        /// SYNs dropped because a listener's queues, or the stack's tables, were full.
        syn_overflows: dropped,
        /// Handshakes held up because the accept queue, or the stack's table of connections, was full.
        listen_overflows,
        /// SYNs answered with a cookie, because too many connections of their listener were half open.
        syn_cookies_sent,
        /// Cookies that came back: each is a connection, or remembered as half open while the accept queue is full.
        syn_cookies_accepted,
        /// Dropped, and answered with a reset: segments that acknowledge none of the cookies that may come back.
        syn_cookies_refused: dropped,
        /// SYNs whose data was accepted (Fast Open).
        fast_open_passive,
        /// Data that went with a SYN and was accepted.
        fast_open_active,
        /// Cookies of Fast Open that were given out.
        fast_open_cookies_sent,
        /// SYNs with a Fast Open cookie that is not good: their data was dropped.
        fast_open_cookies_refused,
        /// SYNs whose data was dropped because as many connections as may be were pending already, or because the accept
        /// queue was about to be full.
        fast_open_overflows,
        /// Handshakes that showed that a server, or the path there, takes no part in Fast Open.
        fast_open_failures,
        /// Connections reset because closing took longer than their application lingers.
        linger_expired,
        /// Connections in TIME-WAIT that gave way to a new one.
        time_wait_reused,
        /// Connections in TIME-WAIT that were forgotten early, because there were too many.
        time_wait_recycled,
        /// ICMP errors about nothing that is in flight.
        icmp_not_in_flight: dropped,
        /// Path MTU reductions taken over.
        path_mtu_reduced,
        /// Segments that were sent to find out whether the path takes them.
        out_mtu_probes,
        /// Of those, what arrived: segments got longer.
        mtu_probes_passed,
        /// Of those, what did not arrive.
        mtu_probes_lost,
        /// Connections whose segments got shorter because nothing was acknowledged any more, and nobody said why.
        mtu_black_holes,
        /// Times of what left or was acknowledged, queued for who wants to know.
        stamps_queued,
        /// Times of what left or was acknowledged, which found the queue full, and messages beyond as many as are waited
        /// for.
        stamps_queue_full: dropped,
        /// Messages whose bytes were to be shown when they are acknowledged, and which found as many bytes kept as may be.
        stamps_without_payload,
    }
}

counters! {
    /// Counters of gateways.
    GatewayCounters {
        /// Connections to others that were accepted.
        accepted_tcp,
        /// UDP flows to others that were accepted.
        accepted_udp,
        /// Flows that were rejected, and their senders told.
        rejected,
        /// UDP flows that were refused after they had been accepted, and their senders told.
        refused,
        /// Flows that were dropped by decision.
        dropped: dropped,
        /// Flows that were put off.
        put_off,
        /// Flows that were put off and not decided on in time.
        undecided_late: dropped,
        /// SYNs of flows that wait for their decision, again.
        asked_again,
        /// Flows whose sender gave up before they were decided on.
        given_up,
        /// Flows that found too many others waiting.
        backlog_full: dropped,
        /// UDP flows beyond as many as there may be.
        udp_flows_full: dropped,
        /// Datagrams beyond what is kept of a flow before it is decided on.
        undecided_full: dropped,
    }
}

/// All counters of one stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// IP, ICMP, fragmentation and routing.
    pub ip: IpCounters,
    /// UDP.
    pub udp: UdpCounters,
    /// Ping, raw and packet sockets.
    pub raw: RawCounters,
    /// TCP.
    pub tcp: TcpCounters,
    /// Gateways.
    pub gateway: GatewayCounters,
}

impl Counters {
    /// What all layers have dropped.
    pub fn drops(&self) -> u64 {
        self.ip.drops()
            + self.udp.drops()
            + self.raw.drops()
            + self.tcp.drops()
            + self.gateway.drops()
    }

    /// Adds each counter of `more`, another stack's, to the same one here.
    pub fn add(&mut self, more: &Counters) {
        self.ip.add(&more.ip);
        self.udp.add(&more.udp);
        self.raw.add(&more.raw);
        self.tcp.add(&more.tcp);
        self.gateway.add(&more.gateway);
    }

    /// Each counter as `layer`, `name`, `value`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let ip = self.ip.iter().map(|(name, value)| ("ip", name, value));
        let udp = self.udp.iter().map(|(name, value)| ("udp", name, value));
        let raw = self.raw.iter().map(|(name, value)| ("raw", name, value));
        let tcp = self.tcp.iter().map(|(name, value)| ("tcp", name, value));
        let gateway = self.gateway.iter();
        let gateway = gateway.map(|(name, value)| ("gateway", name, value));
        ip.chain(udp).chain(raw).chain(tcp).chain(gateway)
    }
}
