use super::testing::{report, row};
use super::text::short;
use crate::case::Pin;
use crate::row;

#[test]
fn medians_of_every_figure() {
    let report = report(vec![row(
        "in-1",
        Pin::Free,
        "plain",
        true,
        &[8.0, 4.0, 16.0],
    )]);
    let medians = row::medians(&report.rows, "in-1", Pin::Free, "plain").expect("medians");
    assert_eq!(
        (medians.rate.min, medians.rate.median, medians.rate.max),
        (4.0, 8.0, 16.0)
    );
    // 2 s at 8 Gbit/s are 2 GB, for which the subject took 0.5 s and 1 s and the client 1 s.
    assert_eq!((medians.user.median, medians.system.median), (0.25, 0.5));
    assert_eq!(medians.client.median, 0.5);
    assert_eq!((medians.peak_mib.median, medians.p50), (8.0, None));
    assert_eq!(medians.cores, [1.0, 0.35 + 0.05]);
    // 2 s on one core and 0.7 s on the other, less 2.5 s of subject and client, of 4 s.
    assert!((medians.others.median - 0.05).abs() < 1e-9);
}

#[test]
fn costs_of_requests_are_in_microseconds() {
    let report = report(vec![row("rr-1", Pin::One, "plain", false, &[50_000.0])]);
    let medians = row::medians(&report.rows, "rr-1", Pin::One, "plain").expect("medians");
    assert_eq!((medians.user.median, medians.system.median), (5.0, 10.0));
    let times = [medians.p50, medians.p99, medians.p999].map(|time| time.expect("times").median);
    assert_eq!(times, [20.0, 40.0, 60.0]);
}

#[test]
fn tables_of_markdown() {
    let text = report(vec![
        row("in-1", Pin::Free, "plain", true, &[8.0, 4.0, 16.0]),
        row("in-1", Pin::Free, "smoltcp", true, &[]),
        row("rr-1", Pin::One, "plain", false, &[50_000.0]),
        row("fwd-1500", Pin::Two, "wire", false, &[250_000.0]),
    ])
    .to_text();
    for line in [
        "Abacus, 2 cores, Linux 6.18; 3 rounds of 2 s, medians (least-greatest); the kernel's sockets use CUBIC",
        "### in-1: a case; pinned: free",
        "| plain | 8.00 (4.00-16.0) | 0.250 | 0.500 | 0.500 | 8.00 | 100 40 | 5 | 3 | 1 |",
        "| smoltcp | failed | | | | | | | | |",
        "| plain | 50.0k (50.0k-50.0k) | 20.0 | 40.0 | 60.0 | 5.00 | 10.0 | 10.0 | 8.00 | 100 40 | 5 | 3 | 1 |",
        "| subject | packets/s | Gbit/s | CPU µs each: user | system | client | peak MiB | cores busy % | others % | dropped | sent again |",
        "| wire | 250k (250k-250k) | 3.00 | 1.00 | 2.00 | 2.00 | 8.00 | 100 40 | 5 | 3 | 1 |",
        "| in-1 (free), plain: rate at least 1.3 of smoltcp | 8.00 | - | NOT MEASURED |",
        "SKIPPED gvisor: it is not <here>",
    ] {
        assert!(
            text.lines().any(|it| it == line),
            "{line}\nis missing in\n{text}"
        );
    }
    // Every table has as many cells in each of its lines.
    for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
        let cells: Vec<usize> = table
            .lines()
            .map(|line| line.matches('|').count())
            .collect();
        assert!(cells.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
    }
}

#[test]
fn a_page_that_needs_no_other_file() {
    let page = report(vec![
        row("in-1", Pin::Free, "plain", true, &[8.0, 4.0, 16.0]),
        row("in-1", Pin::Free, "smoltcp", true, &[6.0]),
        row("rr-1", Pin::One, "plain", false, &[]),
        row("fwd-64", Pin::Two, "wire", false, &[1000.0]),
        row("fwd-64", Pin::Two, "router", false, &[1000.0]),
        row("fwd-64", Pin::Two, "bare", false, &[1000.0]),
    ])
    .to_page()
    .expect("a page");
    assert_eq!(page.matches("<svg").count(), 3);
    // Both of this stack stand out beside `bare`, and `plain` beside `smoltcp`.
    assert_eq!(page.matches("#0062B2").count(), 3, "{page}");
    assert!(page.contains("<th>dropped</th><th>sent again</th>"));
    assert!(page.contains("<td>3</td><td>1</td></tr>"));
    assert!(page.contains("8.00 (4.00-16.0)") && page.contains("it is not &lt;here&gt;"));
    for outside in ["<script", "<link", "href=", "src=", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn json_has_samples_and_medians() {
    let report = report(vec![row("in-1", Pin::Free, "plain", true, &[8.0])]);
    let json = serde_json::to_value(&report).expect("JSON");
    let found = &json["rows"][0];
    assert_eq!(found["case"], "in-1");
    assert_eq!(found["pin"], "free");
    assert_eq!(found["medians"]["rate"]["median"], 8.0);
    assert_eq!(found["samples"][0]["subject"]["system"], 1.0);
    assert_eq!(json["verdicts"][0]["status"], "not-measured");
}

#[test]
fn three_digits_matter() {
    let texts = [0.0, 0.0123, 1.234, 12.34, 123.4, 1234.0, 12340.0, 123400.0].map(short);
    assert_eq!(
        texts,
        [
            "0", "0.012", "1.23", "12.3", "123", "1.23k", "12.3k", "123k"
        ]
    );
}
