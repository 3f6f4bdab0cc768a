use super::*;

#[test]
fn both_families_come_back_as_they_went_in() {
    for (local, remote) in [
        ("10.0.0.1:7", "10.0.0.2:65535"),
        ("[fe80::1]:7", "[2001:db8::2]:1"),
    ] {
        let (local, remote) = (
            local.parse().expect("literal"),
            remote.parse().expect("literal"),
        );
        let key = FlowKey::new(local, remote);
        assert_eq!((key.local(), key.remote()), (local, remote));
    }
}
