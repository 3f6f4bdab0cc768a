//! Messages of several kinds of memory in one stream.

use crate::test_support::{owned, pool, vec};
use crate::{Chain, Completion, Completions, Order, Region, Span};

fn done(first: u32, last: u32, copied: bool) -> Option<Completion> {
    Some(Completion {
        first,
        last,
        copied,
    })
}

#[test]
fn messages_that_share_a_node_are_done_one_by_one() {
    let (_, pool) = pool(4096);
    let mut completions = Completions::new(Order::Stream, 10);
    let mut chain = Chain::stream(&pool);
    for _ in 0..4 {
        chain.append(&[1; 100]).unwrap();
        chain.end_message(completions.token().unwrap());
    }
    chain.release(99);
    assert_eq!((completions.poll(), chain.messages()), (None, 4));
    chain.release(250);
    assert_eq!(completions.poll(), done(0, 1, false));
    // Bytes that were copied in are the stack's: a packet of them holds up nothing.
    let packet = chain.span(250, 10);
    chain.release(400);
    assert_eq!((completions.poll(), packet.len()), (done(2, 3, false), 10));
    chain.end_message(completions.token().unwrap());
    assert_eq!(
        (completions.poll(), chain.messages()),
        (done(4, 4, false), 0)
    );
}

#[test]
fn a_message_of_several_kinds_is_done_when_its_lent_parts_are() {
    let (ledger, pool) = pool(64);
    let mut completions = Completions::new(Order::Stream, 10);
    let mut chain = Chain::stream(&pool);
    let region = Region::new(&ledger, vec![7_u8; 1000]);
    let token = completions.token().unwrap();
    chain.append(b"header").unwrap();
    chain.append_span(region.lend_all(&[0..300, 500..600], Some(&token)).unwrap());
    let body = Span::from_owner(&ledger, (vec![8_u8; 500], token.clone())).unwrap();
    chain.append_span(body);
    chain.append(b"trailer").unwrap();
    chain.end_message(token);
    let second = completions.token().unwrap();
    chain.append(b"next").unwrap();
    chain.end_message(second);

    let whole = chain.span(0, 913);
    let expected = [&b"header"[..], &[7; 400], &[8; 500], b"trailer"].concat();
    assert_eq!(vec(&whole), expected[..whole.len()]);
    let retransmission = chain.span(6, 10);
    drop(whole);
    chain.release(chain.end());
    // The second is done, but not before the first.
    assert_eq!(completions.poll(), None);
    drop(retransmission);
    assert_eq!(completions.poll(), done(0, 1, false));
    assert_eq!(
        region.unregister().map(|owner| owner.len()).ok(),
        Some(1000)
    );
}

#[test]
fn an_aborted_stream_completes_what_it_held() {
    let (ledger, pool) = pool(64);
    let mut completions = Completions::new(Order::Stream, 10);
    let mut chain = Chain::stream(&pool);
    for _ in 0..3 {
        let token = completions.token().unwrap();
        let owner = (vec![1_u8; 100], token.clone());
        chain.append_span(Span::from_owner(&ledger, owner).unwrap());
        chain.end_message(token);
    }
    drop(chain);
    assert_eq!(completions.poll(), done(0, 2, false));
    let mut arena = Chain::arena(&pool);
    arena.copy(b"abc").unwrap();
    arena.end_message(completions.token().unwrap());
    assert_eq!(completions.poll(), done(3, 3, false));
    assert_eq!((completions.poll(), owned(&ledger, b"x").len()), (None, 1));
}
