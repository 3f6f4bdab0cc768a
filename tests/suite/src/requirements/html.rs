//! The report of requirements as a page: what shows each row, here and on Linux, with the capture that proves it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use packet_script::{Options, Outcome, Tried, load, run_file, run_smoltcp};

use super::packets::{Packets, Shown};
use super::status::{Proof, Status};
use super::{Table, judge, mutants, records};

/// What became of the scripts that rows name.
#[derive(Debug, Default)]
pub struct Played {
    scripts: BTreeMap<String, Script>,
    /// The version of Linux, if scripts were held against it.
    kernel: Option<String>,
    /// The rules of the judge.
    rules: judge::Rows,
    /// What became of mutants.
    mutants: Vec<mutants::Mutant>,
}

#[derive(Debug)]
struct Script {
    ours: bool,
    kernel: Kernel,
    /// What became of it against smoltcp.
    smoltcp: String,
    /// Captures by the version of IP.
    captures: Vec<(u8, Vec<u8>)>,
}

#[derive(Debug)]
enum Kernel {
    Holds,
    Fails,
    /// Not held against it: what the script says Linux does, if it says so.
    Apart(Option<String>),
}

impl Played {
    /// Plays the scripts among `proofs`, and reads what `kernel.tsv` says of them.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or written.
    pub fn new(workspace: &Path, status: &Status<'_>) -> io::Result<Played> {
        let record = workspace.join("tests/script/kernel.tsv");
        let recorded = if record.exists() {
            records(&record)?
        } else {
            Vec::new()
        };
        let field =
            |row: &BTreeMap<String, String>, name: &str| row.get(name).cloned().unwrap_or_default();
        let mut held: BTreeMap<String, bool> = BTreeMap::new();
        for row in &recorded {
            let holds = held.entry(field(row, "script")).or_insert(true);
            *holds &= field(row, "result") == "holds";
        }
        let folder = std::env::temp_dir().join(format!("requirements-{}", std::process::id()));
        let mut options = Options::default();
        options.captures = Some(folder.clone());
        let mut played = Played {
            kernel: recorded.first().map(|row| field(row, "kernel")),
            rules: judge::rules(workspace)?,
            mutants: mutants()?,
            ..Played::default()
        };
        for name in scripts(status) {
            let path = workspace.join(&name);
            fs::create_dir_all(&folder)?;
            let outcomes = run_file(&path, &options);
            let short = name.strip_prefix("tests/script/scripts/").unwrap_or(&name);
            let script = Script {
                ours: outcomes.iter().all(Outcome::is_fine),
                kernel: match held.get(short) {
                    Some(true) => Kernel::Holds,
                    Some(false) => Kernel::Fails,
                    None => Kernel::Apart(difference(&path)),
                },
                smoltcp: tried(&path),
                captures: captures(&folder)?,
            };
            fs::remove_dir_all(&folder)?;
            played.scripts.insert(name, script);
        }
        Ok(played)
    }
}

impl Played {
    /// How many scripts smoltcp can play, and how many of those hold.
    fn against_smoltcp(&self) -> String {
        let all = self.scripts.len();
        let count = |test: fn(&str) -> bool| {
            let said = self.scripts.values().map(|script| script.smoltcp.as_str());
            said.filter(|said| test(said)).count()
        };
        let cannot = count(|said| said.contains("cannot run"));
        let holds = count(|said| said == "holds");
        format!(
            " Of {all} scripts it can play {}; {holds} hold.",
            all - cannot
        )
    }
}

/// The scripts that show a row.
fn scripts(status: &Status<'_>) -> BTreeSet<String> {
    let rows = status.tables().iter().flat_map(|table| &table.rows);
    let proofs = rows.filter_map(|row| match status.proof(&row.id) {
        Proof::Shown(tests) => Some(tests),
        _ => None,
    });
    proofs
        .flatten()
        .filter_map(|test| script_of(&test))
        .collect()
}

/// The file of a script among tests, which are called `file::name`.
fn script_of(test: &str) -> Option<String> {
    let (file, _) = test.split_once("::")?;
    file.ends_with(".pkt").then(|| file.to_owned())
}

/// What a script says of Linux.
fn difference(path: &Path) -> Option<String> {
    load(path).ok()?.linux
}

/// How smoltcp does, over each version of IP that the script is for.
fn tried(path: &Path) -> String {
    let outcomes = match run_smoltcp(path) {
        Ok(outcomes) => outcomes,
        Err(error) => return error.to_string(),
    };
    let said = outcomes.into_iter().map(|outcome| match outcome {
        Tried::Holds => "holds".to_owned(),
        Tried::Fails(failure) => format!("fails: line {}: {}", failure.line, failure.what),
        Tried::Cannot(what) => format!("cannot run: {what}"),
        Tried::Panics => "panics".to_owned(),
    });
    let distinct: BTreeSet<String> = said.collect();
    distinct.into_iter().collect::<Vec<_>>().join("; ")
}

fn captures(folder: &Path) -> io::Result<Vec<(u8, Vec<u8>)>> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = files.collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    let version = |path: &Path| {
        if path.to_string_lossy().contains("-ipv6.") {
            6
        } else {
            4
        }
    };
    let read = |path: PathBuf| Ok((version(&path), fs::read(path)?));
    files.into_iter().map(read).collect()
}

