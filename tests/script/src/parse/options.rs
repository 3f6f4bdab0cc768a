//! TCP options: `<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>`.

use super::input::{Input, Parsed, hex_bytes, need, number, place, refused, take, take_word, word};
use crate::ast::TcpOption;

/// Options of TCP fill at most so many bytes.
const ROOM: usize = 40;

/// Options behind `<`, with the `>`.
pub(super) fn options(input: &mut Input<'_>) -> Parsed<Vec<TcpOption>> {
    let begin = place(input);
    let mut options = vec![option(input)?];
    while take(input, ",")? {
        options.push(option(input)?);
    }
    need(input, ">", "or `,` behind an option")?;
    let len: usize = options.iter().map(TcpOption::size).sum();
    if len > ROOM {
        return refused(
            begin,
            format!("these options fill {len} bytes, and there is room for {ROOM}"),
        );
    }
    if !len.is_multiple_of(4) {
        return refused(
            begin,
            format!(
                "these options fill {len} bytes, which is no multiple of four: add `nop` or `eol`"
            ),
        );
    }
    Ok(options)
}

fn option(input: &mut Input<'_>) -> Parsed<TcpOption> {
    let begin = place(input);
    let what =
        "an option: `mss`, `sackOK`, `sack`, `TS`, `nop`, `eol`, `wscale`, `FO`, `FOEXP` or `raw`";
    Ok(match word(input, what)? {
        "eol" => TcpOption::Eol,
        "nop" => TcpOption::Nop,
        "mss" => TcpOption::Mss(number(input, "a segment size")?),
        "wscale" => TcpOption::Scale(number(input, "a window scale")?),
        "sackOK" => TcpOption::SackOk,
        "sack" => TcpOption::Sack(blocks(input)?),
        "TS" => {
            let val_at = place(input);
            if !take_word(input, "val")? {
                return refused(
                    val_at,
                    "expected `val` behind `TS`, as in `TS val 100 ecr 0`",
                );
            }
            let val = number(input, "a timestamp")?;
            let ecr_at = place(input);
            if !take_word(input, "ecr")? {
                return refused(
                    ecr_at,
                    "expected `ecr` behind the timestamp, as in `TS val 100 ecr 0`",
                );
            }
            TcpOption::Timestamps {
                val,
                ecr: number(input, "an echoed timestamp")?,
            }
        }
        "raw" => TcpOption::Raw(hex_bytes(input)?),
        "FO" => TcpOption::FastOpen(hex_bytes(input)?),
        "FOEXP" => TcpOption::FastOpenExperiment(hex_bytes(input)?),
        other => return refused(begin, format!("expected {what}, found `{other}`")),
    })
}

fn blocks(input: &mut Input<'_>) -> Parsed<Vec<(u32, u32)>> {
    let mut blocks = Vec::new();
    while input.as_ref().starts_with(|c: char| c.is_ascii_digit()) {
        let left = number(input, "the left edge of a block")?;
        need(input, ":", "between the edges of a block")?;
        blocks.push((left, number(input, "the right edge of a block")?));
    }
    Ok(blocks)
}
