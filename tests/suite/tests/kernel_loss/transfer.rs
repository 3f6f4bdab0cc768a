//! One connection over a path, and data that is compared.

use super::host::Stream;
use super::path::{FAR, NEAR, Path};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a write.
const BLOCK: usize = 256 << 10;
const PORT: u16 = 5001;

/// An end of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Near,
    Far,
}

/// What moving took, from the first byte written to the last one read.
pub(crate) struct Transfer {
    pub(crate) elapsed: Duration,
}

/// Has `sends` send `bytes` on a connection that `opens` opens, and compares them by their hash.
pub(crate) fn transfer(path: &Path, opens: Side, sends: Side, bytes: u64) -> Transfer {
    let (client, server, address) = match opens {
        Side::Near => (&path.near, &path.far, FAR),
        Side::Far => (&path.far, &path.near, NEAR),
    };
    let at = SocketAddr::new(address.parse().expect("an address"), PORT);
    let listener = server.listen(at);
    let opened = client.connect(at);
    let accepted = listener.accept();
    let (sender, receiver) = match opens == sends {
        true => (opened, accepted),
        false => (accepted, opened),
    };
    let begun = Instant::now();
    let sending = thread::spawn(move || send(sender, bytes));
    let (received, hash) = receive(receiver);
    let elapsed = begun.elapsed();
    let (sent, _open) = sending.join().expect("everything is sent");
    assert_eq!(received, bytes, "bytes are missing");
    assert!(hash == sent, "the data differ");
    Transfer { elapsed }
}

type Hash = sha2::digest::Output<Sha256>;

/// Sends a stream of noise and ends it.
fn send(mut stream: Box<dyn Stream>, bytes: u64) -> (Hash, Box<dyn Stream>) {
    let mut block = vec![0; BLOCK];
    ChaCha8Rng::from_seed([9; 32]).fill_bytes(&mut block);
    let mut hash = Sha256::new();
    let mut left = bytes;
    while left > 0 {
        // No two blocks are the same.
        block[..8].copy_from_slice(&left.to_le_bytes());
        let len = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        hash.update(&block[..len]);
        stream.write_all(&block[..len]).expect("a peer that reads");
        left -= len as u64;
    }
    stream.finish().expect("a connection");
    (hash.finalize(), stream)
}

fn receive(mut stream: Box<dyn Stream>) -> (u64, Hash) {
    let mut buffer = vec![0; BLOCK];
    let mut hash = Sha256::new();
    let mut received = 0;
    loop {
        match stream.read(&mut buffer).expect("a peer that ends") {
            0 => return (received, hash.finalize()),
            read => {
                hash.update(&buffer[..read]);
                received += read as u64;
            }
        }
    }
}
