//! `netstack serve --proxy` between a client and a server that are the kernel's.

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use common::{Space, V4, V6, address, connect, serve};
use needs::may_use_tun;
use sha2::{Digest as _, Sha256};

/// What goes each way.
const SIZE: usize = 256 << 20;
/// No read or write waits longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener of the kernel.
fn listen(space: &Space, ip: &str) -> TcpListener {
    let bound = space.netns.run(|| TcpListener::bind(address(ip, 9000)));
    bound.unwrap().unwrap()
}

/// The server's end of the connection that comes next.
fn accept(listener: &TcpListener) -> TcpStream {
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes that follow from `seed`, ends the stream, and says their hash.
fn send(mut stream: &TcpStream, seed: u32) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut block: Vec<u8> = (0..1u32 << 16)
        .flat_map(|i| i.wrapping_mul(seed).to_le_bytes())
        .collect();
    for left in (1..=SIZE / block.len()).rev() {
        block[..8].copy_from_slice(&left.to_le_bytes());
        hash.update(&block);
        stream.write_all(&block).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    hash.finalize().to_vec()
}

/// Reads to the end, and says the hash.
fn receive(mut stream: &TcpStream) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut received = 0;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                received += read;
            }
        }
    }
    assert_eq!(received, SIZE);
    hash.finalize().to_vec()
}

/// The listeners' addresses are those of the device, which `serve` sets up.
fn scene(more: &str) -> Option<(Space, common::Server)> {
    may_use_tun().then(|| {
        let space = Space::new();
        let proxies = "--proxy 80=10.9.0.1:9000,81=[fd00:9::1]:9000";
        let server = serve(&space, &format!("{proxies} {more}"));
        (space, server)
    })
}

/// Both ways at once, over both versions of IP and from one to the other.
fn everything_arrives(more: &str) {
    let Some((space, server)) = scene(more) else {
        return;
    };
    for (from, port, to) in [
        (V4, 80, "10.9.0.1"),
        (V6, 81, "fd00:9::1"),
        (V6, 80, "10.9.0.1"),
    ] {
        let listener = listen(&space, to);
        let client = connect(&space, from, port);
        let behind = accept(&listener);
        thread::scope(|scope| {
            let there = scope.spawn(|| send(&client, 0x9e37_79b9));
            let back = scope.spawn(|| send(&behind, 0x85eb_ca6b));
            let received = scope.spawn(|| receive(&client));
            assert!(
                receive(&behind) == there.join().unwrap(),
                "{from} to {to} differs"
            );
            assert!(
                received.join().unwrap() == back.join().unwrap(),
                "{to} to {from} differs"
            );
        });
    }
    server.stop();
    assert!(!space.has_device("tun0"));
}

#[test]
fn everything_arrives_over_plain_devices() {
    everything_arrives("");
}

#[test]
fn everything_arrives_with_offload() {
    everything_arrives("--offload");
}

#[test]
fn ends_refusals_and_resets_are_passed_on() {
    let Some((space, server)) = scene("") else {
        return;
    };
    // Nobody listens yet. The reset may come before `connect` has returned.
    let refused = space.netns.run(|| {
        let mut client = TcpStream::connect_timeout(&address(V4, 80), PATIENCE)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.read(&mut [0; 1])
    });
    let error = refused.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let listener = listen(&space, "10.9.0.1");
    // An answer after the end of the request.
    let mut client = connect(&space, V4, 80);
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut behind = accept(&listener);
    let mut text = String::new();
    behind.read_to_string(&mut text).unwrap();
    behind.write_all(b"answer").unwrap();
    drop(behind);
    text.push(' ');
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "question answer");

    // A server that ends with something unread resets.
    let mut client = connect(&space, V4, 80);
    client.write_all(b"unread").unwrap();
    let behind = accept(&listener);
    behind.peek(&mut [0; 1]).unwrap();
    drop(behind);
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    server.stop();
}

#[test]
fn a_server_that_does_not_read_stops_the_client() {
    let Some((space, server)) = scene("--offload") else {
        return;
    };
    let listener = listen(&space, "10.9.0.1");
    let mut client = connect(&space, V4, 80);
    client
        .set_write_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let behind = accept(&listener);
    let block = vec![0; 1 << 20];
    let mut sent = 0;
    while let Ok(written) = client.write(&block) {
        sent += written;
        assert!(sent < 256 << 20, "the window never closed");
    }
    client.shutdown(Shutdown::Write).unwrap();
    let (mut behind, mut buffer, mut received) = (&behind, vec![0; 1 << 20], 0);
    loop {
        match behind.read(&mut buffer).unwrap() {
            0 => break,
            read => received += read,
        }
    }
    assert_eq!(received, sent);
    server.stop();
}
