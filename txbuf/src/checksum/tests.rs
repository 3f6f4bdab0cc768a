//! Against the widely used implementation, and against the definition.

use proptest::prelude::*;

use super::*;

#[test]
fn sums_the_example_of_rfc_1071() {
    let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(sum(&data), 0xddf2);
}

#[test]
fn empty_and_single_bytes() {
    assert_eq!(sum(&[]), 0);
    assert_eq!(sum(&[0x12]), 0x1200);
    assert_eq!(sum(&[0xff; 2]), 0xffff);
}

/// All lengths around those of the vectors, at all alignments, with the greatest words and with others.
#[test]
fn every_length_at_every_alignment() {
    let bytes: Vec<u8> = (0..700_u32).map(|i| (i * 151 + i / 7) as u8).collect();
    for data in [
        &bytes[..],
        &[0xff; 700],
        &[0x80, 0x00, 0x7f, 0xff].repeat(175),
    ] {
        for start in 0..32 {
            for len in 0..=640 {
                let data = &data[start..start + len];
                let expected = !u16::from_be_bytes(internet_checksum::checksum(data));
                assert_eq!(sum(data), expected, "{len} bytes from {start}");
                assert_eq!(finish(sum_portable(data)), expected);
            }
        }
    }
}

/// Longer than what fits the lanes of a vector, and all carries.
#[test]
fn megabytes() {
    for byte in [0x00, 0x7f, 0x80, 0xff] {
        let data = vec![byte; (5 << 20) + 3];
        let expected = !u16::from_be_bytes(internet_checksum::checksum(&data));
        assert_eq!(sum(&data), expected);
        assert_eq!(finish(sum_portable(&data)), expected);
    }
}

#[test]
fn updates_the_example_of_rfc_1624() {
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

proptest! {
    #[test]
    fn agrees_with_internet_checksum(data in proptest::collection::vec(any::<u8>(), 0..700)) {
        let expected = !u16::from_be_bytes(internet_checksum::checksum(&data));
        prop_assert_eq!(sum(&data), expected);
    }

    #[test]
    fn combines_at_any_cut(data in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
        let (a, b) = data.split_at(cut.min(data.len()));
        prop_assert_eq!(combine(sum(a), sum(b), a.len() % 2 == 1), sum(&data));
    }

    #[test]
    fn an_update_is_a_new_sum(mut data in proptest::collection::vec(any::<u8>(), 4..64), new: u16) {
        data[0] = 1;
        let before = !sum(&data);
        let old = u16::from_be_bytes([data[2], data[3]]);
        data[2..4].copy_from_slice(&new.to_be_bytes());
        prop_assert_eq!(update(before, old, new), !sum(&data));
    }
}
