use super::*;
use proptest::prelude::*;

fn emitted(options: &Options) -> Vec<u8> {
    let mut out = vec![0; options.emitted_len()];
    options.emit(&mut out);
    out
}

// req: MUST-4
#[test]
fn a_syn_has_linux_order() {
    let options = Options {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some(Timestamps { val: 1, ecr: 0 }),
        ..Options::default()
    };
    let bytes = emitted(&options);
    assert_eq!(
        bytes,
        [
            2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7
        ]
    );
    assert_eq!(Options::parse(&bytes), options);
}

#[test]
fn three_sack_blocks_fit_beside_timestamps_and_four_alone() {
    let mut options = Options {
        timestamps: Some(Timestamps { val: 9, ecr: 8 }),
        ..Options::default()
    };
    assert_eq!(options.room_for_sack(), 3);
    options.timestamps = None;
    assert_eq!(options.room_for_sack(), 4);
}

// req: MUST-7
#[test]
fn impossible_lengths_end_the_reading() {
    assert_eq!(Options::parse(&[2, 4, 5, 180, 3, 0, 7]).mss, Some(1460));
    assert_eq!(Options::parse(&[2, 1, 5, 180]), Options::default());
    assert_eq!(Options::parse(&[2, 40, 5, 180]), Options::default());
    assert_eq!(Options::parse(&[2]), Options::default());
}

// req: MUST-4, MUST-6, MUST-64
#[test]
fn unknown_options_are_skipped_and_end_stops() {
    let parsed = Options::parse(&[253, 4, 1, 2, 3, 3, 9, 0, 2, 4, 5, 180]);
    assert_eq!(parsed.window_scale, Some(9));
    assert_eq!(parsed.mss, None);
}

// req: RFC7323-10
#[test]
fn a_window_scale_above_fourteen_counts_as_fourteen() {
    assert_eq!(Options::parse(&[3, 3, 200]).window_scale, Some(14));
}

proptest! {
    #[test]
    fn any_bytes_parse(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Options::parse(&bytes);
    }

    // req: MUST-68
    #[test]
    fn what_is_emitted_parses_back(
        mss in any::<Option<u16>>(),
        window_scale in proptest::option::of(0u8..=14),
        sack_permitted in any::<bool>(),
        ts in any::<Option<(u32, u32)>>(),
        blocks in proptest::collection::vec(any::<(u32, u32)>(), 0..4),
    ) {
        let mut options = Options {
            mss,
            window_scale,
            sack_permitted,
            timestamps: ts.map(|(val, ecr)| Timestamps { val, ecr }),
            ..Options::default()
        };
        for (left, right) in blocks.into_iter().take(options.room_for_sack()) {
            options.sack.push(SackBlock { left: Seq(left), right: Seq(right) });
        }
        let bytes = emitted(&options);
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert_eq!(Options::parse(&bytes), options);
    }
}
