//! The asynchronous TCP sockets, over a link in memory.

mod common;

use std::future::Future;
use std::io::{ErrorKind, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use common::{Pair, at, at6, check, fill};
use netstack::tokio::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::time::timeout;

async fn connected(pair: &Pair) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    let client = TcpStream::connect(&pair.client, at(7)).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (server, client)
}

async fn echo(stream: TcpStream) {
    let (mut read, mut write) = stream.into_split();
    copy(&mut read, &mut write).await.unwrap();
    write.shutdown().await.unwrap();
}

/// Sends and checks `bytes` of the pattern through an echo.
async fn through_echo(stream: TcpStream, bytes: u64) {
    let (mut read, mut write) = tokio::io::split(stream);
    let sender = tokio::spawn(async move {
        let mut buf = vec![0; 200_000];
        let mut position = 0;
        while position < bytes {
            let length = (bytes - position).min(buf.len() as u64) as usize;
            fill(position, &mut buf[..length]);
            write.write_all(&buf[..length]).await.unwrap();
            position += length as u64;
        }
        write.shutdown().await.unwrap();
    });
    let mut buf = vec![0; 150_000];
    let mut position = 0;
    loop {
        let length = read.read(&mut buf).await.unwrap();
        if length == 0 {
            break;
        }
        check(position, &buf[..length]);
        position += length as u64;
    }
    assert_eq!(position, bytes);
    sender.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_of_64_mib() {
    let pair = Pair::start();
    let (server, client) = connected(&pair).await;
    let server = tokio::spawn(echo(server));
    through_echo(client, 64 << 20).await;
    server.await.unwrap();
    pair.finish();
}

#[tokio::test]
async fn many_connections_on_one_thread() {
    const CONNECTIONS: usize = 50;
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at6(7)).unwrap();
    let server = tokio::spawn(async move {
        for _ in 0..CONNECTIONS {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(echo(stream));
        }
    });
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let net = pair.client.clone();
            tokio::spawn(async move {
                let stream = TcpStream::connect(&net, at6(7)).await.unwrap();
                through_echo(stream, 100_000).await;
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    server.await.unwrap();
    pair.finish();
}

#[tokio::test]
async fn a_read_that_is_dropped_loses_no_data() {
    const BYTES: u64 = 3_000_000;
    let pair = Pair::start();
    let (mut server, mut client) = connected(&pair).await;
    let sender = tokio::spawn(async move {
        let mut position = 0;
        for size in (1..).map(|round| round * 7_919 % 9_000 + 1) {
            let mut buf = vec![0; size.min((BYTES - position) as usize)];
            fill(position, &mut buf);
            server.write_all(&buf).await.unwrap();
            position += buf.len() as u64;
            if position == BYTES {
                break;
            }
            if size % 16 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut position = 0;
    let mut dropped = 0;
    let mut buf = vec![0; 4_000];
    while position < BYTES {
        // Half of the reads are given up after one poll.
        let read = timeout(
            Duration::from_micros(dropped % 2 * 200),
            client.read(&mut buf),
        )
        .await;
        match read {
            Ok(length) => {
                let length = length.unwrap();
                check(position, &buf[..length]);
                position += length as u64;
            }
            Err(_) => dropped += 1,
        }
    }
    assert!(dropped > 0);
    sender.await.unwrap();
    assert_eq!(client.read(&mut buf).await.unwrap(), 0);
    drop(client);
    pair.finish();
}

#[tokio::test]
async fn a_write_that_is_dropped_counts_what_it_said() {
    let pair = Pair::with_buffers(64 << 10);
    let (mut server, mut client) = connected(&pair).await;
    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        let mut buf = vec![0; 30_000];
        loop {
            tokio::time::sleep(Duration::from_millis(2)).await;
            match server.read(&mut buf).await.unwrap() {
                0 => return all,
                length => all.extend_from_slice(&buf[..length]),
            }
        }
    });
    let mut sent = 0_u64;
    let mut dropped = 0;
    let mut buf = vec![0; 50_000];
    while sent < 2_000_000 {
        fill(sent, &mut buf);
        match timeout(Duration::from_micros(300), client.write(&buf)).await {
            Ok(written) => sent += written.unwrap() as u64,
            Err(_) => dropped += 1,
        }
    }
    assert!(dropped > 0);
    drop(client);
    let received = reader.await.unwrap();
    assert_eq!(received.len() as u64, sent);
    check(0, &received);
    pair.finish();
}

#[tokio::test]
async fn an_accept_that_is_dropped_leaves_the_connection() {
    let pair = Pair::start();
    let listener = TcpListener::bind(&pair.server, at(7)).unwrap();
    assert!(
        timeout(Duration::from_millis(5), listener.accept())
            .await
            .is_err()
    );
    let client = TcpStream::connect(&pair.client, at(7)).await.unwrap();
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    drop((client, listener));
    pair.finish();
}

#[tokio::test]
async fn a_connect_that_is_dropped_is_given_up() {
    let pair = Pair::start();
    let nobody = "10.0.0.77:80".parse().unwrap();
    assert!(
        timeout(
            Duration::from_millis(20),
            TcpStream::connect(&pair.client, nobody)
        )
        .await
        .is_err()
    );
    let refused = TcpStream::connect(&pair.client, at(81)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    pair.finish();
}

#[tokio::test]
async fn vectors_peeks_and_halves() {
    let pair = Pair::start();
    let (mut server, client) = connected(&pair).await;
    assert!(client.take_error().unwrap().is_none());
    client.set_nodelay(true).unwrap();
    let (read, mut write) = client.into_split();
    let written = write
        .write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")])
        .await
        .unwrap();
    assert_eq!(written, 7);
    let mut buf = [0; 7];
    while server.peek(&mut buf).await.unwrap() < 7 {}
    server.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"one two");
    // The write half ends the stream when it goes; the read half goes on.
    drop(write);
    assert_eq!(server.read(&mut buf).await.unwrap(), 0);
    server.write_all(b"end").await.unwrap();
    drop(server);
    let mut read = read;
    let mut rest = Vec::new();
    read.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"end");
    drop(read);
    pair.finish();
}

#[tokio::test]
async fn a_send_buffer_of_its_own() {
    let pair = Pair::with_buffers(64 << 10);
    let (server, mut client) = connected(&pair).await;
    let error = client.set_send_buffer(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    client.set_send_buffer(1000).unwrap();
    client.set_congestion(netstack::Congestion::Reno).unwrap();
    assert_eq!(client.write(&[1; 5000]).await.unwrap(), 1000);
    drop(server);
    drop(client);
    pair.finish();
}

#[tokio::test]
async fn halves_find_each_other_again() {
    let pair = Pair::start();
    let (server, client) = connected(&pair).await;
    let (server_read, server_write) = server.into_split();
    let (client_read, client_write) = client.into_split();
    let strangers = server_read.reunite(client_write).unwrap_err();
    let mut client = client_read.reunite(strangers.1).unwrap();
    let mut server = strangers.0.reunite(server_write).unwrap();
    client.write_all(b"still open").await.unwrap();
    let mut buf = [0; 10];
    server.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"still open");
    drop((server, client));
    pair.finish();
}

/// The sockets use wakers and nothing else: an executor of ten lines drives them as well.
#[test]
fn any_executor_will_do() {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(value) => return value,
                Poll::Pending => thread::park(),
            }
        }
    }

    let pair = Pair::start();
    block_on(async {
        let (mut server, mut client) = connected(&pair).await;
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
    });
    pair.finish();
}
