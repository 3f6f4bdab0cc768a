use super::{Writer, parse};
use crate::Errno;

#[test]
fn what_is_written_is_read() {
    let mut writer = Writer::new(64);
    writer.push(6, 36, &7i32.to_ne_bytes());
    writer.push(17, 103, &1200u16.to_ne_bytes());
    let cut = writer.cut;
    let bytes = writer.into_bytes();
    let read = parse(&bytes).expect("well-formed");
    assert!(!cut);
    assert_eq!(read.len(), 2);
    assert_eq!((read[1].level, read[1].kind), (17, 103));
    assert_eq!(read[1].data, 1200u16.to_ne_bytes());
}

#[test]
fn what_does_not_fit_is_cut() {
    for room in 0..40 {
        let mut writer = Writer::new(room);
        writer.push(6, 36, &[1; 8]);
        writer.push(6, 36, &[2; 8]);
        assert!(writer.cut);
        let bytes = writer.into_bytes();
        assert!(bytes.len() <= room);
        assert!(parse(&bytes).is_ok());
    }
}

#[test]
fn wild_lengths_are_refused() {
    for len in [0u64, 1, 15, 25, u64::MAX, u64::MAX - 7] {
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([0; 16]);
        assert_eq!(parse(&bytes), Err(Errno::EINVAL));
    }
    assert_eq!(parse(&[1; 15]), Ok(Vec::new()));
}
