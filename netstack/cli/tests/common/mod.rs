//! Running the command, and places to run it in.
// Each test file uses its own part of this.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use drivers::netlink::Netns;

/// The command under test.
pub(crate) const NETSTACK: &str = env!("CARGO_BIN_EXE_netstack");

/// How long `serve` may take until it is ready, and a child until it has ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Asserts that it could not do its work and said in one line why.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(
            self.err.lines().count(),
            1,
            "one line was expected: {self:?}"
        );
        assert!(self.err.starts_with("netstack: "), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing: {self:?}");
        }
    }

    /// Asserts that all was well.
    #[track_caller]
    pub(crate) fn fine(&self) {
        assert_eq!(self.code, Some(0), "{self:?}");
    }
}

/// Runs `netstack` with the words of `line`.
pub(crate) fn netstack(line: &str) -> Ended {
    run(Command::new(NETSTACK).args(line.split_whitespace()))
}

/// Runs any command to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.env_remove("RUST_LOG").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A named network namespace that goes with this value.
pub(crate) struct Space {
    pub(crate) name: String,
    pub(crate) netns: Netns,
}

impl Space {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "netstack-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        run(Command::new("ip").args(["netns", "add", &name])).fine();
        run(Command::new("ip").args(["-n", &name, "link", "set", "lo", "up"])).fine();
        let netns = Netns::by_name(&name).unwrap();
        Space { name, netns }
    }

    /// Runs a program inside.
    pub(crate) fn exec(&self, program: &str, args: &[&str]) -> Ended {
        run(Command::new("ip")
            .args(["netns", "exec", &self.name, program])
            .args(args))
    }

    /// Whether there is a device of this name inside.
    pub(crate) fn has_device(&self, name: &str) -> bool {
        drivers::netlink::link_state(Some(&self.netns), name).is_ok()
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

/// A running `netstack serve` that has said `ready`.
pub(crate) struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Server {
    /// Starts `netstack serve` with the words of `line` and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(line: &str) -> Self {
        Server::spawn(
            Command::new(NETSTACK)
                .arg("serve")
                .args(line.split_whitespace()),
        )
    }

    /// As [`start`](Server::start), with a command made by the caller.
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            out.lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut server = Server { child, lines };
        match server.lines.recv_timeout(PATIENCE) {
            Ok(line) => assert_eq!(line, "ready"),
            Err(_) => panic!("not ready: {:?}", server.wait()),
        }
        server
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub(crate) fn end(mut self, signal: rustix::process::Signal) -> Ended {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
        self.wait()
    }

    /// Ends it as Ctrl-C does and asserts that it ended well.
    #[track_caller]
    pub(crate) fn stop(self) {
        let ended = self.end(rustix::process::Signal::INT);
        ended.fine();
        assert_eq!(ended.err, "");
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("netstack serve does not end"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut err = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        let out = self.lines.iter().map(|line| line + "\n").collect();
        Ended {
            code: status.code(),
            out,
            err,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A copy of the command that every user may run, wherever the original lies.
pub(crate) fn public_copy(dir: &Path) -> PathBuf {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.join("netstack");
    fs::copy(NETSTACK, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// Runs a shell script in a mount namespace whose `/dev/net/tun` has `mode`; the machine's own is not touched.
/// `$NOBODY` in the script runs what follows it as a user without rights.
pub(crate) fn with_tun_mode(mode: &str, script: &str) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let setup = "set -e; mount -t tmpfs -o mode=1777 none \"$DIR\"; mknod \"$DIR/tun\" c 10 200; chmod \"$MODE\" \"$DIR/tun\"; \
                 mount --bind \"$DIR/tun\" /dev/net/tun; NOBODY='setpriv --reuid=65534 --regid=65534 --clear-groups'; ";
    run(Command::new("unshare")
        .args(["--mount", "sh", "-c", &format!("{setup}{script}")])
        .env("DIR", dir.path())
        .env("TMPDIR", dir.path())
        .env("MODE", mode))
}

/// How a capture beside the stack was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Taken {
    /// As on the wire, with every packet.
    Wire,
    /// On a device to which the kernel and the stack leave segmentation and checksums.
    Offload,
}

/// As [`judged_beside`], of a capture beside the stack at [`V4`] and [`V6`], whose other end is the kernel.
#[track_caller]
pub(crate) fn judged(pcap: &Path, taken: Taken) -> (Vec<&'static str>, u64) {
    judged_beside(&[V4, V6], pcap, taken, &["10.9.0.1", "fd00:9::1"])
}

/// The rules that kernels break in a capture beside a host with the addresses `beside`, and how many packets it has. A
/// finding is the stack's unless one of the addresses `kernel`, or one that a link gives, is to blame, and of the
/// stack nothing at all may be found, warnings and notes included. What is wrong with the file itself is among what is
/// returned.
#[track_caller]
pub(crate) fn judged_beside(
    beside: &[&str],
    pcap: &Path,
    taken: Taken,
    kernel: &[&str],
) -> (Vec<&'static str>, u64) {
    let mut options = pcap_verify::Options::default();
    options.beside = beside.iter().map(|ip| ip.parse().unwrap()).collect();
    options.complete = true;
    options.offload = match taken {
        Taken::Wire => pcap_verify::Offload::After,
        Taken::Offload => pcap_verify::Offload::Before,
    };
    let report = pcap_verify::check_file_with(pcap, &options).unwrap();
    assert_eq!(report.found(), report.findings.len() as u64, "{report}");
    let kernel: Vec<IpAddr> = kernel.iter().map(|ip| ip.parse().unwrap()).collect();
    let is_kernel = |host: IpAddr| {
        let by_link = matches!(host, IpAddr::V6(host) if host.is_unicast_link_local() || host.is_unspecified());
        by_link || kernel.contains(&host)
    };
    let mut of_kernel = BTreeSet::new();
    for finding in &report.findings {
        let of_file = finding.accused.is_none() && finding.rule.id.starts_with("J-FILE-");
        assert!(
            of_file || finding.accused.is_some_and(is_kernel),
            "against the stack: {finding}\n{report}"
        );
        of_kernel.insert(finding.rule.id);
        println!("of the kernel: {finding}");
    }
    (of_kernel.into_iter().collect(), report.packets)
}

pub(crate) const V4: &str = "10.9.0.2";
pub(crate) const V6: &str = "fd00:9::2";
pub(crate) const ADDRESSES: &str =
    "--addr 10.9.0.2/24,fd00:9::2/64 --peer 10.9.0.1/24 --peer fd00:9::1/64";

/// The command on `tun0` of `space`, with both addresses, and as many shards as [`shards`] says.
#[track_caller]
pub(crate) fn serve(space: &Space, rest: &str) -> Server {
    Server::start(&format!(
        "--tun tun0 --netns {} {ADDRESSES} {} {rest}",
        space.name,
        shards()
    ))
}

/// The option that says how many shards the command has: the tests hold for any number. `NETSTACK_TEST_SHARDS` says it.
pub(crate) fn shards() -> String {
    let number = std::env::var("NETSTACK_TEST_SHARDS");
    format!("--shards {}", number.as_deref().unwrap_or("1"))
}

/// A port of the stack.
pub(crate) fn address(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}

/// A kernel socket of the namespace, connected to the stack.
pub(crate) fn connect(space: &Space, ip: &str, port: u16) -> TcpStream {
    let stream = space
        .netns
        .run(|| TcpStream::connect_timeout(&address(ip, port), Duration::from_secs(10)));
    let stream = stream.unwrap().unwrap();
    let _ = rustix::net::sockopt::set_tcp_congestion(&stream, "cubic");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}
