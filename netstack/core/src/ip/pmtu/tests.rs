use proptest::prelude::*;

use super::*;

const NOW: Instant = Instant::from_secs(1000);

fn v4() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn v6() -> IpAddr {
    "2001:db8::1".parse().unwrap()
}

fn cache() -> PmtuCache {
    PmtuCache::new(PmtuConfig::default())
}

// req: RFC1191-01, RFC1191-04, RFC8201-01, RFC8201-04
#[test]
fn falls_to_what_was_reported_and_never_rises() {
    for dst in [v4(), v6()] {
        let mut cache = cache();
        assert_eq!(cache.lookup(NOW, dst, 1500).mtu, 1500);
        assert_eq!(
            cache
                .reduce(NOW, dst, 1400, 1500, 1500)
                .map(|path| path.mtu),
            Some(1400)
        );
        assert_eq!(
            cache.lookup(NOW, dst, 1500),
            PathMtu {
                mtu: 1400,
                dont_fragment: true
            }
        );
        assert_eq!(cache.reduce(NOW, dst, 1450, 1500, 1500), None);
        assert_eq!(cache.reduce(NOW, dst, 9000, 1500, 1500), None);
        assert_eq!(cache.lookup(NOW, dst, 1500).mtu, 1400);
        assert_eq!(
            cache
                .reduce(NOW, dst, 1300, 1400, 1500)
                .map(|path| path.mtu),
            Some(1300)
        );
    }
}

// req: RFC8201-02, RFC8201-03
#[test]
fn v6_reports_below_the_minimum_are_discarded() {
    let mut cache = cache();
    assert_eq!(cache.reduce(NOW, v6(), 1279, 1500, 1500), None);
    assert_eq!(cache.reduce(NOW, v6(), 0, 1500, 1500), None);
    assert_eq!(cache.lookup(NOW, v6(), 1500).mtu, 1500);
}

// req: RFC1191-03
#[test]
fn v4_reports_below_the_floor_let_routers_fragment() {
    let mut cache = cache();
    let path = cache.reduce(NOW, v4(), 100, 1500, 1500).unwrap();
    assert_eq!(
        path,
        PathMtu {
            mtu: 576,
            dont_fragment: false
        }
    );
    let mut low = PmtuCache::new(PmtuConfig {
        v4_floor: 68,
        ..PmtuConfig::default()
    });
    let path = low.reduce(NOW, v4(), 100, 1500, 1500).unwrap();
    assert_eq!(
        path,
        PathMtu {
            mtu: 100,
            dont_fragment: true
        }
    );
    let path = low.reduce(NOW, v4(), 1, 1500, 1500).unwrap();
    assert_eq!(
        path,
        PathMtu {
            mtu: 68,
            dont_fragment: false
        }
    );
}

// req: RFC1191-05
#[test]
fn old_routers_walk_down_the_plateaus() {
    let mut cache = cache();
    let mut seen = Vec::new();
    let mut len = 9000;
    while let Some(path) = cache.reduce(NOW, v4(), 0, len, 9000) {
        seen.push(path.mtu);
        len = path.mtu;
    }
    assert_eq!(seen, [8166, 4352, 2002, 1492, 1006, 576]);
}

// req: RFC1191-06, RFC1191-10, RFC8201-05, RFC8201-10
#[test]
fn estimates_age_and_confirmed_ones_live_longer() {
    let mut cache = cache();
    cache.reduce(NOW, v6(), 1400, 1500, 1500);
    let later = NOW + Duration::from_secs(400);
    assert_eq!(cache.reduce(later, v6(), 1400, 1500, 1500), None);
    assert_eq!(
        cache.lookup(NOW + Duration::from_secs(700), v6(), 1500).mtu,
        1400
    );
    assert_eq!(
        cache
            .lookup(NOW + Duration::from_secs(1000), v6(), 1500)
            .mtu,
        1500
    );
    // An expired estimate does not stand in the way of a larger report.
    let again = NOW + Duration::from_secs(1001);
    assert_eq!(
        cache
            .reduce(again, v6(), 1450, 1500, 1500)
            .map(|path| path.mtu),
        Some(1450)
    );
}

#[test]
fn the_oldest_estimate_makes_room() {
    let mut cache = PmtuCache::new(PmtuConfig {
        capacity: 2,
        ..PmtuConfig::default()
    });
    let dst = |n: u8| IpAddr::from([192, 0, 2, n]);
    for n in 0..3 {
        cache.reduce(
            NOW + Duration::from_secs(n.into()),
            dst(n),
            1000,
            1500,
            1500,
        );
    }
    let later = NOW + Duration::from_secs(3);
    assert_eq!(cache.entries.len(), 2);
    assert_eq!(cache.lookup(later, dst(0), 1500).mtu, 1500);
    assert_eq!(cache.lookup(later, dst(2), 1500).mtu, 1000);
}

proptest! {
    #[test]
    fn never_above_the_interface_nor_below_the_floor(
        reports in proptest::collection::vec((any::<u32>(), 0usize..70_000, any::<bool>(), 0u64..400), 0..50),
    ) {
        let mut cache = cache();
        let mut now = NOW;
        for (reported, sent, is_v4, wait) in reports {
            now += Duration::from_secs(wait);
            let dst = if is_v4 { v4() } else { v6() };
            let before = cache.lookup(now, dst, 1500).mtu;
            cache.reduce(now, dst, reported, sent, 1500);
            let after = cache.lookup(now, dst, 1500).mtu;
            prop_assert!(after <= before);
            let floor = if is_v4 { 576 } else { 1280 };
            prop_assert!(after >= floor);
            prop_assert!(cache.entries.len() <= 2);
            prop_assert_eq!(cache.entries.len(), cache.ages.len());
        }
    }
}
