use super::*;

#[test]
fn options_of_unknown_kinds_are_stepped_over() {
    let options = Options::walk(&[253, 4, 1, 2, 1, 2, 4, 5, 180, 3, 3, 7, 4, 2, 0, 0]);
    assert_eq!(
        (options.mss, options.window_scale, options.sack_permitted),
        (Some(1460), Some(7), true)
    );
    assert_eq!(options.fault, None);
}

#[test]
fn lengths_that_cannot_be_are_faults() {
    let fault = |bytes: &[u8]| Options::walk(bytes).fault;
    assert_eq!(
        fault(&[2, 3, 5, 0]),
        Some(Fault::Fixed { kind: 2, length: 3 })
    );
    assert_eq!(
        fault(&[8, 1, 5, 0]),
        Some(Fault::Length { kind: 8, length: 1 })
    );
    assert_eq!(
        fault(&[8, 10, 5, 0]),
        Some(Fault::Length {
            kind: 8,
            length: 10
        })
    );
    assert_eq!(fault(&[8]), Some(Fault::Length { kind: 8, length: 0 }));
    assert_eq!(fault(&[0, 0, 1, 0]), Some(Fault::Tail));
}

#[test]
fn sack_blocks_are_pairs() {
    let mut bytes = vec![5, 18];
    for number in [10u32, 20, 30, 40] {
        bytes.extend(number.to_be_bytes());
    }
    let options = Options::walk(&bytes);
    assert_eq!(options.sack(), [(Seq(10), Seq(20)), (Seq(30), Seq(40))]);
    assert_eq!(Options::walk(&[5, 6, 0, 0, 0, 0]).odd_sack, Some(6));
}
