use super::*;

fn sending(seq: u32, end: u32, payload: &[u8]) -> Sending<'_> {
    Sending {
        seq: Seq(seq),
        end: Seq(end),
        now: u64::from(seq),
        packet: 1,
        tsval: None,
        ip_id: None,
        payload,
    }
}

#[test]
fn a_list_is_never_longer_than_its_limit() {
    let (mut list, mut budget) = (SentList::default(), Budget::default());
    // Every other byte, and then what fills sixty holes at a time.
    for at in 0..LIMIT as u32 {
        list.send(sending(4 * at, 4 * at + 1, b"x"), &mut budget);
    }
    for at in 0..LIMIT as u32 / 60 {
        let seq = 240 * at;
        list.send(sending(seq, seq + 240, &[b'x'; 240]), &mut budget);
        assert!(list.list.len() <= LIMIT, "{}", list.list.len());
    }
    list.clear(&mut budget);
    assert_eq!((budget.bytes, budget.segments), (KEPT, REMEMBERED as isize));
    assert_eq!(list.kept, 0);
}

#[test]
fn all_lists_together_remember_a_bounded_number() {
    let mut budget = Budget::default();
    let mut lists: Vec<SentList> = Vec::new();
    for _ in 0..100 {
        let mut list = SentList::default();
        for at in 0..LIMIT as u32 {
            list.send(sending(at, at + 1, &[]), &mut budget);
        }
        lists.push(list);
    }
    let all: usize = lists.iter().map(|list| list.list.len()).sum();
    assert!(all <= REMEMBERED + 100 * ALWAYS, "{all}");
    assert!(lists.iter().all(|list| list.list.len() >= ALWAYS));
    // The newest are those that are remembered.
    assert_eq!(
        lists[99].last().map(|sent| sent.end),
        Some(Seq(LIMIT as u32))
    );
}

#[test]
fn a_sending_that_repeats_many_makes_them_one() {
    let (mut list, mut budget) = (SentList::default(), Budget::default());
    for at in 0..1000 {
        list.send(sending(10 + at, 11 + at, b"x"), &mut budget);
    }
    list.send(sending(20, 900, &[b'x'; 880]), &mut budget);
    assert_eq!(list.list.len(), 10 + 1 + 110);
    let joined: Vec<&Sent> = list.overlapping(Seq(20), Seq(900)).collect();
    assert_eq!((joined.len(), joined[0].times), (1, 2));
    assert_eq!(
        (joined[0].first, joined[0].seq, joined[0].end),
        (20, Seq(20), Seq(900))
    );
    list.clear(&mut budget);
    assert_eq!((budget.bytes, budget.segments), (KEPT, REMEMBERED as isize));
}
