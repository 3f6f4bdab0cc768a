use super::{LONGEST, shift};

#[test]
fn the_border_moves_both_ways() {
    let packet: Vec<u8> = (0..200).collect();
    for from in 0..=LONGEST {
        for to in [0, 1, 20, 40, 52, 119, LONGEST] {
            let (mut front, mut room) = ([0; LONGEST], [0; 200]);
            front[..from].copy_from_slice(&packet[..from]);
            room[..200 - from].copy_from_slice(&packet[from..]);
            shift(&mut front, &mut room, from, to, 200 - from);
            assert_eq!(front[..to], packet[..to]);
            assert_eq!(room[..200 - to], packet[to..]);
        }
    }
}
