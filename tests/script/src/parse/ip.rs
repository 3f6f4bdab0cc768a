//! What stands in brackets about an IP header: `[ect0, ttl 1]`, `[src 10.0.0.1, badsum]`, `[id 7, part 0:1480]`.

use std::net::IpAddr;

use winnow::stream::Stream;

use super::input::{
    Input, Parsed, expected, hex_bytes, need, number, place, refused, skip, take, take_word, word,
};
use crate::ast::{Class, FlowLabel, IpSpec, Settings, Shape, Sum};

/// What may be said of a packet of the host as well as of one of the script.
const LOOKED_AT: [&str; 5] = ["id", "part", "options", "ext", "at"];

/// A flow label has 20 bits.
const LAST_LABEL: u32 = 0xF_FFFF;
/// Options of IPv4 fill at most so many bytes.
const ROOM: usize = 40;

/// Reads what stands behind `[`, with the `]`.
pub(super) fn ip(input: &mut Input<'_>, settings: &Settings, outbound: bool) -> Parsed<IpSpec> {
    let (mut ip, mut shape) = (IpSpec::default(), Shape::default());
    loop {
        let begin = place(input);
        let what = "`noecn`, `ect0`, `ect1`, `ect01`, `ce`, `tos`, `ttl`, `flowlabel`, `src`, `dst` or what is done to a packet";
        match word(input, what)? {
            "noecn" => ip.class = Some(Class::Ecn(0)),
            "ect1" => ip.class = Some(Class::Ecn(1)),
            "ect0" => ip.class = Some(Class::Ecn(2)),
            "ce" => ip.class = Some(Class::Ecn(3)),
            "ect01" => ip.class = Some(Class::Ect01),
            "tos" => ip.class = Some(Class::Tos(number(input, "a type of service")?)),
            "ttl" => ip.ttl = Some(number(input, "a time to live")?),
            "flowlabel" if outbound && take_word(input, "any")? => {
                ip.flow_label = Some(FlowLabel::Chosen);
            }
            "flowlabel" => {
                let at = place(input);
                let label: u32 = number(input, "a flow label")?;
                if label > LAST_LABEL {
                    return refused(at, format!("{label} is too large for a flow label"));
                }
                ip.flow_label = Some(FlowLabel::Is(label));
            }
            "src" => ip.src = Some(address(input, settings)?),
            "dst" => ip.dst = Some(address(input, settings)?),
            "df" if outbound => ip.dont_fragment = Some(true),
            "nodf" if outbound => ip.dont_fragment = Some(false),
            other if outbound && !LOOKED_AT.contains(&other) => {
                return refused(
                    begin,
                    format!(
                        "expected what can be said about a packet of the host, found `{other}`"
                    ),
                );
            }
            other => {
                if !done(input, other, settings, &mut shape)? {
                    return refused(begin, format!("expected {what}, found `{other}`"));
                }
            }
        }
        if !take(input, ",")? {
            break;
        }
    }
    need(input, "]", "behind what is said about the IP header")?;
    ip.shape = (shape != Shape::default()).then(|| Box::new(shape));
    Ok(ip)
}

/// What is done to a packet of the script; `false` where `word` is nothing of that.
fn done(input: &mut Input<'_>, word: &str, settings: &Settings, shape: &mut Shape) -> Parsed<bool> {
    let begin = place(input);
    match word {
        "id" => shape.id = Some(number(input, "an identification")?),
        "part" => {
            let from: u16 = number(input, "the first byte of a part, as in `0:1480`")?;
            need(input, ":", "between the ends of a part, as in `0:1480`")?;
            let to: u16 = number(input, "the end of a part, as in `0:1480`")?;
            if !from.is_multiple_of(8) || to < from {
                return refused(
                    begin,
                    "a part begins at a multiple of eight, and ends behind it",
                );
            }
            shape.part = Some((from, to));
        }
        "proto" => shape.protocol = Some(number(input, "a protocol")?),
        "options" | "ext" => {
            let v6 = word == "ext";
            if settings.local.is_ipv6() != v6 {
                return refused(begin, "`options` are of IPv4, and `ext` is of IPv6");
            }
            if v6 {
                let kind = number(input, "the kind of an extension header")?;
                shape.extensions.push((kind, hex_bytes(input)?));
            } else {
                shape.options = hex_bytes(input)?;
            }
            if shape.options.len() > ROOM {
                return refused(begin, format!("options of IPv4 fill at most {ROOM} bytes"));
            }
        }
        "at" => {
            let at = number(input, "a place in the packet")?;
            need(input, ":", "between a place and what stands there")?;
            let bytes = hex_bytes(input)?;
            if bytes.is_empty() {
                return expected(input, "the bytes that stand there, as in `at 6:1fff`");
            }
            shape.bytes.push((at, bytes));
        }
        "badsum" => shape.sum = Sum::Wrong,
        "nosum" => shape.sum = Sum::None,
        "badheader" => shape.header_sum_wrong = true,
        "cut" => shape.cut = Some(number(input, "how many bytes are left")?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// An address of the script's version of IP.
fn address(input: &mut Input<'_>, settings: &Settings) -> Parsed<IpAddr> {
    let begin = place(input);
    let rest: &str = input.as_ref();
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
    let text = input.next_slice(end.unwrap_or(rest.len()));
    skip(input)?;
    let parsed: Option<IpAddr> = text.parse().ok();
    match parsed.filter(|address| address.is_ipv4() == settings.local.is_ipv4()) {
        Some(address) => Ok(address),
        None => refused(
            begin,
            "an address of the script's version of IP is wanted here, as in `192.0.2.7`",
        ),
    }
}
