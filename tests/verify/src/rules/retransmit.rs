//! What is sent again, and when.

use crate::out::Out;
use crate::parse::{MS, SEC, ms};
use crate::rule::rules;
use crate::track::{Retransmission, Track, View};

/// The shortest timeout that is usual (RFC 6298 says a second); timers are not exact.
const MIN_RTO: u64 = 180 * MS;

rules! {
    EARLY = Warning "W-RTX-01", "6298 section 2.4", "A timer does not send again before 200 ms" [time near whole];
    NOT_DOUBLED = Error "W-RTX-02", "6298 section 5.5", "Each time a timer sends the same again, it waits twice as long" [time near whole];
    NOT_FIRST = Error "W-RTX-03", "6298 section 5.4; 9293", "What a timer sends again begins with the first unacknowledged byte" [time near whole];
    HASTY = Warning "W-RTX-06", "5681 section 3.2; 8985", "Nothing is sent again on fewer than three duplicate acknowledgements or SACK" [time near whole];
    NEEDLESS = Warning "W-RTX-07", "9293 section 3.8", "What is acknowledged is not sent again" [near whole];
    SAME_ID = Note "W-IP4-11", "6864 section 4.3", "What is sent again and may be fragmented has another identification" [near whole];
    LOST_FIN = Error "W-RTX-10", "9293 section 3.6", "A FIN that is not acknowledged is sent again" [time near whole];
}

#[derive(Default)]
pub(super) struct State {
    /// The last packet of each side that a timer sent.
    timed: [Option<Timed>; 2],
}

/// A packet that a timer sent.
#[derive(Clone, Copy)]
struct Timed {
    packet: u64,
    /// How long nobody had sent anything: what is sent in between, a probe for instance, starts the timer anew.
    silence: u64,
}

impl State {
    pub(super) fn judge(&mut self, view: &View<'_, '_>, out: &mut Out) {
        let Some(again) = view.again().filter(|_| !view.tcp.flags.syn) else {
            return;
        };
        let (mine, number) = (view.me(), view.number());
        let numbers = &[number, again.last_packet];
        judge_id(view, out);
        if again.acked && !again.heard {
            // The acknowledgement came with what its receiver had to drop.
            return;
        }
        if again.acked {
            let una = mine.una_moved.map_or(number, |mark| mark.packet);
            out.add(
                &NEEDLESS,
                view.scope(),
                &[number, una],
                format_args!(
                    "{} to {} had been acknowledged",
                    view.tcp.seq,
                    view.tcp.end()
                ),
            );
            return;
        }
        let is_first_repair = again.times == 1 && !mine.is_recovering();
        // The last segment may be repeated as a probe (RFC 8985).
        if is_first_repair
            && !again.reaches_end
            && again.since < MIN_RTO
            && !mine.sacked.has_holes()
        {
            let rule = match mine.dups {
                0 => Some(&EARLY),
                1 | 2 => Some(&HASTY),
                _ => None,
            };
            if let Some(rule) = rule {
                out.add(
                    rule,
                    view.scope(),
                    numbers,
                    format_args!(
                        "sent again after {:.1} ms with {} duplicate acknowledgements",
                        ms(again.since),
                        mine.dups
                    ),
                );
            }
        }
        if judge_timer(view, again, self.timed[view.facts.me], out) {
            self.timed[view.facts.me] = Some(Timed {
                packet: number,
                silence: silence(view),
            });
        }
    }

    pub(super) fn end(&mut self, flow: &Track, now: u64, out: &mut Out) {
        for (side, half) in flow.halves.iter().enumerate() {
            let Some(fin) = half.fin.filter(|_| !flow.is_reset()) else {
                continue;
            };
            let is_acked = half.una.is_some_and(|una| una.after(fin.seq));
            let times = half.sent.last().map_or(0, |sent| sent.times);
            let waited = now.saturating_sub(fin.time);
            if !is_acked && times == 1 && waited > 10 * SEC {
                out.add(
                    &LOST_FIN,
                    flow.scope(side, true),
                    &[fin.packet],
                    format_args!(
                        "a FIN is not acknowledged and not sent again in {:.0} ms",
                        ms(waited)
                    ),
                );
            }
        }
    }
}

fn judge_id(view: &View<'_, '_>, out: &mut Out) {
    let (tcp, ip) = (view.tcp, &view.packet.ip);
    let before = view.me().sent.overlapping(tcp.seq, tcp.end()).next();
    if let Some(sent) = before
        && ip.is_v4()
        && !ip.dont_fragment
        && sent.ip_id.map(u32::from) == Some(ip.id)
    {
        out.add(
            &SAME_ID,
            view.scope(),
            &[view.number(), sent.last_packet],
            format_args!("sent again with the identification {:#06x}", ip.id),
        );
    }
}

/// Whether something is sent again after a silence of both sides.
pub(super) fn is_after_silence(view: &View<'_, '_>, again: Retransmission) -> bool {
    silence(view) >= MIN_RTO && again.since >= MIN_RTO
}

/// For how long neither side has sent anything.
fn silence(view: &View<'_, '_>) -> u64 {
    let last = [view.me().last, view.peer().last].into_iter().flatten();
    let since = last.map(|last| view.now().saturating_sub(last.time));
    since.min().unwrap_or(u64::MAX)
}

/// What is sent again after a silence, so by a timer; says whether it is. `before` is what one sent last.
fn judge_timer(
    view: &View<'_, '_>,
    again: Retransmission,
    before: Option<Timed>,
    out: &mut Out,
) -> bool {
    let (mine, numbers) = (view.me(), &[view.number(), again.last_packet]);
    let heard = view
        .peer()
        .last
        .is_some_and(|last| last.time > again.last_time);
    let is_timer = is_after_silence(view, again) && !heard;
    if is_timer && !again.at_una && !again.reaches_end {
        out.add(
            &NOT_FIRST,
            view.scope(),
            numbers,
            format_args!(
                "after {:.0} ms of silence {} is sent again, and {} is not acknowledged",
                ms(again.since),
                view.tcp.seq,
                mine.una.unwrap_or_default()
            ),
        );
    }
    // The first gap may be that of a probe, and other gaps those of acknowledgements.
    let before = before.filter(|before| before.packet == again.last_packet);
    if is_timer
        && again.times >= 3
        && let Some(before) = before
        && again.since < again.gap.min(before.silence).min(40 * SEC) / 2 * 3
    {
        out.add(
            &NOT_DOUBLED,
            view.scope(),
            numbers,
            format_args!(
                "sent for the {}th time after {:.0} ms, the time before after {:.0}",
                again.times + 1,
                ms(again.since),
                ms(again.gap.min(before.silence))
            ),
        );
    }
    is_timer
}
