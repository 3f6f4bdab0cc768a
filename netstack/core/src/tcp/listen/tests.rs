use super::*;
use proptest::prelude::*;

fn listener() -> Listener {
    let local = "192.0.2.1:80".parse().expect("an address");
    Listener::new(local, 65_535, 65_535)
}

fn id(index: u32) -> SocketId {
    SocketId {
        index,
        generation: 1,
    }
}

proptest! {
    /// What waits is what a plain queue would hold, in its order.
    #[test]
    fn what_ended_is_not_accepted_and_takes_no_room(
        steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..200)
    ) {
        let (mut listener, mut model) = (listener(), VecDeque::new());
        for (number, (pushes, which)) in steps.into_iter().enumerate() {
            let number = number as u32;
            if pushes || model.is_empty() {
                listener.push(id(number));
                model.push_back(id(number));
            } else if number.is_multiple_of(3) {
                prop_assert_eq!(listener.pop(), model.pop_front());
            } else {
                let ended = model.remove(which.index(model.len())).expect("an index");
                listener.forget(ended);
            }
            prop_assert_eq!(listener.backlog().0, model.len());
            prop_assert_eq!(listener.has_ready(), !model.is_empty());
            prop_assert!(listener.ready.len() <= 2 * model.len().max(1));
        }
        while let Some(waits) = model.pop_front() {
            prop_assert_eq!(listener.pop(), Some(waits));
        }
        prop_assert_eq!(listener.pop(), None);
    }
}

/// With a look at all that wait for each that ends, this takes minutes.
#[test]
fn a_full_queue_may_end_in_any_order() {
    let mut listener = listener();
    (0..65_535).for_each(|number| listener.push(id(number)));
    assert!(listener.is_full());
    (0..65_535)
        .rev()
        .for_each(|number| listener.forget(id(number)));
    assert!(!listener.has_ready());
    assert_eq!(listener.pop(), None);
}
