use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn burst(
    limiter: &mut ErrorLimiter,
    now: Instant,
    dst: IpAddr,
    random: &mut Random,
    tries: usize,
) -> usize {
    (0..tries)
        .filter(|_| limiter.allow(now, dst, random))
        .count()
}

// req: RFC4443-10, RFC1812-20
#[test]
fn one_destination_gets_its_burst_and_then_its_rate() {
    let mut random = Random::new([1; 32]);
    let mut limiter = ErrorLimiter::new(LimitConfig::default(), &mut random);
    let dst = ip("10.0.0.1");
    let start = Instant::from_secs(5);
    assert_eq!(burst(&mut limiter, start, dst, &mut random, 100), 10);
    assert_eq!(
        burst(
            &mut limiter,
            start + Duration::from_millis(99),
            dst,
            &mut random,
            100
        ),
        0
    );
    assert_eq!(
        burst(
            &mut limiter,
            start + Duration::from_millis(100),
            dst,
            &mut random,
            100
        ),
        1
    );
    assert_eq!(
        burst(
            &mut limiter,
            start + Duration::from_secs(100),
            dst,
            &mut random,
            100
        ),
        10
    );
}

#[test]
fn another_destination_is_not_starved_by_the_first() {
    let mut random = Random::new([2; 32]);
    let mut limiter = ErrorLimiter::new(LimitConfig::default(), &mut random);
    let now = Instant::from_secs(1);
    assert_eq!(
        burst(&mut limiter, now, ip("10.0.0.1"), &mut random, 100),
        10
    );
    assert!(limiter.allow(now, ip("10.0.0.2"), &mut random));
}

#[test]
fn all_of_a_prefix_share_a_bucket() {
    let mut random = Random::new([3; 32]);
    let mut limiter = ErrorLimiter::new(LimitConfig::default(), &mut random);
    let now = Instant::from_secs(1);
    assert_eq!(
        burst(&mut limiter, now, ip("2001:db8::1"), &mut random, 100),
        10
    );
    assert!(!limiter.allow(now, ip("2001:db8::2"), &mut random));
}

#[test]
fn the_global_limit_holds_and_cannot_be_counted() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut random = Random::new([seed; 32]);
        let mut limiter = ErrorLimiter::new(LimitConfig::default(), &mut random);
        let now = Instant::from_secs(1);
        let sent = (0..1000u32)
            .filter(|n| {
                limiter.allow(
                    now,
                    std::net::Ipv4Addr::from_bits(n << 8).into(),
                    &mut random,
                )
            })
            .count();
        assert!((17..=50).contains(&sent), "{sent}");
        seen.insert(sent);
    }
    assert!(seen.len() > 3, "the number sent is the same each time");
}

#[test]
fn time_that_goes_backwards_is_no_time() {
    let mut random = Random::new([4; 32]);
    let mut limiter = ErrorLimiter::new(LimitConfig::default(), &mut random);
    let dst = ip("10.0.0.1");
    burst(&mut limiter, Instant::from_secs(10), dst, &mut random, 100);
    assert!(!limiter.allow(Instant::ZERO, dst, &mut random));
}
