//! What became of scripts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

/// Why a script does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The script.
    pub path: PathBuf,
    /// Its line, from one; 0 where none is to blame.
    pub line: usize,
    /// What is wrong, in words and numbers.
    pub what: String,
    /// The packet that the script expects.
    pub expected: Option<String>,
    /// The packet that was seen, as a script would write it.
    pub seen: Option<String>,
    /// Whether it is the packet that the script expects, at another time, or it may still have come.
    pub only_time: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)?;
        if let Some(expected) = &self.expected {
            write!(f, "\n    expected  {expected}")?;
        }
        if let Some(seen) = &self.seen {
            write!(f, "\n    seen      {seen}")?;
        }
        Ok(())
    }
}

/// What became of one script.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The script.
    pub path: PathBuf,
    /// Whether it was played over IPv6.
    pub v6: bool,
    /// Why it does not hold, or `None`.
    pub failure: Option<Failure>,
    /// What the machine kept from being done, which says nothing of the script: its file or a device cannot be opened,
    /// or its capture cannot be written.
    pub unable: Option<String>,
    /// What the judge of captures found against the host's packets, where it was asked.
    pub findings: Vec<String>,
    /// How often the judge found a rule broken by packets of the script, where it was asked.
    pub of_script: BTreeMap<&'static str, u64>,
    /// What assertions printed.
    pub printed: Vec<String>,
    /// How much time of the script passed.
    pub took: Duration,
    /// Packets in both directions.
    pub packets: usize,
}

impl Outcome {
    /// What is known of a script before it is played.
    pub(crate) fn of(path: &Path) -> Outcome {
        Outcome {
            path: path.to_owned(),
            v6: false,
            failure: None,
            unable: None,
            findings: Vec::new(),
            of_script: BTreeMap::new(),
            printed: Vec::new(),
            took: Duration::ZERO,
            packets: 0,
        }
    }

    /// Whether the script was played and holds, and the judge has nothing against the packets.
    pub fn is_fine(&self) -> bool {
        self.failure.is_none() && self.unable.is_none() && self.findings.is_empty()
    }

    /// One JSON object.
    pub fn to_json(&self) -> Value {
        let failure = self.failure.as_ref().map(|failure| {
            json!({
                "line": failure.line,
                "what": failure.what,
                "expected": failure.expected,
                "seen": failure.seen,
            })
        });
        json!({
            "script": self.path.display().to_string(),
            "ip": if self.v6 { 6 } else { 4 },
            "ok": self.is_fine(),
            "failure": failure,
            "unable": self.unable,
            "findings": self.findings,
            "found_in_script": self.of_script,
            "printed": self.printed,
            "seconds": self.took.as_secs_f64(),
            "packets": self.packets,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.display();
        let version = if self.v6 { "IPv6" } else { "IPv4" };
        match (&self.failure, &self.unable) {
            (Some(failure), None) => write!(f, "FAILED over {version}: {failure}")?,
            (Some(failure), Some(why)) => write!(f, "FAILED over {version}: {failure}\n    {why}")?,
            (None, Some(why)) => write!(f, "UNABLE {name} over {version}: {why}")?,
            (None, None) if self.findings.is_empty() => write!(
                f,
                "ok {name} over {version} ({} packets, {:.3} s of the script)",
                self.packets,
                self.took.as_secs_f64()
            )?,
            (None, None) => write!(f, "FAILED {name} over {version}: the judge found something")?,
        }
        for finding in &self.findings {
            write!(f, "\n    {finding}")?;
        }
        for printed in &self.printed {
            write!(f, "\n    printed   {printed}")?;
        }
        Ok(())
    }
}
