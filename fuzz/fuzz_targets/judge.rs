//! Capture files with any bytes, and packets with any bytes in a whole file, judged from any place and written in all ways.
#![no_main]

use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::{env, fs, process};

use libfuzzer_sys::fuzz_target;
use pcap_verify::{Offload, Options, Vantage, VerifyError};

/// Copies and graphs take longer than all else: one input in so many gets them.
const WRITTEN: u8 = 32;
/// Where the source of the first packet stands: in a pcap of Ethernet, of raw IP, and between length bytes.
const SOURCES: [usize; 3] = [66, 52, 13];

fuzz_target!(|bytes: &[u8]| {
    let options = options(bytes);
    let _ = judge(bytes, &options);
    let file = wrap(bytes);
    let _ = judge(&file, &options);
    if bytes.last().is_some_and(|last| last % WRITTEN == 0) {
        write(&file);
        write(bytes);
    }
});

fn judge(file: &[u8], options: &Options) -> Result<(), VerifyError> {
    let report = pcap_verify::check_reader_with(Cursor::new(file), options)?;
    let text = format!("{report}{}", pcap_verify::to_json("file", &report));
    assert!(text.starts_with("packets "));
    let log = pcap_verify::to_sarif(&[("file".to_owned(), report)]);
    assert!(log["runs"].is_array());
    Ok(())
}

/// What is said of the capture follows from its last byte.
fn options(bytes: &[u8]) -> Options {
    let said = bytes.last().copied().unwrap_or(0);
    let mut options = Options::default();
    options.vantage = [
        Vantage::Auto,
        Vantage::Sender,
        Vantage::Receiver,
        Vantage::Middle,
    ][usize::from(said % 4)];
    options.offload = [
        Offload::Auto,
        Offload::Before,
        Offload::After,
        Offload::Auto,
    ][usize::from(said / 4 % 4)];
    options.complete = said & 0x10 != 0;
    options.mtu = (said & 0x20 != 0).then_some(1500);
    if said & 0x40 != 0 {
        let source = |at: &usize| bytes.get(*at..at + 4)?.try_into().ok();
        let sources = SOURCES.iter().filter_map(source);
        options.beside = sources
            .map(|bytes: [u8; 4]| IpAddr::from(Ipv4Addr::from(bytes)))
            .collect();
    }
    options
}

/// Annotates a copy and draws, in a folder of this process.
fn write(file: &[u8]) {
    let folder = env::temp_dir().join(format!("fuzz-judge-{}", process::id()));
    let (path, copy) = (folder.join("file"), folder.join("copy"));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(&path, file).expect("room");
    if let Ok(report) = pcap_verify::check_file(&path) {
        pcap_verify::annotate(&path, &report, &copy).expect("what was judged can be copied");
        assert_eq!(packets(&copy), report.packets);
        pcap_verify::plot(&path, &folder).expect("what was judged can be drawn");
    }
    let _ = fs::remove_dir_all(&folder);
}

fn packets(path: &Path) -> u64 {
    pcap_verify::check_file(path)
        .expect("a copy is a capture")
        .packets
}

/// A microsecond pcap of raw IP whose packets are what lies between length bytes.
fn wrap(mut bytes: &[u8]) -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101];
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut time = 1u32;
    while let Some((&length, rest)) = bytes.split_first() {
        let packet = &rest[..rest.len().min(usize::from(length))];
        time = time.wrapping_add(u32::from(length) & 7);
        let size = packet.len() as u32;
        file.extend(
            [time, u32::from(length) * 3000, size, size]
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
        file.extend_from_slice(packet);
        bytes = &rest[packet.len()..];
    }
    file
}
