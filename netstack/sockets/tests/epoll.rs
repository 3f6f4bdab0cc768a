//! Level, edge, one-shot and nested watching, on a host that talks to itself.

use netstack_core::{Config, IfaceId, Instant, InterfaceConfig, Stack};
use netstack_sockets::{EpollEvent, Errno, MessageHead, PollFd, SockAddr, Sockets};
use std::net::SocketAddr;
use txbuf::{IovIter, Offloads};

const NOW: Instant = Instant::from_secs(1);
const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const ET: u32 = libc::EPOLLET as u32;
const ONESHOT: u32 = libc::EPOLLONESHOT as u32;

fn sockets() -> Sockets {
    let mut stack = Stack::new(Config::new([1; 32]));
    let offloads = Offloads::default();
    let name = "lo".into();
    let iface = stack
        .add_interface(InterfaceConfig {
            name,
            mtu: 1500,
            offloads,
        })
        .expect("an interface");
    stack
        .add_address(iface, "10.0.0.1/24".parse().expect("a prefix"))
        .expect("an address");
    Sockets::new(stack)
}

fn run(sockets: &mut Sockets) {
    while sockets
        .stack_mut()
        .poll_transmit(NOW, IfaceId::new(0))
        .is_some()
    {}
}

/// A client, its server, and the listener.
fn pair(sockets: &mut Sockets) -> (i32, i32, i32) {
    let name = SockAddr::from("10.0.0.1:80".parse::<SocketAddr>().expect("an address"));
    let listener = sockets
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("room");
    sockets.bind(listener, &name).expect("a free port");
    sockets.listen(listener, 5).expect("a bound socket");
    let client = sockets
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("room");
    assert_eq!(sockets.connect(NOW, client, &name), Err(Errno::EINPROGRESS));
    run(sockets);
    assert_eq!(sockets.connect(NOW, client, &name), Ok(()));
    assert_eq!(sockets.connect(NOW, client, &name), Err(Errno::EISCONN));
    let (server, _) = sockets.accept(NOW, listener, 0).expect("a connection");
    (client, server, listener)
}

fn send(sockets: &mut Sockets, fd: i32, bytes: &[u8]) {
    let sent = sockets.sendmsg(fd, &mut IovIter::bytes(bytes), &MessageHead::default(), 0);
    assert_eq!(sent, Ok(bytes.len()));
    run(sockets);
}

fn receive(sockets: &mut Sockets, fd: i32, most: usize) -> Result<usize, Errno> {
    let mut buffer = vec![0; most];
    let received = sockets.recvmsg(fd, &mut IovIter::buffer(&mut buffer), 0, 0)?;
    Ok(received.bytes)
}

fn wait(sockets: &mut Sockets, ep: i32) -> Vec<(u32, u64)> {
    let mut events = [EpollEvent::default(); 8];
    let told = sockets.epoll_wait(ep, &mut events).expect("an epoll");
    events[..told].iter().map(|e| (e.events, e.data)).collect()
}

fn watch(sockets: &mut Sockets, ep: i32, op: i32, fd: i32, events: u32) -> Result<(), Errno> {
    let data = u64::try_from(fd).expect("a number");
    sockets.epoll_ctl(ep, op, fd, EpollEvent { events, data })
}

#[test]
fn level_triggered_is_told_as_long_as_it_is_so() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, server, IN).expect("open");
    assert!(wait(&mut sockets, ep).is_empty());
    send(&mut sockets, client, b"hello");
    for _ in 0..3 {
        assert_eq!(wait(&mut sockets, ep), [(IN, server as u64)]);
    }
    assert_eq!(receive(&mut sockets, server, 9), Ok(5));
    assert!(wait(&mut sockets, ep).is_empty());
}

