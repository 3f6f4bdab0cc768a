use super::*;

/// What a kernel that knows only `known` agrees to, and what it was asked.
fn agreed(known: u32) -> (Result<Offloads, TunError>, Vec<u32>) {
    let mut asked = Vec::new();
    let offloads = negotiate(|mask| {
        asked.push(mask);
        // As the kernel does: all of it, or nothing.
        if mask & !known == 0 {
            Ok(())
        } else {
            Err(Errno::INVAL)
        }
    });
    (offloads, asked)
}

const TSO: u32 = sys::TUN_F_TSO4 | sys::TUN_F_TSO6;
const USO: u32 = sys::TUN_F_USO4 | sys::TUN_F_USO6;

#[test]
fn older_kernels_are_asked_for_less() {
    for (known, tso, uso, asked) in [
        (u32::MAX, true, true, 1),
        // Before Linux 6.2.
        (sys::TUN_F_CSUM | TSO | sys::TUN_F_TSO_ECN, true, false, 2),
        // One of the two is not enough.
        (
            sys::TUN_F_CSUM | TSO | sys::TUN_F_TSO_ECN | sys::TUN_F_USO4,
            true,
            false,
            2,
        ),
        (sys::TUN_F_CSUM | TSO, true, false, 3),
        (sys::TUN_F_CSUM | USO, false, false, 4),
        (sys::TUN_F_CSUM, false, false, 4),
    ] {
        let (offloads, masks) = agreed(known);
        let expected = Offloads {
            tx_checksum: true,
            rx_checksum: true,
            tso,
            uso,
        };
        assert_eq!(offloads.unwrap(), expected, "{known:#x}");
        assert_eq!(masks.len(), asked, "{known:#x}");
        // The last word is what holds.
        assert_eq!(
            masks.last().map(|mask| mask & USO),
            Some(if uso { USO } else { 0 })
        );
    }
}

#[test]
fn without_any_offload_there_is_no_device() {
    let (offloads, _) = agreed(0);
    assert!(matches!(offloads, Err(TunError::Refused { .. })));
}
