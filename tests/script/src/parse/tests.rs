//! The language: what is read as what, and what errors say.

use std::path::Path;
use std::time::Duration;

use super::parse;
use crate::ast::{
    Action, Body, Class, Echo, Expr, Script, Segment, Shape, Statement, Sum, TcpOption, Wanted,
    When,
};

fn read(text: &str) -> Script {
    parse(Path::new("a.pkt"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    parse(Path::new("a.pkt"), text)
        .expect_err("an error")
        .to_string()
}

fn segment(line: &str) -> Segment {
    match &read(line).events[0].action {
        Action::Inbound(packet) | Action::Outbound(packet) => match &packet.body {
            Body::Tcp(segment) => segment.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn times_are_read_as_they_are_written() {
    let script = read(
        "0.1 < . 1:1(0) ack 1\n+.05 < . 1:1(0) ack 1\n* > . 1:1(0) ack 1\n0.1~0.2 > . 1:1(0)\n\
         +.1~+.2 > . 1:1(0)\n+0...0.2 connect(3, ..., ...) = 0\n1...2 accept(3, ..., ...) = 4\n",
    );
    let ms = Duration::from_millis;
    let whens: Vec<When> = script.events.iter().map(|event| event.when).collect();
    assert_eq!(
        whens,
        [
            When::At(ms(100)),
            When::After(ms(50)),
            When::Any,
            When::Between(ms(100), ms(200)),
            When::AfterBetween(ms(100), ms(200)),
            When::Span {
                begin: ms(0),
                end: ms(200),
                relative: true
            },
            When::Span {
                begin: ms(1000),
                end: ms(2000),
                relative: false
            },
        ]
    );
    assert_eq!(script.events[3].line, 4);
}

#[test]
fn times_do_not_go_back() {
    for (text, begun) in [
        ("5 < . 1:1(0)\n1 < . 1:1(0)", "5.000000"),
        ("5 < . 1:1(0)\n1~4 > . 1:1(0)", "5.000000"),
        ("5 < . 1:1(0)\n* > . 1:1(0)\n1 < . 1:1(0)", "5.000000"),
        ("5 < . 1:1(0)\n+1 < . 1:1(0)\n5.9 < . 1:1(0)", "6.000000"),
        ("5 < . 1:1(0)\n+1~+2 > . 1:1(0)\n5.9 < . 1:1(0)", "5.996000"),
        ("5...9 close(3) = 0\n4...8 close(3) = 0", "5.000000"),
        ("+2...9 close(3) = 0\n1 close(3) = 0", "2.000000"),
    ] {
        let told = error(text);
        let what = format!("this time has passed: an event before is at {begun}");
        assert!(told.ends_with(&what), "{told}");
        let line = text.lines().count();
        assert!(told.starts_with(&format!("a.pkt:{line}:1: ")), "{told}");
    }
    for text in [
        "5 < . 1:1(0)\n5 < . 1:1(0)\n4~6 > . 1:1(0)",
        "5...9 close(3) = 0\n6 < . 1:1(0)",
        "5~9 > . 1:1(0)\n6 < . 1:1(0)",
        "5 < . 1:1(0)\n* > . 1:1(0)\n+1 < . 1:1(0)\n5.5 < . 1:1(0)",
    ] {
        read(text);
    }
}

#[test]
fn segments_are_read_whole() {
    let segment = segment(
        "0 > SEW. 4294967295:9(10) ack 7 win 65535 urg 3 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
    );
    assert_eq!(
        (segment.flags, segment.seq, segment.len),
        (0xd2, u32::MAX, 10)
    );
    assert_eq!(
        (segment.ack, segment.window, segment.urgent),
        (Some(7), Some(65535), Some(3))
    );
    let options = segment.options.expect("options");
    assert_eq!(options[0], TcpOption::Mss(1460));
    assert_eq!(options[2], TcpOption::Timestamps { val: 100, ecr: 0 });
}

#[test]
fn options_may_be_left_open_or_selective() {
    assert_eq!(segment("0 > . 1:1(0) ack 1 <...>").options, None);
    assert_eq!(
        segment("0 < . 1:1(0) ack 1 win 10 <nop,nop,sack 1:2 3:4>").options,
        Some(vec![
            TcpOption::Nop,
            TcpOption::Nop,
            TcpOption::Sack(vec![(1, 2), (3, 4)])
        ])
    );
    assert_eq!(
        segment("0 < S 0:0(0) win 10 <FO 0102030405060708,nop,nop>").options,
        Some(vec![
            TcpOption::FastOpen(vec![1, 2, 3, 4, 5, 6, 7, 8]),
            TcpOption::Nop,
            TcpOption::Nop
        ])
    );
}

#[test]
fn two_packets_follow_each_other_without_options() {
    assert_eq!(
        read("0 < . 1:1(0) ack 1\n0 < . 1:1(0) ack 1").events.len(),
        1 + 1
    );
}

#[test]
fn the_ip_header_may_be_described() {
    let script = read(
        "0 < [ect0, ttl 3] . 1:1(0) ack 1\n0 > [ect01] . 1:1(0) ack 1\n0 > [tos 0x10] udp (9)",
    );
    let Action::Inbound(packet) = &script.events[0].action else {
        panic!("inbound");
    };
    assert_eq!(
        (packet.ip.class, packet.ip.ttl),
        (Some(Class::Ecn(2)), Some(3))
    );
}

#[test]
fn packets_of_the_script_may_be_parts_and_may_be_wrong() {
    let script = read(
        "0 < [src 192.0.2.9, dst 255.255.255.255, id 7, part 8:16, proto 200, options 0101, at 6:1fff, badsum, badheader, cut 30] udp (9)",
    );
    let Action::Inbound(packet) = &script.events[0].action else {
        panic!("inbound");
    };
    assert_eq!(packet.ip.src, "192.0.2.9".parse().ok());
    assert_eq!(packet.ip.dst, "255.255.255.255".parse().ok());
    let shape = Shape {
        id: Some(7),
        part: Some((8, 16)),
        protocol: Some(200),
        options: vec![1, 1],
        extensions: Vec::new(),
        bytes: vec![(6, vec![0x1f, 0xff])],
        sum: Sum::Wrong,
        header_sum_wrong: true,
        cut: Some(30),
    };
    assert_eq!(packet.ip.shape.as_deref(), Some(&shape));
}

#[test]
fn what_is_done_to_packets_fits_the_script() {
    for (text, why) in [
        ("0 > [badsum] udp (9)", "of the host, found `badsum`"),
        ("0 < [df] udp (9)", "found `df`"),
        ("0 > mld report 00", "another version of IP"),
        ("0 < igmp done 00", "`done` is no message about groups"),
        ("0 < [part 3:8] udp (9)", "multiple of eight"),
        ("0 < [part 8:0] udp (9)", "multiple of eight"),
        ("0 < [ext 60 00] udp (9)", "`ext` is of IPv6"),
        ("0 < [src ff02::1] udp (9)", "version of IP"),
        ("0 < [frob] udp (9)", "found `frob`"),
        ("0 < [at 6:] udp (9)", "the bytes that stand there"),
    ] {
        let said = error(text);
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_ping_has_an_identifier_a_number_and_data() {
    let script =
        read("0 < icmp echo_request id 7 seq 2 (56)\n+0 > icmp echo_reply id 7 seq 2 (56)");
    let Action::Inbound(packet) = &script.events[0].action else {
        panic!("inbound");
    };
    let echo = Echo {
        kind: 8,
        id: 7,
        seq: 2,
        len: 56,
    };
    assert_eq!(packet.body, Body::Echo(echo));
}

#[test]
fn calls_have_arguments_results_and_errors() {
    let script = read(
        "0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3\n\
         +0 connect(3, {sa_family=AF_INET, sin_port=htons(80)}, ...) = -1 EINPROGRESS (Operation now in progress)\n\
         +0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)\n+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n\
         +0 poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0\n+0 read(3, ..., 10) = ?",
    );
    let calls: Vec<_> = script
        .events
        .iter()
        .map(|event| match &event.action {
            Action::Call(call) => call,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(matches!(&calls[1].result, Wanted::Error(name) if name == "EINPROGRESS"));
    assert_eq!(calls[3].args[3], Expr::List(vec![Expr::Int(1)]));
    assert!(matches!(calls[5].result, Wanted::Any));
}

#[test]
fn assertions_are_split_into_statements() {
    let script = read(
        "0 %{\nassert tcpi_snd_cwnd == 10, 'cwnd is not ten'\nx = 2 * (1 + 3) // 2; print(x)\n}%\n",
    );
    let Action::Code(code) = &script.events[0].action else {
        panic!("code");
    };
    assert_eq!(code.len(), 3);
    assert!(
        matches!(&code[0], Statement::Assert { line: 2, text, .. } if text == "tcpi_snd_cwnd == 10")
    );
}

#[test]
fn settings_and_sysctls_are_read() {
    let script = read(
        "// a remark\n--ip_version=ipv6\n--tolerance_usecs=1000\n--mtu=1280\n`sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_ecn=1`\n",
    );
    assert!(script.settings.local.is_ipv6());
    assert_eq!(script.settings.mtu, 1280);
    let Action::Sysctl(set) = &script.events[0].action else {
        panic!("sysctl");
    };
    assert_eq!(set[1], ("net.ipv4.tcp_ecn".to_owned(), vec![1]));
}

#[test]
fn other_lines_for_the_shell_are_kept_as_such() {
    assert!(
        matches!(&read("`tc qdisc show`").events[0].action, Action::Shell(text) if text == "tc qdisc show")
    );
}

/// What is wrong, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    (
        "0 > Z 1:1(0)",
        "a.pkt:1:5: expected flags of a segment (`S`, `.`, `P.`, `F.`, `R`, ...), `udp`, `icmp`, `icmpv6`, `igmp` or `mld`, found `Z`",
    ),
    (
        "\n0 < . 1:5(3) ack 1",
        "a.pkt:2:7: from 1 to 5 are 4 bytes, and not 3",
    ),
    (
        "0 < . 1:1(0) ack x",
        "a.pkt:1:18: expected an acknowledgement number, found `x`",
    ),
    (
        "0 < S 0:0(0) <mss>",
        "a.pkt:1:18: expected a segment size, found `>`",
    ),
    (
        "0 < S 0:0(0) <nop>",
        "a.pkt:1:15: these options fill 1 bytes, which is no multiple of four: add `nop` or `eol`",
    ),
    (
        "0 < S 0:0(0) win 70000",
        "a.pkt:1:18: 70000 is too large for a window",
    ),
    (
        "0 close(3",
        "a.pkt:1:10: expected `,` or `)`, found the end of the file",
    ),
    (
        "0 close(3) = -1 EWHAT",
        "a.pkt:1:17: `EWHAT` is no error that is known here",
    ),
    (
        "0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [4000000000], 4) = 0",
        "a.pkt:1:41: 4000000000 is beyond the numbers of calls, which have 32 bits",
    ),
    (
        "0 poll([], 0, -2147483649) = 0",
        "a.pkt:1:15: -2147483649 is beyond the numbers of calls, which have 32 bits",
    ),
    (
        "0 < [frob] . 1:1(0)",
        "a.pkt:1:6: expected `noecn`, `ect0`, `ect1`, `ect01`, `ce`, `tos`, `ttl`, `flowlabel`, `src`, `dst` or what is done to a packet, found `frob`",
    ),
    (
        "--frob=1",
        "a.pkt:1:1: there is no option `--frob`: there are ip_version, local_ip, remote_ip, bind_port, connect_port, tolerance_usecs and mtu",
    ),
    (
        "0 %{ assert 1 + }%",
        "a.pkt:1:16: expected a number, a name or `(`, found the end of the statement",
    ),
    (
        "0 /* never",
        "a.pkt:1:3: this comment does not end: `*/` is missing",
    ),
    (
        "0 < ipv4 1.2.3.4 > 5.6.7.8: . 1:1(0)",
        "a.pkt:1:5: packets in tunnels are not part of this runner",
    ),
    (
        "* close(3) = 0",
        "a.pkt:1:1: only for what the host sends may the time be left open: give this event one time",
    ),
    (
        "1...2 < . 1:1(0)",
        "a.pkt:1:1: only a call can last: give this event one time",
    ),
    (
        "2~1 > . 1:1(0)",
        "a.pkt:1:1: this range of time ends before it begins",
    ),
    (
        "0 < udp (65535)",
        "a.pkt:1:5: there is no such packet: IP carries at most 65515 bytes here",
    ),
    (
        "0 < S 0:65500(65500) win 1 <mss 1000>",
        "a.pkt:1:5: there is no such packet: IP carries at most 65515 bytes here",
    ),
    ("", "a.pkt:1:1: nothing happens in this script"),
    (
        "// ip : both\n0 close(3) = 0",
        "a.pkt:1:1: this remark is written `// ip: `",
    ),
    (
        "0 close(3) = 0\n  // ip: ipv6\n",
        "a.pkt:2:3: of versions of IP only `// ip: both` can be said",
    ),
    (
        "// judge: W-RTX-01, W-RTX-1\n0 close(3) = 0",
        "a.pkt:1:1: the judge has no rule `W-RTX-1`",
    ),
    (
        "// runs: everywhere\n// linux: not there\n0 close(3) = 0",
        "a.pkt:1:1: a script that runs everywhere cannot say why Linux differs",
    ),
    (
        "+4294967295 close(3) = 0",
        "a.pkt:1:1: by this event more than a century has passed",
    ),
    (
        "+1576800000 close(3) = 0\n+1576800000...1576800001 close(3) = 0",
        "a.pkt:2:1: by this event more than a century has passed",
    ),
    (
        "--tolerance_usecs=18446744073709551615",
        "a.pkt:1:1: a tolerance is an hour at most",
    ),
];

#[test]
fn errors_name_the_place_and_what_was_expected() {
    for (text, wanted) in WRONG {
        assert_eq!(error(text), *wanted, "{text}");
    }
}

#[test]
fn a_statement_is_as_long_as_somebody_writes_it() {
    for (one, operator) in [
        ("1", "+"),
        ("(1)", "*"),
        ("x", " or "),
        ("\"\"", "=="),
        ("-1", " and "),
    ] {
        let of = |count: usize| {
            let terms = vec![one; count].join(operator);
            parse(Path::new("a.pkt"), &format!("0 %{{ assert {terms} }}%"))
        };
        assert!(of(60).is_ok(), "{operator}");
        let why = of(20_000).expect_err("much too long").what;
        assert_eq!(why, "this statement has more than 256 operands and words");
    }
}

#[test]
fn lines_are_counted_through_events_and_blocks() {
    let script = read(
        "0 close(3) = 0\n\n+0 %{\nx = (1 +\n2)\n\n  assert x == 3\n}% +0 close(4) = 0\n// é\n+0 close(5) = 0",
    );
    let lines: Vec<usize> = script.events.iter().map(|event| event.line).collect();
    assert_eq!(lines, [1, 3, 8, 10]);
    let Action::Code(code) = &script.events[1].action else {
        panic!("code");
    };
    assert!(matches!(code[1], Statement::Assert { line: 7, .. }));
}

#[test]
fn a_long_script_is_read_in_time_that_grows_with_its_length() {
    // Counting lines from the beginning for each event took minutes.
    let script = read(&"+.001 < . 1:1(0) ack 1 win 65\n".repeat(100_000));
    assert_eq!(script.events.last().map(|event| event.line), Some(100_000));
    let statements = format!("0 %{{\n{}}}%", "x = 1\n".repeat(100_000));
    read(&statements);
}

#[test]
fn remarks_that_are_almost_written_are_errors() {
    for (line, word) in [
        ("// IP: both", "ip"),
        ("//ip:both", "ip"),
        ("# ip: both", "ip"),
        ("/// ip: both", "ip"),
        ("/* ip: both */", "ip"),
        ("// run: everywhere", "runs"),
        ("// Runs: everywhere", "runs"),
        ("// rusn: everywhere", "runs"),
        ("// reqs: MUST-13", "req"),
        ("// jugde: W-RTX-01", "judge"),
        ("// judges: W-RTX-01", "judge"),
        ("// jdge: W-RTX-01", "judge"),
        ("// judgee: W-RTX-01", "judge"),
        ("// linus: does otherwise", "linux"),
    ] {
        let wanted = format!("a.pkt:1:1: this remark is written `// {word}: `");
        assert_eq!(error(&format!("{line}\n0 close(3) = 0")), wanted, "{line}");
    }
    for line in [
        "// the IP: both",
        "// is: that so",
        "// Linux 5: another",
        "// rule: none",
        "// ip, both",
        "# both: versions",
    ] {
        let script = read(&format!("{line}\n0 close(3) = 0"));
        assert!(!script.both && !script.everywhere, "{line}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let script = read("\u{feff}// ip: both\n0 close(3) = 0");
    assert!(script.both);
    assert_eq!(
        error("\u{feff}0 close(3 = 0"),
        "a.pkt:1:11: expected `,` or `)`, found `=`"
    );
    assert!(error("0 \u{feff}").starts_with("a.pkt:1:3: "));
}

#[test]
fn no_text_makes_the_parser_panic() {
    let seed = "0.1 < [ect0] S. 0:0(0) ack 1 win 9 <mss 9,TS val 1 ecr 2> %{ assert (a<b) }% `x` f({a=[1|2]}, \"é\") = -1 EIO";
    for begin in 0..seed.len() {
        for end in begin..seed.len() {
            if let Some(text) = seed.get(begin..end) {
                let _ = parse(Path::new("x"), text);
            }
        }
    }
    let _ = parse(Path::new("x"), &format!("0 f({}", "[".repeat(100_000)));
    let _ = parse(
        Path::new("x"),
        &format!("0 %{{ assert {}1 }}%", "(".repeat(100_000)),
    );
}
