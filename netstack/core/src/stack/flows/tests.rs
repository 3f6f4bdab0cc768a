use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn key(port: u16) -> FlowKey {
    let local = std::net::SocketAddr::from(([10, 0, 0, 1], 80));
    FlowKey::new(local, std::net::SocketAddr::from(([10, 0, 0, 2], port)))
}

proptest! {
    #[test]
    fn a_four_tuple_is_found_as_long_as_somebody_has_it(
        steps in proptest::collection::vec((1_u16..400, any::<bool>()), 1..2000),
    ) {
        let mut flows = Flows::new(&mut Random::new([7; 32]));
        let mut model: HashMap<u16, Flow> = HashMap::new();
        // Who has what stands elsewhere.
        let mut holders: Vec<u16> = Vec::new();
        for (port, add) in steps {
            let has = |flow| matches!(flow, Flow::Request(n) if holders[n as usize] == port);
            prop_assert_eq!(flows.find(&key(port), has), model.get(&port).copied());
            if let Some(flow) = model.remove(&port) {
                flows.remove(&key(port), flow);
                // Once is enough.
                flows.remove(&key(port), flow);
            } else if add {
                let flow = Flow::Request(holders.len() as u32);
                holders.push(port);
                flows.insert(&key(port), flow);
                model.insert(port, flow);
            }
            prop_assert_eq!(flows.len(), model.len());
        }
    }
}

#[test]
fn what_belongs_to_another_by_now_is_not_freed() {
    let mut flows = Flows::new(&mut Random::new([7; 32]));
    flows.insert(&key(1), Flow::TimeWait(1));
    flows.remove(&key(1), Flow::TimeWait(2));
    assert_eq!(flows.find(&key(1), |_| true), Some(Flow::TimeWait(1)));
}

#[test]
fn entries_spread_over_all_parts() {
    let mut flows = Flows::new(&mut Random::new([9; 32]));
    for port in 1..=u16::MAX {
        flows.insert(&key(port), Flow::Request(u32::from(port)));
    }
    // 256 each on average: what grows at a time is small.
    let most = flows.parts.iter().map(HashTable::len).max();
    assert!(most.is_some_and(|most| most < 400), "{most:?}");
}
