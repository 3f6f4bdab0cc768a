//! Rows drawn by chance, to be checked by breaking the code below their ids: then the tests that carry them must fail.

use super::annotations::Above;
use super::{Annotation, Table};

/// A row that was drawn, and where its id stands.
#[derive(Debug)]
pub struct Drawn<'a> {
    /// The row.
    pub id: &'a str,
    /// Above which code, as `file:line`.
    pub code: Vec<String>,
    /// Above which tests, as `file:line name`.
    pub tests: Vec<String>,
}

/// Draws `count` rows of the tables named `names` that tests show, always the same for one `seed`, in the order of the
/// tables. Fewer where there are no more.
pub fn sample<'a>(
    tables: &'a [Table],
    annotations: &[Annotation],
    names: &[&str],
    seed: u64,
    count: usize,
) -> Vec<Drawn<'a>> {
    let rows = tables
        .iter()
        .filter(|table| names.contains(&table.name))
        .flat_map(|table| &table.rows);
    let shown = rows.map(|row| find(&row.id, annotations));
    let shown: Vec<Drawn<'_>> = shown.filter(|drawn| !drawn.tests.is_empty()).collect();
    let mut state = seed;
    let mut ranked: Vec<(u64, usize)> = (0..shown.len())
        .map(|index| (next(&mut state), index))
        .collect();
    ranked.sort_unstable();
    ranked.truncate(count);
    let chosen: Vec<usize> = ranked.into_iter().map(|(_, index)| index).collect();
    let drawn = shown.into_iter().enumerate();
    drawn
        .filter(|(index, _)| chosen.contains(index))
        .map(|(_, drawn)| drawn)
        .collect()
}

fn find<'a>(id: &'a str, annotations: &[Annotation]) -> Drawn<'a> {
    let mut drawn = Drawn {
        id,
        code: Vec::new(),
        tests: Vec::new(),
    };
    for note in annotations.iter().filter(|note| note.id == id) {
        let place = format!("{}:{}", note.file, note.line);
        match &note.above {
            Above::Code => drawn.code.push(place),
            Above::Test(name) => drawn.tests.push(format!("{place} {name}")),
            Above::Nothing => {}
        }
    }
    drawn
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
