//! The page that stands for a directory without an index.html.

use super::path::percent_encode;

/// A page lists at most so many entries.
pub(crate) const MAX_ENTRIES: usize = 10_000;

/// The page of a directory; of each entry the name and whether it is a directory.
pub(crate) fn page(title: &str, entries: &[(Vec<u8>, bool)], more: bool) -> String {
    let title = escape(title);
    let mut html = format!(
        "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<ul>\n"
    );
    for (name, is_directory) in entries {
        let slash = if *is_directory { "/" } else { "" };
        let text = escape(&String::from_utf8_lossy(name));
        html.push_str(&format!(
            "<li><a href=\"./{}{slash}\">{text}{slash}</a>\n",
            percent_encode(name)
        ));
    }
    html.push_str("</ul>\n");
    if more {
        html.push_str(&format!("<p>Only {MAX_ENTRIES} entries are shown.\n"));
    }
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
