use super::{Cookie, KEY_LIFETIME, cookie, judge};
use crate::Instant;
use crate::random::Random;
use crate::tcp::flow::FlowKey;
use crate::tcp::isn::Secret;

fn flow(peer: &str) -> FlowKey {
    FlowKey::new("10.0.0.1:80".parse().unwrap(), peer.parse().unwrap())
}

fn secret(seed: u8) -> Secret {
    Secret::new(&mut Random::new([seed; 32]))
}

// req: RFC7413-02, RFC7413-03
#[test]
fn a_cookie_has_four_to_sixteen_bytes_and_an_even_number() {
    for len in 0..40 {
        let valid = len == 0 || (4..=16).contains(&len) && len % 2 == 0;
        let bytes = vec![7; len];
        let parsed = Cookie::parse(&bytes);
        assert_eq!(parsed.is_some(), valid, "{len}");
        assert!(parsed.is_none_or(|cookie| cookie.bytes() == bytes));
    }
}

// req: RFC7413-04
#[test]
fn a_cookie_is_good_for_one_address_and_two_keys() {
    let now = Instant::ZERO + KEY_LIFETIME * 3;
    let secret = secret(1);
    let mine = cookie(&secret, now, &flow("10.0.0.2:1000"));
    assert_eq!(
        judge(&secret, now, &flow("10.0.0.2:2000"), &mine),
        Some(true),
        "any port"
    );
    assert_eq!(judge(&secret, now, &flow("10.0.0.3:1000"), &mine), None);
    assert_eq!(
        judge(&self::secret(2), now, &flow("10.0.0.2:1000"), &mine),
        None
    );
    let (later, latest) = (now + KEY_LIFETIME, now + KEY_LIFETIME * 2);
    assert_eq!(
        judge(&secret, later, &flow("10.0.0.2:1"), &mine),
        Some(false),
        "the key before"
    );
    assert_eq!(judge(&secret, latest, &flow("10.0.0.2:1"), &mine), None);
    assert_eq!(
        judge(&secret, now, &flow("10.0.0.2:1"), &Cookie::WANTED),
        None
    );
}
