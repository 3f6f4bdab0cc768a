//! Concurrency models, built and run with `--cfg loom`.

use loom::thread;

use crate::{Chain, Completion, Completions, Ledger, Order, Pool, PoolConfig};

fn pool(ledger: &Ledger) -> Pool {
    let config = PoolConfig {
        segment: 64,
        limit: 640,
        keep: 1,
    };
    Pool::new(ledger, config)
}

#[test]
fn a_committed_span_is_read_while_the_next_reservation_is_written() {
    loom::model(|| {
        let ledger = Ledger::new();
        let mut chain = Chain::stream(&pool(&ledger));
        let mut room = chain.reserve(40).unwrap();
        room[..40].fill(1);
        let span = room.commit(40);
        let reader = thread::spawn(move || {
            assert_eq!(span.to_vec(), Ok(vec![1; 40]));
            drop(span);
        });
        // The rest of the node, then one that is linked to it.
        assert_eq!(chain.append(&[2; 40]), Ok(40));
        chain.release(40);
        assert_eq!(chain.span(40, 40).to_vec(), Ok(vec![2; 40]));
        reader.join().unwrap();
        drop(chain);
        assert_eq!(ledger.live_nodes(), 0);
    });
}

#[test]
fn a_detached_reservation_is_filled_elsewhere_and_handed_over() {
    loom::model(|| {
        let ledger = Ledger::new();
        let pool = pool(&ledger);
        let mut chain = Chain::stream(&pool);
        let mut room = pool.reserve().unwrap();
        let filler = thread::spawn(move || {
            room[..50].fill(3);
            let span = room.commit(50);
            let peek = span.clone();
            (span, thread::spawn(move || drop(peek)))
        });
        chain.append(&[1; 10]).unwrap();
        let (span, peek) = filler.join().unwrap();
        // Whether the other pin is gone yet decides who fills the rest.
        chain.append_span(span);
        chain.append(&[4; 10]).unwrap();
        peek.join().unwrap();
        let mut all = [0; 70];
        let mut at = 0;
        while at < 70 {
            at += chain
                .span(at as u64, 70)
                .copy_to(0, &mut all[at..])
                .unwrap();
        }
        assert_eq!(all[..], *[&[1; 10][..], &[3; 50], &[4; 10]].concat());
        drop(chain);
        assert_eq!(ledger.live_nodes(), 0);
    });
}

#[test]
fn a_message_ends_once_whether_its_span_or_its_stream_goes_last() {
    loom::model(|| {
        let ledger = Ledger::new();
        let mut chain = Chain::stream(&pool(&ledger));
        let mut completions = Completions::new(Order::Stream, 4);
        let token = completions.token().unwrap();
        let owner = (vec![5_u8; 64], token.clone());
        chain.append_span(crate::Span::from_owner(&ledger, owner).unwrap());
        chain.end_message(token);
        let packet = chain.span(0, 64);
        let driver = thread::spawn(move || drop(packet));
        drop(chain);
        driver.join().unwrap();
        let done = Completion {
            first: 0,
            last: 0,
            copied: false,
        };
        assert_eq!((completions.poll(), completions.poll()), (Some(done), None));
        assert_eq!(ledger.live_nodes(), 0);
    });
}
