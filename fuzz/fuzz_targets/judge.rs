//! Capture files with any bytes, and packets with any bytes in a whole file.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pcap_verify::check_reader(Cursor::new(bytes));
    let _ = pcap_verify::check_reader(Cursor::new(wrap(bytes)));
});

/// A microsecond pcap of raw IP whose packets are what lies between length bytes.
fn wrap(mut bytes: &[u8]) -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101];
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut time = 1u32;
    while let Some((&length, rest)) = bytes.split_first() {
        let packet = &rest[..rest.len().min(usize::from(length))];
        time = time.wrapping_add(u32::from(length) & 7);
        let size = packet.len() as u32;
        file.extend([time, u32::from(length) * 3000, size, size].iter().flat_map(|word| word.to_le_bytes()));
        file.extend_from_slice(packet);
        bytes = &rest[packet.len()..];
    }
    file
}
