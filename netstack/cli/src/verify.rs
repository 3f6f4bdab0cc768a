//! `netstack verify`: judges captures.

use std::fs;
use std::path::Path;

use pcap_verify::{Offload, Options, Report, Vantage, VerifyError};

use crate::args::{OffloadWord, VantageWord, Verify};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Checks each file and prints what was found in it.
///
/// All files are checked even when some cannot be; each of these is named at the end.
pub(crate) fn run(args: &Verify) -> Result<Outcome, Failure> {
    if (args.annotate.is_some() || args.plot.is_some()) && args.files.len() > 1 {
        return Err(Failure::new(
            "--annotate and --plot are for one capture; name one file",
        ));
    }
    let options = options(args);
    let mut reports = Vec::new();
    let mut refusals = Vec::new();
    for file in &args.files {
        match pcap_verify::check_file_with(file, &options) {
            Ok(report) => {
                if !args.json && !args.sarif {
                    output::print(&format!("{}: {report}", file.display()))?;
                }
                reports.push((file.display().to_string(), report));
            }
            Err(error) => refusals.push((file.display().to_string(), refusal(file, &error))),
        }
    }
    print_for_programs(args, &reports, &refusals)?;
    if !refusals.is_empty() {
        let sentences: Vec<String> = refusals.into_iter().map(|(_, why)| why).collect();
        return Err(Failure::new(sentences.join("; ")));
    }
    // What was found has been said by now, whatever becomes of these.
    if let ([file], [(_, report)]) = (&args.files[..], &reports[..]) {
        write_beside(args, file, report)?;
    }
    let is_clean = reports.iter().all(|(_, report)| report.is_clean());
    Ok(if is_clean {
        Outcome::Fine
    } else {
        Outcome::Found
    })
}

/// Writes the annotated copy and the graphs, each whether or not the other can be.
fn write_beside(args: &Verify, file: &Path, report: &Report) -> Result<(), Failure> {
    let copied = args.annotate.as_ref().map_or(Ok(()), |copy| {
        pcap_verify::annotate(file, report, copy).map_err(Failure::of)
    });
    if let Some(directory) = &args.plot {
        let plotted = pcap_verify::plot(file, directory).map_err(Failure::of);
        let plotted = match (plotted, &copied) {
            (Ok(plotted), _) => plotted,
            (Err(error), Ok(())) => return Err(error),
            (Err(error), Err(other)) => return Err(Failure::new(format!("{other}; {error}"))),
        };
        if plotted.drawn < plotted.connections {
            output::complain(&format!(
                "only the first {} of {} connections are drawn",
                plotted.drawn, plotted.connections
            ));
        }
    }
    copied
}

fn options(args: &Verify) -> Options {
    let mut options = Options::default();
    options.vantage = match args.vantage {
        VantageWord::Auto => Vantage::Auto,
        VantageWord::Sender => Vantage::Sender,
        VantageWord::Receiver => Vantage::Receiver,
        VantageWord::Middle => Vantage::Middle,
    };
    options.beside.clone_from(&args.beside);
    options.complete = args.complete;
    options.offload = match args.offload {
        OffloadWord::Auto => Offload::Auto,
        OffloadWord::Before => Offload::Before,
        OffloadWord::After => Offload::After,
    };
    options.mtu = args.mtu;
    options
}

/// One JSON object a line and file, or one SARIF log for all.
fn print_for_programs(
    args: &Verify,
    reports: &[(String, Report)],
    refusals: &[(String, String)],
) -> Result<(), Failure> {
    if args.json {
        for (file, report) in reports {
            output::line(&pcap_verify::to_json(file, report).to_string())?;
        }
    }
    if args.sarif {
        let log = pcap_verify::to_sarif_with(reports, refusals);
        let text = serde_json::to_string_pretty(&log);
        output::line(&text.map_err(Failure::of)?)?;
    }
    Ok(())
}

/// Why `file` cannot be judged, and what to do.
fn refusal(file: &Path, error: &VerifyError) -> String {
    let name = file.display();
    let is = |test: fn(&fs::Metadata) -> bool| fs::metadata(file).is_ok_and(|data| test(&data));
    match error {
        _ if is(fs::Metadata::is_dir) => format!("{name} is a directory; name a capture file"),
        // The error names the file itself.
        VerifyError::Open { .. } => format!("{error}; name a capture file that can be read"),
        VerifyError::Format(_) if is(|data| data.is_file() && data.len() == 0) => {
            format!("{name} is empty; name a capture file, such as `netstack serve --pcap` writes")
        }
        VerifyError::Format(_) => {
            format!("{name}: {error}; name a capture file, such as `netstack serve --pcap` writes")
        }
        _ => format!("{name}: {error}"),
    }
}
