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

/// The word that makes a remark of a comment: what stands before its colon, or was meant by that.
fn word_of(line: &str) -> Option<&'static str> {
    let comment = ["//", "/*", "#"]
        .into_iter()
        .find_map(|begin| line.strip_prefix(begin))?;
    let (word, _) = comment.split_once(':')?;
    let word = word.trim_matches(|c: char| c.is_whitespace() || matches!(c, '/' | '*' | '#'));
    let word = word.to_ascii_lowercase();
    WORDS.into_iter().find(|known| is_meant(known, &word))
}

/// Whether somebody who wrote `word` meant `known`: it is that, perhaps one or several of it, or in a word of some
/// length one letter is wrong, missing, too many or exchanged with the next.
fn is_meant(known: &str, word: &str) -> bool {
    if known.trim_end_matches('s') == word.trim_end_matches('s') {
        return true;
    }
    let (known, word) = (known.as_bytes(), word.as_bytes());
    if known.len() < 4 || known.len().abs_diff(word.len()) > 1 {
        return false;
    }
    let same = known.iter().zip(word).take_while(|(a, b)| a == b).count();
    let (known, word) = (&known[same..], &word[same..]);
    match (known, word) {
        ([_, known @ ..], [_, word @ ..]) if known == word => true,
        ([_, known @ ..], word) | (word, [_, known @ ..]) if known == word => true,
        ([a, b, known @ ..], [c, d, word @ ..]) => (a, b, known) == (d, c, word),
        _ => false,
    }
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
