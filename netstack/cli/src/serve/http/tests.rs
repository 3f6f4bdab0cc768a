use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::range::{self, Range};
use super::{Files, Patient, linger, path, serve_connection};

/// A root with a few files, and a secret beside it.
fn site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("with index")).unwrap();
    fs::create_dir(root.join("plain")).unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    fs::write(root.join("a.txt"), "0123456789").unwrap();
    fs::write(root.join("with index/index.html"), "<p>index").unwrap();
    fs::write(root.join("plain/<b>&\".bin"), "").unwrap();
    fs::write(root.join("big"), vec![7; 1_000_000]).unwrap();
    symlink("../secret", root.join("up")).unwrap();
    symlink(dir.path().join("secret"), root.join("absolute")).unwrap();
    symlink("..", root.join("parent")).unwrap();
    symlink("a.txt", root.join("inside")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    dir
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(work)
}

fn ask_raw(root: &Path, request: &str) -> Vec<u8> {
    let files = Arc::new(Files::new(root).unwrap());
    block_on(async move {
        let (mut client, mut server) = tokio::io::duplex(64 << 10);
        let server = tokio::spawn(async move { serve_connection(&mut server, files).await });
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        server.await.unwrap();
        answer
    })
}

fn ask(root: &Path, method: &str, target: &str, headers: &str) -> Answer {
    let request =
        format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    let raw = ask_raw(root, &request);
    let split = raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(raw[..split].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: raw[split + 4..].to_vec(),
    }
}

fn get(site: &TempDir, target: &str) -> Answer {
    ask(&site.path().join("root"), "GET", target, "")
}

