//! The http service against clients that do not behave.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use common::{Space, V4, connect, serve};
use needs::may_use_tun;

/// More clients than the stack's memory would have room for if each might hold as much as it wants.
#[test]
fn http_clients_that_do_not_read_keep_nobody_waiting() {
    if !may_use_tun() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("large"), vec![7; 20_000_000]).unwrap();
    fs::write(root.path().join("small"), "small").unwrap();
    let space = Space::new();
    let rest = format!("--service http:80 --http-root {}", root.path().display());
    let server = serve(&space, &rest);
    let ask = |file: &str| {
        let mut client = connect(&space, V4, 80);
        let request = format!("GET /{file} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        client
    };
    let _stalled: Vec<TcpStream> = (0..320).map(|_| ask("large")).collect();
    // Until each of them is sent as much as it may be.
    thread::sleep(Duration::from_secs(2));
    let mut answer = String::new();
    ask("small").read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nsmall"), "{answer}");
    server.stop();
}

#[test]
fn an_error_is_not_lost_behind_a_reset() {
    if !may_use_tun() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let space = Space::new();
    let rest = format!("--service http:80 --http-root {}", root.path().display());
    let server = serve(&space, &rest);
    let mut client = connect(&space, V4, 80);
    let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n", "x".repeat(1_000_000));
    client.write_all(request.as_bytes()).unwrap();
    // Time for the answer, and for a reset that would take it away.
    thread::sleep(Duration::from_millis(500));
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    drop(client);
    server.stop();
}
