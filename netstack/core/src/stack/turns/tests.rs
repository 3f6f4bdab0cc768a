use super::{QUANTUM, Ready, Turns};

/// Somebody who always has packets of that many bytes.
struct Sender {
    who: Ready,
    bytes: usize,
    sent: usize,
}

fn sender(number: usize, bytes: usize) -> Sender {
    Sender {
        who: Ready::Request(number as u32),
        bytes,
        sent: 0,
    }
}

/// Gives so many packets' turns to `senders`, who never have enough.
fn run(turns: &mut Turns, senders: &mut [Sender], packets: usize) {
    for _ in 0..packets {
        let turn = turns.next().unwrap();
        let sender = senders.iter_mut().find(|one| one.who == turn.who).unwrap();
        sender.sent += sender.bytes;
        turns.go_on(turn, sender.bytes);
    }
}

/// The most by which two differ who always had something to send.
fn apart(senders: &[Sender]) -> usize {
    let sent = senders.iter().map(|sender| sender.sent);
    sent.clone().max().unwrap() - sent.min().unwrap()
}

#[test]
fn super_packets_and_small_ones_get_the_same_bytes() {
    let mut senders = [
        sender(0, 65_535),
        sender(1, 1500),
        sender(2, 40),
        sender(3, 9000),
    ];
    let mut turns = Turns::default();
    senders.iter().for_each(|sender| turns.join(sender.who));
    for _ in 0..200 {
        run(&mut turns, &mut senders, 1000);
        // A packet and a quantum at most, whatever is sent.
        assert!(apart(&senders) <= 65_535 + QUANTUM as usize);
    }
    assert!(senders[0].sent > 1 << 20);
}

#[test]
fn a_small_sender_waits_for_one_super_packet_of_each_other() {
    let mut turns = Turns::default();
    let mut senders: Vec<_> = (0..10).map(|number| sender(number, 65_535)).collect();
    senders.iter().for_each(|sender| turns.join(sender.who));
    run(&mut turns, &mut senders, 1000);
    senders.push(sender(10, 100));
    turns.join(Ready::Request(10));
    let before: usize = senders.iter().map(|sender| sender.sent).sum();
    let mut packets = 0;
    while senders[10].sent == 0 {
        run(&mut turns, &mut senders, 1);
        packets += 1;
    }
    let between: usize = senders.iter().map(|sender| sender.sent).sum::<usize>() - before - 100;
    // A round of the others: each is worth a quantum, which is a packet at most.
    assert!(
        packets <= 11 && between <= 10 * 65_535,
        "{packets} {between}"
    );
}

#[test]
fn a_pause_saves_no_credit() {
    let mut turns = Turns::default();
    let mut senders = [sender(0, 1500), sender(1, 1500)];
    turns.join(senders[0].who);
    turns.join(senders[1].who);
    // The first one sends a packet whenever it is asked and then has no more, for a long time.
    for _ in 0..1000 {
        let turn = turns.next().unwrap();
        if turn.who == senders[0].who {
            turns.join(turn.who);
        } else {
            senders[1].sent += 1500;
            turns.go_on(turn, 1500);
        }
    }
    // Back again, it gets no more than the other from here on.
    senders[1].sent = 0;
    for _ in 0..1000 {
        run(&mut turns, &mut senders, 1);
        assert!(senders[0].sent <= senders[1].sent + 1500 + QUANTUM as usize);
    }
    assert!(apart(&senders) <= 1500 + QUANTUM as usize);
}

#[test]
fn a_debt_is_worked_off_alone_too() {
    let mut turns = Turns::default();
    turns.join(Ready::Transit);
    for _ in 0..3 {
        let turn = turns.next().unwrap();
        turns.go_on(turn, 16 << 20);
        // Nobody else waits, so there is no reason to wait.
        assert!(!turns.is_empty());
    }
}

#[test]
fn a_turn_that_was_used_up_to_the_last_byte_leaves_no_debt() {
    let mut turns = Turns::default();
    turns.join(Ready::Transit);
    let turn = turns.next().expect("somebody joined");
    let quantum = usize::try_from(QUANTUM).expect("positive");
    assert!(turn.covers(quantum));
    assert!(!turn.covers(quantum + 1));
    turns.go_on(turn, quantum + 1);
    let turn = turns.next().expect("it went on");
    assert!(turn.covers(quantum - 1) && !turn.covers(quantum));
}