#[test]
fn gives_a_file_with_its_length_and_type() {
    let site = site();
    let answer = get(&site, "/a.txt");
    assert_eq!((answer.status, answer.text()), (200, "0123456789"));
    assert_eq!(answer.header("content-length"), Some("10"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(get(&site, "/inside").text(), "0123456789");
    assert_eq!(get(&site, "/./plain//../a.txt").status, 404);
    assert_eq!(get(&site, "/.//a%2Etxt").text(), "0123456789");
    assert_eq!(get(&site, "/a.txt?query").status, 200);
}

#[test]
fn streams_what_is_larger_than_a_chunk() {
    let answer = get(&site(), "/big");
    assert_eq!(answer.header("content-length"), Some("1000000"));
    assert_eq!(answer.body, vec![7; 1_000_000]);
}

#[test]
fn head_is_get_without_the_body() {
    let answer = ask(&site().path().join("root"), "HEAD", "/a.txt", "");
    assert_eq!(
        (
            answer.status,
            answer.header("content-length"),
            answer.body.len()
        ),
        (200, Some("10"), 0)
    );
}

#[test]
fn nothing_outside_the_root_is_given() {
    let site = site();
    let targets = [
        "/up",
        "/absolute",
        "/parent/secret",
        "/parent",
        "/loop",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/plain/../../secret",
        "/%00",
        "/a.txt%00",
        "/%",
        "/%g0",
        "/missing",
        "/a.txt/",
        "/a.txt/x",
        "/pipe",
    ];
    for target in targets {
        let answer = get(&site, target);
        assert_eq!(answer.status, 404, "{target}");
        assert!(!answer.text().contains("secret"), "{target}");
    }
    assert_eq!(get(&site, &format!("/{}", "x".repeat(300))).status, 404);
}

#[test]
fn a_directory_is_its_index_or_a_listing() {
    let site = site();
    assert_eq!(get(&site, "/with%20index/").text(), "<p>index");
    let redirect = get(&site, "/with%20index");
    assert_eq!(
        (redirect.status, redirect.header("location")),
        (301, Some("/with%20index/"))
    );
    assert_eq!(get(&site, "//plain").header("location"), Some("/plain/"));
    let listing = get(&site, "/plain/");
    assert_eq!(
        listing.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        listing
            .text()
            .contains("<a href=\"./%3Cb%3E%26%22.bin\">&lt;b&gt;&amp;&quot;.bin</a>")
    );
    assert!(
        get(&site, "/")
            .text()
            .contains("<a href=\"./plain/\">plain/</a>")
    );
}

#[test]
fn other_methods_and_broken_requests_are_refused() {
    let site = site();
    let root = site.path().join("root");
    let answer = ask(&root, "POST", "/a.txt", "content-length: 0\r\n");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert!(ask_raw(&root, "what is this\r\n\r\n").starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn a_request_names_one_host() {
    let site = site();
    let root = site.path().join("root");
    for (rest, status) in [
        ("HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        (
            "HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n",
            400,
        ),
        ("HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", 200),
        ("HTTP/1.0\r\n\r\n", 200),
    ] {
        let answer = String::from_utf8(ask_raw(&root, &format!("GET /a.txt {rest}"))).unwrap();
        let told = answer.split(' ').nth(1).unwrap();
        assert_eq!(told, status.to_string(), "{rest:?}");
    }
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let site = site();
    let files = Arc::new(Files::new(&site.path().join("root")).unwrap());
    block_on(async move {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let mut server = Patient::new(server, Duration::from_millis(100));
        let server = tokio::spawn(async move { serve_connection(&mut server, files).await });
        let request = b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), server)
            .await
            .expect("a connection that ends")
            .unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer.len(), 64 << 10);
    });
}

#[test]
fn an_error_reaches_a_client_that_is_still_writing() {
    let site = site();
    let files = Arc::new(Files::new(&site.path().join("root")).unwrap());
    block_on(async move {
        let (mut client, mut server) = tokio::io::duplex(64 << 10);
        let server = tokio::spawn(async move {
            serve_connection(&mut server, files).await;
            linger(&mut server).await;
        });
        let request = format!("GET /{} HTTP/1.1\r\n", "x".repeat(1_000_000));
        client.write_all(request.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        server.await.unwrap();
    });
}

#[test]
fn a_download_can_be_continued() {
    let site = site();
    let root = site.path().join("root");
    let answer = ask(&root, "GET", "/a.txt", "range: bytes=4-\r\n");
    assert_eq!((answer.status, answer.text()), (206, "456789"));
    assert_eq!(answer.header("content-range"), Some("bytes 4-9/10"));
    let answer = ask(&root, "HEAD", "/a.txt", "range: bytes=4-\r\n");
    assert_eq!(
        (
            answer.status,
            answer.header("content-length"),
            answer.header("content-range")
        ),
        (200, Some("10"), None)
    );
    let answer = ask(&root, "GET", "/a.txt", "range: bytes=10-\r\n");
    assert_eq!(
        (answer.status, answer.header("content-range")),
        (416, Some("bytes */10"))
    );
}

#[test]
fn ranges() {
    let part = |first, last| Range::Part { first, last };
    for (header, length, expected) in [
        ("bytes=0-0", 10, part(0, 0)),
        ("bytes=2-5", 10, part(2, 5)),
        ("bytes=2-99", 10, part(2, 9)),
        ("bytes=-3", 10, part(7, 9)),
        ("bytes=-30", 10, part(0, 9)),
        ("bytes=-0", 10, Range::Outside),
        ("bytes=-3", 0, Range::Outside),
        ("bytes=0-", 0, Range::Outside),
        ("bytes=10-", 10, Range::Outside),
        ("bytes=5-2", 10, Range::Whole),
        ("bytes=1-2,4-5", 10, Range::Whole),
        ("bytes=+1-2", 10, Range::Whole),
        ("bytes=-", 10, Range::Whole),
        ("lines=1-2", 10, Range::Whole),
        ("bytes=99999999999999999999-", 10, Range::Whole),
    ] {
        assert_eq!(
            range::parse(header, length),
            expected,
            "{header} of {length}"
        );
    }
}

#[test]
fn paths() {
    assert_eq!(path::relative("/a/./b//c"), Some("a/b/c".into()));
    assert_eq!(path::relative("/"), Some("".into()));
    assert_eq!(path::relative("*"), None);
    assert_eq!(path::relative("/a/.."), None);
    assert_eq!(
        path::percent_encode("a b/\u{e9}".as_bytes()),
        "a%20b%2F%C3%A9"
    );
}
