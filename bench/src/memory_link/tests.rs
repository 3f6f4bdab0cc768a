use super::{Work, ours, smoltcp};

#[test]
fn both_move_all_bytes_with_and_without_offload() {
    for offload in [false, true] {
        let work = Work {
            bytes: (3 << 20) + 1,
            buffer: 1 << 18,
            mtu: 1500,
            offload,
        };
        assert!(!ours(&work).is_zero() && !smoltcp(&work).is_zero());
    }
}
