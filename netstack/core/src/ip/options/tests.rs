use proptest::prelude::*;

use super::*;

// req: RFC1122-17, RFC1122-18, RFC6274-11
#[test]
fn v4_unknown_options_are_ignored() {
    for good in [
        &[][..],
        &[0, 9, 9, 9],
        &[1, 1, 1, 0],
        &[136, 4, 0, 0],
        &[68, 8, 5, 0, 0, 0, 0, 0],
        &[7, 3, 4, 0],
        &[200, 2, 1, 1],
    ] {
        assert_eq!(check_v4(good), Ok(()), "{good:?}");
    }
}

// req: RFC1122-21, RFC6274-08
#[test]
fn v4_bad_lengths_are_found_where_they_are() {
    assert_eq!(
        check_v4(&[1, 200, 0, 0]),
        Err(V4OptionProblem::BadLength(1))
    );
    assert_eq!(
        check_v4(&[1, 200, 1, 0]),
        Err(V4OptionProblem::BadLength(1))
    );
    assert_eq!(
        check_v4(&[200, 5, 0, 0]),
        Err(V4OptionProblem::BadLength(0))
    );
    assert_eq!(
        check_v4(&[1, 1, 1, 200]),
        Err(V4OptionProblem::BadLength(3))
    );
}

// req: RFC6274-09, RFC6274-10, RFC1122-60
#[test]
fn v4_source_routes_are_refused() {
    assert_eq!(check_v4(&[131, 3, 4, 0]), Err(V4OptionProblem::SourceRoute));
    assert_eq!(check_v4(&[1, 137, 3, 4]), Err(V4OptionProblem::SourceRoute));
}

// req: RFC791-08, RFC791-13
#[test]
fn v4_copies_only_options_with_the_copy_bit() {
    let options = [7, 3, 4, 130, 4, 0xaa, 0xbb, 1, 200, 3, 9, 0];
    let mut out = [0xff; 12];
    assert_eq!(copied_v4(&options, &mut out), 8);
    assert_eq!(out[..8], [130, 4, 0xaa, 0xbb, 200, 3, 9, 0]);
    assert_eq!(copied_v4(&[1, 1, 1, 0], &mut out), 0);
}

// req: RFC8200-08, RFC8200-09
#[test]
fn v6_options_act_by_their_top_bits() {
    assert_eq!(check_v6(&[0, 0, 1, 2, 0, 0]), Ok(()));
    assert_eq!(check_v6(&[5, 2, 0, 0, 1, 0]), Ok(()));
    assert_eq!(check_v6(&[0x1e, 4, 1, 2, 3, 4]), Ok(()));
    assert_eq!(
        check_v6(&[0x5e, 4, 1, 2, 3, 4]),
        Err(V6OptionProblem::Discard)
    );
    assert_eq!(
        check_v6(&[0, 0x9e, 3, 2, 3, 4]),
        Err(V6OptionProblem::Report {
            at: 1,
            even_multicast: true
        })
    );
    assert_eq!(
        check_v6(&[0xde, 4, 1, 2, 3, 4]),
        Err(V6OptionProblem::Report {
            at: 0,
            even_multicast: false
        })
    );
    assert_eq!(
        check_v6(&[1, 5, 0, 0, 0, 0]),
        Err(V6OptionProblem::BadLength)
    );
    assert_eq!(
        check_v6(&[0, 0, 0, 0, 0, 1]),
        Err(V6OptionProblem::BadLength)
    );
}

proptest! {
    #[test]
    fn any_bytes_end(options in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = check_v4(&options);
        let _ = check_v6(&options);
        let mut out = vec![0; options.len()];
        prop_assert!(copied_v4(&options, &mut out) <= options.len());
    }

    #[test]
    fn what_is_copied_is_well_formed(options in proptest::collection::vec(prop_oneof![Just(1u8), Just(2), Just(4), any::<u8>()], 0..40)) {
        let mut options = options;
        options.truncate(options.len() / 4 * 4);
        if check_v4(&options).is_ok() {
            let mut out = vec![0; options.len()];
            let len = copied_v4(&options, &mut out);
            prop_assert_eq!(len % 4, 0);
            prop_assert_eq!(check_v4(&out[..len]), Ok(()));
        }
    }
}
