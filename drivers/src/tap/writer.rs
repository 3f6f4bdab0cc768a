//! The thread that writes a capture: pcapng, link type RAW, nanoseconds.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriteError;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use txbuf::{Checksum, checksum};

use super::queue::Queue;
use super::record::{Direction, Record};
use super::{CaptureReport, Clock, TapConfig};

/// Direction in the `epb_flags` option: bits 0 and 1.
const INBOUND: u32 = 0b01;
const OUTBOUND: u32 = 0b10;

/// The most that is written at once: what a pipe holds.
const PART: usize = 64 << 10;

/// How often the writer looks for packets in vain before it sleeps until it is woken.
const IDLE_LOOKS: u32 = 50;

/// Writes the head of the file and starts the thread that writes the rest.
pub(super) fn start<W: Write + Send + 'static>(
    file: W,
    config: TapConfig,
    queue: Arc<Queue>,
) -> io::Result<JoinHandle<io::Result<CaptureReport>>> {
    let file = Noted {
        file,
        queue: Arc::clone(&queue),
    };
    let mut writer = Writer::new(file, &config)?;
    thread::Builder::new()
        .name("capture".into())
        .spawn(move || {
            queue.adopt_writer();
            let result = writer.run(&queue);
            if result.is_err() {
                queue.abandon();
            }
            result
        })
}

/// A file that tells the queue whenever it has taken something.
struct Noted<W> {
    file: W,
    queue: Arc<Queue>,
}

impl<W: Write> Write for Noted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A pipe would hold a larger write until all of it is read.
        let part = &bytes[..bytes.len().min(PART)];
        let written = self.file.write(part)?;
        self.queue.note_progress();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

struct Writer<W: Write> {
    pcapng: PcapNgWriter<BufWriter<W>>,
    snap_length: usize,
    clock: Clock,
    report: CaptureReport,
    /// The packet in hand, in one piece.
    linear: Vec<u8>,
}

impl<W: Write> Writer<W> {
    fn new(file: W, config: &TapConfig) -> io::Result<Writer<W>> {
        let mut pcapng =
            PcapNgWriter::new(BufWriter::with_capacity(256 << 10, file)).map_err(to_io)?;
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: config.snap_length.unwrap_or(0),
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(&config.name)),
                InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
            ],
        };
        pcapng.write_pcapng_block(description).map_err(to_io)?;
        pcapng.get_mut().flush()?;
        let snap_length = config
            .snap_length
            .map_or(usize::MAX, |bytes| bytes as usize);
        Ok(Writer {
            pcapng,
            snap_length,
            clock: config.clock.clone(),
            report: CaptureReport::default(),
            linear: Vec::new(),
        })
    }

    fn run(&mut self, queue: &Queue) -> io::Result<CaptureReport> {
        let mut idle = 0;
        loop {
            // Asked first: what was offered before the end is then seen below.
            let last = queue.is_closed();
            let mut found = false;
            while let Some(record) = queue.take() {
                self.write(record)?;
                found = true;
            }
            if last {
                return self.end(queue);
            }
            idle = if found { 0 } else { idle + 1 };
            if idle < IDLE_LOOKS {
                queue.linger();
            } else {
                // Whoever reads the file now sees all that has passed.
                self.pcapng.get_mut().flush()?;
                queue.wait();
                idle = 0;
            }
        }
    }

    fn write(&mut self, record: Record) -> io::Result<()> {
        let Record {
            packet,
            length,
            direction,
            timestamp,
        } = record;
        self.linear.resize(packet.len(), 0);
        // Cannot fail: what the CPU may not read is not kept.
        let kept = packet.copy_to(0, &mut self.linear).unwrap_or(0);
        self.linear.truncate(kept);
        let checksum = packet.meta.checksum;
        // The storage is free before the disk is waited for.
        drop(packet);
        if let Checksum::Partial { start, offset } = checksum
            && kept == length
        {
            complete(&mut self.linear, start.into(), offset.into());
        }
        let flags = match direction {
            Direction::In => INBOUND,
            Direction::Out => OUTBOUND,
        };
        let mut options = vec![EnhancedPacketOption::Flags(flags)];
        if kept < length.min(self.snap_length) {
            self.report.unreadable += 1;
            options.push(hole(kept, checksum));
        }
        self.linear.truncate(self.snap_length);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(timestamp),
            original_len: u32::try_from(length).unwrap_or(u32::MAX),
            data: Cow::Borrowed(&self.linear),
            options,
        };
        self.pcapng.write_pcapng_block(block).map_err(to_io)?;
        self.report.written += 1;
        self.report.bytes += self.linear.len() as u64;
        Ok(())
    }

    /// Closes the capture with how much of it is missing.
    fn end(&mut self, queue: &Queue) -> io::Result<CaptureReport> {
        self.report.dropped = queue.dropped();
        let statistics = InterfaceStatisticsBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(self.clock.now()),
            options: vec![
                InterfaceStatisticsOption::IsbIfRecv(self.report.written + self.report.dropped),
                InterfaceStatisticsOption::IsbIfDrop(self.report.dropped),
            ],
        };
        self.pcapng.write_pcapng_block(statistics).map_err(to_io)?;
        self.pcapng.get_mut().flush()?;
        Ok(self.report)
    }
}

/// What a capture says of a packet that ends at its byte `at` because the CPU may not read what follows.
fn hole(at: usize, checksum: Checksum) -> EnhancedPacketOption<'static> {
    let unfinished = match checksum {
        Checksum::Partial { .. } => ", and its checksum is not completed",
        _ => "",
    };
    let comment = format!(
        "cut at byte {at}: what follows lies in memory of a device that the CPU may not read{unfinished}"
    );
    EnhancedPacketOption::Common(CommonOption::Comment(Cow::Owned(comment)))
}

/// Completes a checksum that was left to a device, in the copy that is captured. Metadata that points outside the
/// packet leaves it as it is.
fn complete(packet: &mut [u8], start: usize, offset: usize) {
    let Some(sum) = packet.get(start..).map(checksum::sum) else {
        return;
    };
    let Some(field) = packet.get_mut(start + offset..start + offset + 2) else {
        return;
    };
    let check = if sum == 0xffff && offset == UDP_CHECKSUM {
        0xffff
    } else {
        !sum
    };
    field.copy_from_slice(&check.to_be_bytes());
}

/// Where UDP has its checksum; there zero would say that it has none (RFC 768).
const UDP_CHECKSUM: usize = 6;

fn to_io(error: PcapNgWriteError) -> io::Error {
    match error {
        PcapNgWriteError::Io(error) => error,
        other => io::Error::other(other),
    }
}
