//! Measures how fast a capture of 1500-byte TCP packets is judged, read from the page cache:
//!
//! ```sh
//! cargo run --release -p pcap-verify --example speed            # 1 GB
//! cargo run --release -p pcap-verify --example speed -- 10000   # 10 GB, written to the temporary directory first
//! ```

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use etherparse::{PacketBuilder, TcpOptionElement};
use pcap_file::DataLink;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};

const PAYLOAD: usize = 1448;
/// Data segments between two acknowledgements.
const STRIDE: u32 = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let megabytes: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(1000), |word| word.parse())?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("speed.pcap");
    let bytes = generate(File::create(&path)?, megabytes * 1_000_000)?;
    // Once to have it in the page cache, then the best of three.
    pcap_verify::check_file(&path)?;
    let mut best = Duration::MAX;
    let mut report = None;
    for _ in 0..3 {
        let began = Instant::now();
        report = Some(pcap_verify::check_file(&path)?);
        best = best.min(began.elapsed());
    }
    let report = report.ok_or("nothing was judged")?;
    let rate = bytes as f64 / 1e6 / best.as_secs_f64();
    println!(
        "{bytes} bytes, {} packets, {} findings, {best:?}, {rate:.0} MB/s",
        report.packets,
        report.found()
    );
    println!("peak memory {}", peak_memory()?);
    Ok(())
}

/// The most memory this process has had, by the kernel's own account.
fn peak_memory() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    Ok(line
        .unwrap_or("unknown")
        .trim_start_matches("VmHWM:")
        .trim()
        .to_owned())
}

/// A long transfer between two hosts, 20 µs a packet.
fn generate(file: File, limit: u64) -> Result<u64, Box<dyn std::error::Error>> {
    let header = PcapHeader {
        datalink: DataLink::RAW,
        snaplen: 1 << 17,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(BufWriter::with_capacity(1 << 20, file), header)?;
    let (mut time, mut written) = (Duration::from_secs(1), 24);
    let mut put = |packet: &[u8]| -> Result<u64, Box<dyn std::error::Error>> {
        time += Duration::from_micros(20);
        writer.write_packet(&PcapPacket::new(time, packet.len() as u32, packet)?)?;
        Ok(packet.len() as u64 + 16)
    };
    let payload: Vec<u8> = (0..PAYLOAD).map(|at| (at * 7) as u8).collect();
    let stamps = [
        TcpOptionElement::Noop,
        TcpOptionElement::Noop,
        TcpOptionElement::Timestamp(9, 9),
    ];
    let (mut seq, back) = (1000u32, 5000u32);
    let mut sent = 0u32;
    let mut packet = Vec::with_capacity(1600);
    while written < limit {
        packet.clear();
        PacketBuilder::ipv4([10, 9, 0, 1], [10, 9, 0, 2], 64)
            .tcp(1234, 80, seq, 65_000)
            .ack(back)
            .options(&stamps)?
            .write(&mut packet, &payload)?;
        written += put(&packet)?;
        seq = seq.wrapping_add(PAYLOAD as u32);
        sent += 1;
        if sent.is_multiple_of(STRIDE) {
            packet.clear();
            PacketBuilder::ipv4([10, 9, 0, 2], [10, 9, 0, 1], 64)
                .tcp(80, 1234, back, 65_000)
                .ack(seq)
                .options(&stamps)?
                .write(&mut packet, &[])?;
            written += put(&packet)?;
        }
    }
    writer.into_inner().flush()?;
    Ok(written)
}