#[test]
fn edge_triggered_is_told_once_for_each_thing_that_happens() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, server, IN | OUT | ET).expect("open");
    assert_eq!(wait(&mut sockets, ep), [(OUT, server as u64)]);
    assert!(wait(&mut sockets, ep).is_empty());
    send(&mut sockets, client, b"hello");
    assert_eq!(wait(&mut sockets, ep), [(IN | OUT, server as u64)]);
    assert!(wait(&mut sockets, ep).is_empty());
    assert_eq!(receive(&mut sockets, server, 2), Ok(2));
    assert!(
        wait(&mut sockets, ep).is_empty(),
        "three bytes are old news"
    );
    send(&mut sockets, client, b"again");
    assert_eq!(wait(&mut sockets, ep), [(IN | OUT, server as u64)]);
}

#[test]
fn one_shot_is_told_once_and_then_armed_again() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, server, IN | ONESHOT).expect("open");
    send(&mut sockets, client, b"hello");
    assert_eq!(wait(&mut sockets, ep), [(IN, server as u64)]);
    send(&mut sockets, client, b"again");
    assert!(wait(&mut sockets, ep).is_empty());
    watch(&mut sockets, ep, libc::EPOLL_CTL_MOD, server, IN | ONESHOT).expect("watched");
    assert_eq!(wait(&mut sockets, ep), [(IN, server as u64)]);
}

#[test]
fn what_there_is_no_room_for_comes_first_the_next_time() {
    let mut sockets = sockets();
    let (client, server, listener) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    for fd in [client, server] {
        watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, fd, OUT).expect("open");
    }
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, listener, IN).expect("open");
    let mut one = [EpollEvent::default(); 1];
    let mut told = Vec::new();
    for _ in 0..4 {
        assert_eq!(sockets.epoll_wait(ep, &mut one), Ok(1));
        told.push(one[0].data as i32);
    }
    assert_eq!(told, [client, server, client, server]);
}

#[test]
fn epolls_watch_epolls_but_not_in_circles() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    let inner = sockets.epoll_create().expect("room");
    let outer = sockets.epoll_create().expect("room");
    watch(&mut sockets, inner, libc::EPOLL_CTL_ADD, server, IN).expect("open");
    watch(&mut sockets, outer, libc::EPOLL_CTL_ADD, inner, IN).expect("open");
    assert_eq!(
        watch(&mut sockets, inner, libc::EPOLL_CTL_ADD, outer, IN),
        Err(Errno::ELOOP)
    );
    assert_eq!(
        watch(&mut sockets, outer, libc::EPOLL_CTL_ADD, outer, IN),
        Err(Errno::EINVAL)
    );
    assert!(wait(&mut sockets, outer).is_empty());
    send(&mut sockets, client, b"hello");
    assert_eq!(wait(&mut sockets, outer), [(IN, inner as u64)]);
    assert_eq!(wait(&mut sockets, inner), [(IN, server as u64)]);
    receive(&mut sockets, server, 9).expect("data");
    assert!(wait(&mut sockets, outer).is_empty());
}

#[test]
fn what_is_closed_is_watched_no_more() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, server, IN | OUT).expect("open");
    sockets.close(NOW, server).expect("open");
    assert!(wait(&mut sockets, ep).is_empty());
    assert_eq!(
        watch(&mut sockets, ep, libc::EPOLL_CTL_DEL, server, 0),
        Err(Errno::EBADF)
    );
    // The number is given again, and nobody watches it.
    let again = sockets
        .socket(libc::AF_INET, libc::SOCK_DGRAM, 0)
        .expect("room");
    assert_eq!(again, server);
    assert!(wait(&mut sockets, ep).is_empty());
    let mut polled = [client, again, 99, -1].map(|fd| PollFd {
        fd,
        events: libc::POLLOUT,
        revents: 0,
    });
    run(&mut sockets);
    assert_eq!(sockets.poll(&mut polled), 3);
    assert_eq!(polled[2].revents, libc::POLLNVAL);
    assert_eq!(polled[3].revents, 0);
    sockets.close(NOW, ep).expect("open");
}

