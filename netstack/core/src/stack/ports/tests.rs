use super::*;

#[test]
fn every_port_comes_once_before_one_comes_again() {
    let mut searches = Searches::new(&mut Random::new([1; 32]));
    let mut seen = vec![false; 65_536];
    for _ in CONNECTED_FIRST..=u16::MAX {
        let port = searches.find(77, |_| true).expect("all are free");
        assert!(port >= CONNECTED_FIRST);
        assert!(!core::mem::replace(&mut seen[usize::from(port)], true));
    }
    assert_eq!(searches.find(77, |_| false), None);
}

#[test]
fn the_search_wraps_where_the_numbers_do() {
    let ports: Vec<u16> = bindable(u32::MAX - 1).take(4).collect();
    assert!(ports.iter().all(|port| *port >= BOUND_FIRST), "{ports:?}");
    assert_eq!(bindable(9).count(), 65_536 - usize::from(BOUND_FIRST));
}
