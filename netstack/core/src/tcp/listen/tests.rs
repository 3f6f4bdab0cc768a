use super::*;

fn id(index: u32) -> SocketId {
    SocketId {
        index,
        generation: 1,
    }
}

#[test]
fn connections_are_accepted_as_they_came_but_for_those_that_ended() {
    let local = "10.0.0.1:80".parse().expect("literal");
    let mut listener = Listener::new(local, 65_535, 0);
    for index in 0..65_535 {
        listener.push(id(index));
    }
    assert!(listener.is_full());
    // The last first: none of them looks at the others.
    for index in (10..65_535).rev() {
        listener.forget(id(index));
        listener.forget(id(index));
    }
    assert_eq!(listener.backlog().0, 10);
    listener.forget(id(3));
    let accepted: Vec<_> = core::iter::from_fn(|| listener.pop()).collect();
    assert_eq!(accepted, [0, 1, 2, 4, 5, 6, 7, 8, 9].map(id));
    listener.forget(id(0));
    assert!(!listener.has_ready());
}