#[test]
fn exclusive_is_said_when_watching_begins_or_never() {
    let exclusive = libc::EPOLLEXCLUSIVE as u32;
    let mut sockets = sockets();
    let (_, server, listener) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    watch(
        &mut sockets,
        ep,
        libc::EPOLL_CTL_ADD,
        listener,
        IN | exclusive,
    )
    .expect("open");
    for (op, fd, events) in [
        (libc::EPOLL_CTL_MOD, listener, IN),
        (libc::EPOLL_CTL_MOD, listener, IN | exclusive),
        (libc::EPOLL_CTL_ADD, server, IN | exclusive | ONESHOT),
        (
            libc::EPOLL_CTL_ADD,
            server,
            exclusive | libc::EPOLLRDHUP as u32,
        ),
    ] {
        assert_eq!(watch(&mut sockets, ep, op, fd, events), Err(Errno::EINVAL));
    }
}

#[test]
fn who_follows_a_descriptor_hears_of_what_happens_to_it_once() {
    let mut sockets = sockets();
    let (client, server, listener) = pair(&mut sockets);
    let ep = sockets.epoll_create().expect("room");
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, server, IN).expect("open");
    let news = |sockets: &mut Sockets| {
        let mut news = Vec::new();
        sockets.take_news(&mut news);
        news
    };
    news(&mut sockets);
    for fd in [server, ep] {
        sockets.follow(fd, true).expect("open");
    }
    assert_eq!(sockets.follow(99, true), Err(Errno::EBADF));
    assert!(news(&mut sockets).is_empty());
    send(&mut sockets, client, b"hello");
    send(&mut sockets, client, b"again");
    run(&mut sockets);
    let mut told = news(&mut sockets);
    told.sort_unstable();
    let mut both = [server, ep];
    both.sort_unstable();
    assert_eq!(told, both);
    assert!(news(&mut sockets).is_empty());
    // What is followed no more, or closed, is not told of; nor is the next descriptor of the number.
    send(&mut sockets, client, b"more");
    run(&mut sockets);
    sockets.follow(ep, false).expect("open");
    sockets.close(NOW, server).expect("open");
    let next = sockets.accept(NOW, listener, 0);
    assert_eq!(next.expect_err("nobody"), Errno::EAGAIN);
    assert_eq!(
        sockets.socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
        Ok(server)
    );
    assert!(news(&mut sockets).is_empty());
    assert_eq!(sockets.patience(server), Ok([None; 2]));
}

/// Many epoll descriptors, of which each watches the one before; the last watches none, if the first of them does.
#[test]
fn chains_of_epolls_are_short_in_whichever_order_they_are_made() {
    for upwards in [true, false] {
        let mut sockets = sockets();
        let eps: Vec<i32> = (0..1000)
            .map(|_| sockets.epoll_create().expect("room"))
            .collect();
        let mut links: Vec<_> = eps.windows(2).map(|pair| (pair[0], pair[1])).collect();
        if !upwards {
            links.reverse();
        }
        let refused = links
            .into_iter()
            .filter(|(inner, outer)| {
                match watch(&mut sockets, *outer, libc::EPOLL_CTL_ADD, *inner, IN) {
                    Ok(()) => false,
                    Err(error) => {
                        assert_eq!(error, Errno::ELOOP);
                        true
                    }
                }
            })
            .count();
        // Of five links one would make six of them.
        assert_eq!(refused, 999 / 5);
    }
}

#[test]
fn epolls_that_watch_each_other_in_very_many_ways_are_looked_at_once() {
    const WIDE: usize = 40;
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    let layers: Vec<Vec<i32>> = (0..5)
        .map(|_| {
            (0..WIDE)
                .map(|_| sockets.epoll_create().expect("room"))
                .collect()
        })
        .collect();
    for ep in &layers[0] {
        watch(&mut sockets, *ep, libc::EPOLL_CTL_ADD, server, IN).expect("open");
    }
    for pair in layers.windows(2) {
        // All with all: 40 to the fourth ways from the first layer to the last.
        for inner in &pair[0] {
            for outer in &pair[1] {
                watch(&mut sockets, *outer, libc::EPOLL_CTL_ADD, *inner, IN).expect("open");
            }
        }
    }
    let top = layers[4][0];
    assert_eq!(
        watch(&mut sockets, layers[0][7], libc::EPOLL_CTL_ADD, top, IN),
        Err(Errno::ELOOP)
    );
    send(&mut sockets, client, b"hello");
    assert_eq!(sockets.epoll_listed(top), Ok(WIDE));
    assert_eq!(wait(&mut sockets, top).len(), 8);
    assert_eq!(receive(&mut sockets, server, 9), Ok(5));
    // Every way is one to nothing now.
    assert_eq!(sockets.readiness(top), Ok(0));
    assert!(wait(&mut sockets, top).is_empty());
}

