//! Comments that mean something: `// ip: both`, `// runs: everywhere`, `// linux: REASON`, `// judge: ID, ID`, `// req: ID`.

use super::input::{Parsed, refused};

/// The words that make a comment a remark.
const WORDS: [&str; 5] = ["ip", "judge", "linux", "req", "runs"];

/// What the remarks of a script say.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub(super) everywhere: bool,
    pub(super) both: bool,
    /// Why Linux does otherwise.
    pub(super) linux: Option<String>,
    /// Rules of the judge that the host breaks.
    pub(super) excepted: Vec<String>,
}

/// Reads the remarks in `text`, which stand on lines of their own.
pub(super) fn remarks(text: &str) -> Parsed<Remarks> {
    let mut remarks = Remarks::default();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let at = begin + (line.len() - line.trim_start().len());
        begin += line.len();
        let line = line.trim();
        if let Some(word) = word_of(line) {
            match line.strip_prefix(&format!("// {word}: ")) {
                Some(value) => read(&mut remarks, word, value.trim(), at)?,
                None => return refused(at, format!("this remark is written `// {word}: `")),
            }
        }
    }
    if remarks.everywhere && remarks.linux.is_some() {
        return refused(
            0,
            "a script that runs everywhere cannot say why Linux differs",
        );
    }
    Ok(remarks)
}

/// The word before the colon of a comment, if it makes a remark of it.
fn word_of(line: &str) -> Option<&'static str> {
    let (word, _) = line.strip_prefix("//")?.split_once(':')?;
    let word = word.trim();
    WORDS.into_iter().find(|known| *known == word)
}

fn read(remarks: &mut Remarks, word: &str, value: &str, at: usize) -> Parsed<()> {
    match (word, value) {
        (_, "") => return refused(at, format!("`// {word}: ` says nothing")),
        ("ip", "both") => remarks.both = true,
        ("ip", _) => return refused(at, "of versions of IP only `// ip: both` can be said"),
        ("runs", "everywhere") => remarks.everywhere = true,
        ("runs", _) => return refused(at, "of hosts only `// runs: everywhere` can be said"),
        ("linux", reason) => {
            let before = remarks.linux.take().map(|before| before + " ");
            remarks.linux = Some(before.unwrap_or_default() + reason);
        }
        ("judge", ids) => {
            for id in ids.split(',').map(str::trim) {
                if !pcap_verify::catalogue().any(|rule| rule.id == id) {
                    return refused(at, format!("the judge has no rule `{id}`"));
                }
                remarks.excepted.push(id.to_owned());
            }
        }
        // What requirements there are is not known here.
        _ => {}
    }
    Ok(())
}
