use rustix::io::Errno;

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
fn a_kernel_is_asked_for_all_and_then_bit_by_bit() {
    let (csum, ecn) = (sys::TUN_F_CSUM, sys::TUN_F_TSO_ECN);
    for (known, tso, uso) in [
        (u32::MAX, true, true),
        // Before Linux 6.2.
        (csum | TSO | ecn, true, false),
        (csum | TSO | ecn | sys::TUN_F_USO4, true, false),
        (csum | TSO, true, false),
        (csum | TSO | USO, true, true),
        (csum | sys::TUN_F_TSO4 | ecn, false, false),
        (csum | sys::TUN_F_TSO6 | USO, false, true),
        (csum | USO, false, true),
        (csum | sys::TUN_F_USO6, false, false),
        (csum, false, false),
    ] {
        let (offloads, masks) = agreed(known);
        let expected = Offloads {
            tx_checksum: true,
            rx_checksum: true,
            tso,
            uso,
        };
        assert_eq!(offloads.unwrap(), expected, "{known:#x}");
        // The last word is what holds: everything that is known.
        let all = csum | TSO | ecn | USO;
        assert_eq!(masks.last(), Some(&(all & known)), "{known:#x}");
        assert!(masks.len() <= 9, "{known:#x}: {masks:x?}");
    }
}

/// As Linux has it: those of UDP are known together or not at all, and ECN only beside TCP.
#[test]
fn bits_that_go_together_are_asked_for_together() {
    let mut holds = 0;
    let offloads = negotiate(|mask| {
        let lone_uso = mask & USO != 0 && mask & USO != USO;
        let lone_ecn = mask & sys::TUN_F_TSO_ECN != 0 && mask & TSO == 0;
        if lone_uso || lone_ecn || mask & sys::TUN_F_TSO6 != 0 {
            return Err(Errno::INVAL);
        }
        holds = mask;
        Ok(())
    });
    assert_eq!(
        holds,
        sys::TUN_F_CSUM | sys::TUN_F_TSO4 | sys::TUN_F_TSO_ECN | USO
    );
    let offloads = offloads.unwrap();
    assert_eq!((offloads.tso, offloads.uso), (false, true));
}

#[test]
fn without_any_offload_there_is_no_device() {
    let (offloads, _) = agreed(0);
    assert!(matches!(offloads, Err(TunError::Refused { .. })));
}