#[test]
fn of_very_many_that_are_ready_each_may_be_closed() {
    const MANY: usize = 200_000;
    let mut sockets = sockets();
    let ep = sockets.epoll_create().expect("room");
    let fds: Vec<i32> = (0..MANY)
        .map(|_| sockets.socket(libc::AF_INET, libc::SOCK_STREAM, 0))
        .collect::<Result<_, _>>()
        .expect("room");
    for fd in &fds {
        watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, *fd, OUT).expect("open");
    }
    assert_eq!(sockets.epoll_listed(ep), Ok(MANY));
    let (all, last) = fds.split_at(MANY - 3);
    // The latest first: those that stand at the end of the list.
    for fd in all.iter().rev() {
        sockets.close(NOW, *fd).expect("open");
    }
    let told: Vec<u64> = wait(&mut sockets, ep).iter().map(|told| told.1).collect();
    let left: Vec<u64> = last.iter().map(|fd| *fd as u64).collect();
    assert_eq!(told, left);
    // The lowest numbers are given again first, and nobody watches them.
    assert_eq!(
        sockets.socket(libc::AF_INET, libc::SOCK_STREAM, 0),
        Ok(all[0])
    );
    assert_eq!(sockets.epoll_listed(ep), Ok(3));
}

fn set_low_water(sockets: &mut Sockets, fd: i32, bytes: i32) {
    let mark = bytes.to_ne_bytes();
    let set = sockets.setsockopt(NOW, fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &mark);
    assert_eq!(set, Ok(()));
}

#[test]
fn a_low_water_mark_above_the_buffer_holds_nothing_up() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    set_low_water(&mut sockets, server, 10_000_000);
    let ep = sockets.epoll_create().expect("room");
    watch(&mut sockets, ep, libc::EPOLL_CTL_ADD, server, IN).expect("open");
    let (all, piece) = (4_000_000, vec![7; 50_000]);
    let (mut written, mut read, mut calls) = (0, 0, 0);
    while read < all {
        let most = piece.len().min(all - written);
        let mut from = IovIter::bytes(&piece[..most]);
        written += sockets
            .sendmsg(client, &mut from, &MessageHead::default(), 0)
            .unwrap_or(0);
        if most == 0 {
            sockets
                .shutdown(NOW, client, libc::SHUT_WR)
                .expect("connected");
        }
        run(&mut sockets);
        if !wait(&mut sockets, ep).is_empty() {
            read += receive(&mut sockets, server, all).expect("told so");
            calls += 1;
            run(&mut sockets);
        }
    }
    assert!(
        calls < 100,
        "{calls}: as much as the buffer holds each time"
    );
}

#[test]
fn whoever_waits_is_given_nothing_below_the_low_water_mark() {
    let mut sockets = sockets();
    let (client, server, _) = pair(&mut sockets);
    set_low_water(&mut sockets, server, 4);
    send(&mut sockets, client, b"abc");
    assert_eq!(receive(&mut sockets, server, 9), Err(Errno::EAGAIN));
    assert_eq!(
        receive(&mut sockets, server, 1),
        Ok(1),
        "that much is there"
    );
    let mut buffer = [0; 9];
    let mut into = IovIter::buffer(&mut buffer);
    let now = sockets.recvmsg(server, &mut into, 0, libc::MSG_DONTWAIT);
    assert_eq!(now.map(|received| received.bytes), Ok(2));
    send(&mut sockets, client, b"abcde");
    assert_eq!(receive(&mut sockets, server, 9), Ok(5));
}