/// The page.
pub fn page(status: &Status<'_>, packets: &Packets<'_>, played: &Played) -> String {
    let mut html = String::from(HEAD);
    let kernel = match &played.kernel {
        Some(version) => format!("Linux {}", escaped(version)),
        None => "no recorded run".into(),
    };
    let _ = writeln!(
        html,
        "<h1>Requirements</h1>\n<p>Made by <code>cargo run --release -p suite --bin requirements -- --html \
         docs/requirements.html</code>, which plays each script that is named here and keeps its capture. The kernel's \
         results ({kernel}) are those of <code>RECORD_KERNEL=1 cargo test -p packet-script --test linux</code>. What \
         only other tests show was not run for this page: they run in CI. smoltcp plays each script when the page is \
         made, as far as its sockets have what the script calls; otherwise it says what it cannot be asked for. It is \
         held against the exact options and times of the script, so that what fails need not be against the row.{against}</p>\n<pre>{}</pre>\n<p>Of the rows \
         that are not waived so many are shown by packets, with a script that names them; the others that are shown have \
         other tests only. <code>unscripted.tsv</code> says of which rows no script can be.</p>\n<pre>{}</pre>",
        escaped(&status.summary()),
        escaped(&packets.summary()),
        against = played.against_smoltcp()
    );
    for table in status.tables() {
        section(&mut html, table, (status, packets), played);
    }
    judge::table(&mut html, &played.rules);
    mutants::table(&mut html, &played.mutants);
    html.push_str("</body></html>\n");
    html
}

fn section(
    html: &mut String,
    table: &Table,
    (status, packets): (&Status<'_>, &Packets<'_>),
    played: &Played,
) {
    let _ = writeln!(
        html,
        "<h2>{}</h2>\n<table><tr><th>id<th>level<th>requirement<th>shown by<th>by packets<th>this stack<th>Linux<th>smoltcp<th>capture</tr>",
        table.name
    );
    for row in &table.rows {
        let proof = status.proof(&row.id);
        let (class, cells) = match &proof {
            Proof::Shown(tests) => ("shown", shown(tests, &by_packets(packets, &row.id), played)),
            Proof::Waived(waiver) => (
                waiver.class.as_str(),
                format!(
                    "<td>{}<td>{}<td>{}<td><td><td>",
                    escaped(&waiver.reason),
                    by_packets(packets, &row.id),
                    waiver.class
                ),
            ),
            Proof::Open => {
                let packets = by_packets(packets, &row.id);
                ("open", format!("<td><td>{packets}<td>open<td><td><td>"))
            }
        };
        let _ = writeln!(
            html,
            "<tr class={class}><td id=\"{id}\">{id}<td>{}<td>{}{cells}</tr>",
            row.level,
            escaped(&row.text),
            id = escaped(&row.id),
        );
    }
    html.push_str("</table>\n");
}

/// Whether packets show a row, and why no script can.
fn by_packets(packets: &Packets<'_>, id: &str) -> String {
    match packets.of(id) {
        Shown::Script => "yes".to_owned(),
        Shown::Apart(class, reason) => format!("cannot ({class}): {}", escaped(reason)),
        Shown::No => "not yet".to_owned(),
        Shown::Waived => String::new(),
    }
}

/// The cells of a row that tests show.
fn shown(tests: &BTreeSet<String>, packets: &str, played: &Played) -> String {
    let names: Vec<String> = tests.iter().map(|test| escaped(test)).collect();
    // What is no script was not run for this page.
    let (mut ours, mut links) = (None, String::new());
    let (mut linux, mut smoltcp) = (BTreeSet::new(), BTreeSet::new());
    for name in tests.iter().filter_map(|test| script_of(test)) {
        let Some(script) = played.scripts.get(&name) else {
            continue;
        };
        ours = Some(ours.unwrap_or(true) && script.ours);
        linux.insert(match &script.kernel {
            Kernel::Holds => "holds".to_owned(),
            Kernel::Fails => "FAILS".to_owned(),
            Kernel::Apart(Some(why)) => format!("differs: {}", escaped(why)),
            Kernel::Apart(None) => "not asked".to_owned(),
        });
        smoltcp.insert(escaped(&script.smoltcp));
        let short = name
            .rsplit('/')
            .next()
            .unwrap_or(&name)
            .trim_end_matches(".pkt");
        for (version, bytes) in &script.captures {
            let _ = write!(
                links,
                "<a download=\"{short}-ipv{version}.pcapng\" href=\"data:application/x-pcapng;base64,{}\">{short} \
                 (IPv{version})</a> ",
                base64(bytes)
            );
        }
    }
    format!(
        "<td>{}<td>{packets}<td>{}<td>{}<td>{}<td>{links}",
        names.join("<br>"),
        match ours {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "tested in CI",
        },
        linux.into_iter().collect::<Vec<_>>().join("<br>"),
        smoltcp.into_iter().collect::<Vec<_>>().join("<br>")
    )
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// RFC 4648, 4.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |word, at| {
            word << 8 | u32::from(*three.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() {
                letter.into()
            } else {
                '='
            });
        }
    }
    text
}

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Requirements</title><style>
body{font:14px sans-serif;margin:2em;max-width:110em}table{border-collapse:collapse}
td,th{border:1px solid #ccc;padding:.2em .5em;vertical-align:top;text-align:left;overflow-wrap:anywhere}
td:nth-child(1),td:nth-child(2){white-space:nowrap}tr.shown td:nth-child(5){background:#dfd}
tr.open td:nth-child(5){background:#fdd}tr.absent td,tr.unobservable td,tr.later td{color:#666}
</style></head><body>
";
