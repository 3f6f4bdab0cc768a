//! The asynchronous TCP sockets in all the shapes that tokio's have.

mod common;

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::time::Duration;

use bytes::Bytes;
use common::{Pair, at, check, fill};
use futures_util::{StreamExt as _, future};
use netstack::tokio::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

const SOON: Duration = Duration::from_millis(50);

async fn connected(pair: &Pair) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let client = TcpStream::connect(&pair.client, at(7)).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (server, client)
}

async fn finish(pair: Pair) {
    tokio::task::spawn_blocking(|| pair.finish()).await.unwrap();
}

#[tokio::test]
async fn a_listener_is_a_stream_of_connections() {
    let pair = Pair::start();
    let mut listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let clients = (0..20).map(|_| TcpStream::connect(&pair.client, at(7)));
    let clients: Vec<_> = future::join_all(clients).await;
    let mut peers = Vec::new();
    let mut streams = listener.by_ref().take(20);
    while let Some(stream) = streams.next().await {
        peers.push(stream.unwrap().peer_addr().unwrap());
    }
    let mut expected: Vec<_> = clients
        .iter()
        .map(|client| client.as_ref().unwrap().local_addr().unwrap())
        .collect();
    peers.sort();
    expected.sort();
    assert_eq!(peers, expected);
    // Nothing comes, and nobody is told that something did.
    assert!(timeout(SOON, listener.next()).await.is_err());
    drop((clients, listener));
    finish(pair).await;
}

#[tokio::test]
async fn a_stream_can_be_split_by_reference() {
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair).await;
    let echo = tokio::spawn(async move {
        let (mut read, mut write) = server.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        // The halves are gone and the stream is whole.
        server.shutdown().await.unwrap();
    });
    let (mut read, mut write) = client.split();
    assert_eq!(
        read.as_ref().local_addr().unwrap(),
        write.as_ref().local_addr().unwrap()
    );
    let length = 3_000_000;
    let sending = async {
        let mut data = vec![0; length];
        fill(0, &mut data);
        write.write_all(&data).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let receiving = async {
        let mut data = Vec::new();
        read.read_to_end(&mut data).await.unwrap();
        assert_eq!(data.len(), length);
        check(0, &data);
    };
    tokio::join!(sending, receiving);
    echo.await.unwrap();
    drop(client);
    finish(pair).await;
}

#[tokio::test]
async fn what_is_peeked_at_stays() {
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair).await;
    client.write_all(b"hello").await.unwrap();
    let mut three = [0; 3];
    assert_eq!(server.peek(&mut three).await.unwrap(), 3);
    assert_eq!(&three, b"hel");
    let mut room = [0; 8];
    let mut buf = ReadBuf::new(&mut room);
    let peeked = std::future::poll_fn(|cx| server.poll_peek(cx, &mut buf)).await;
    assert_eq!((peeked.unwrap(), buf.filled()), (5, &b"hello"[..]));
    let names = (client.peer_addr().unwrap(), client.local_addr().unwrap());
    let (mut read, write) = server.into_split();
    for (local, peer) in [
        (read.local_addr(), read.peer_addr()),
        (write.local_addr(), write.peer_addr()),
    ] {
        assert_eq!((local.unwrap(), peer.unwrap()), names);
    }
    assert_eq!(read.peek(&mut three).await.unwrap(), 3);
    let mut all = [0; 5];
    read.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"hello");
    drop(write);
    server = {
        assert_eq!(client.peek(&mut three).await.unwrap(), 0, "the end");
        drop(read);
        client
    };
    drop(server);
    finish(pair).await;
}

#[tokio::test]
async fn trying_waits_for_nothing_and_readiness_for_something() {
    let pair = Pair::with_buffers(64 << 10);
    let (mut server, client) = connected(&pair).await;
    let mut buf = [0; 1000];
    let nothing = client.try_read(&mut buf).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    assert!(timeout(SOON, client.readable()).await.is_err());
    server.write_all(b"data").await.unwrap();
    client.readable().await.unwrap();
    assert_eq!(client.try_read(&mut buf).unwrap(), 4);

    client.writable().await.unwrap();
    let parts = [IoSlice::new(b"one"), IoSlice::new(b"two")];
    let mut sent = client.try_write_vectored(&parts).unwrap() as u64;
    assert_eq!(sent, 6, "both at once");
    let data = vec![7; 10_000];
    let full = loop {
        match client.try_write(&data) {
            Ok(length) => sent += length as u64,
            // The window of the peer may move a little still.
            Err(_) if timeout(SOON, client.writable()).await.is_ok() => {}
            Err(full) => break full,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let reading = async {
        let mut received = 0;
        while received < sent {
            received += server.read(&mut buf).await.unwrap() as u64;
        }
    };
    // Who waits hears of room.
    let (ready, ()) = tokio::join!(timeout(Duration::from_secs(10), client.writable()), reading);
    ready.expect("room").unwrap();

    // The end is something to read, and so is a reset.
    drop(server);
    client.readable().await.unwrap();
    assert_eq!(client.try_read(&mut buf).unwrap(), 0);
    drop(client);
    finish(pair).await;
}

#[tokio::test]
async fn the_halves_send_owned_bytes_and_receive_spans() {
    let pair = Pair::start();
    let (server, client) = connected(&pair).await;
    let (read, write) = server.into_split();
    let (from, into) = client.into_split();
    let mut data = vec![0; 500_000];
    fill(0, &mut data);
    let sending = async {
        let mut bytes = Bytes::from(data);
        while !bytes.is_empty() {
            assert!(into.send_bytes(&mut bytes).await.unwrap() > 0);
        }
        drop(into);
    };
    let receiving = async {
        let (mut spans, mut position) = (VecDeque::new(), 0);
        while read.recv_spans(&mut spans, 100_000).await.unwrap() > 0 {
            for span in spans.drain(..) {
                let bytes = span.to_vec().unwrap();
                check(position, &bytes);
                position += bytes.len() as u64;
            }
        }
        assert_eq!(position, 500_000);
    };
    tokio::join!(sending, receiving);
    drop((read, write, from));
    finish(pair).await;
}
