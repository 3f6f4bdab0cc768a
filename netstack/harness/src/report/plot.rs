//! A plot for each case: medians as bars, with a line from the least to the greatest sample.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::text::span;

use crate::BenchError;
use crate::row::{Medians, Row};

const WIDTH: u32 = 900;
/// Of a bar with the space above it.
const BAR: u32 = 26;
/// Left of the bars, for names, and right, for figures.
const NAMES: i32 = 120;
const FIGURES: i32 = 190;

/// This stack's colour and that of all others.
const OURS: RGBColor = RGBColor(0, 98, 178);
const THEIRS: RGBColor = RGBColor(150, 150, 150);
const WHISKER: RGBColor = RGBColor(40, 40, 40);

/// The bars of a case as an SVG element; `ours` says whose bar stands out.
pub(super) fn bars(group: &[Row], ours: impl Fn(&str) -> bool) -> Result<String, BenchError> {
    let measured: Vec<(&str, &Medians)> = group
        .iter()
        .filter_map(|row| Some((row.subject, row.medians.as_ref()?)))
        .collect();
    let mut svg = String::new();
    let size = (WIDTH, BAR * measured.len() as u32 + 8);
    draw(&measured, ours, &mut svg, size)
        .map_err(|error| BenchError::Drawing(error.to_string()))?;
    Ok(svg)
}

fn draw(
    measured: &[(&str, &Medians)],
    ours: impl Fn(&str) -> bool,
    svg: &mut String,
    size: (u32, u32),
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    let longest = measured
        .iter()
        .map(|(_, medians)| medians.rate.max)
        .fold(f64::MIN_POSITIVE, f64::max);
    let width = f64::from(WIDTH as i32 - NAMES - FIGURES);
    let place = |value: f64| NAMES + (value / longest * width) as i32;
    let text = TextStyle::from(("sans-serif", 14)).color(&BLACK);
    let right = text.pos(Pos::new(HPos::Right, VPos::Center));
    let left = text.pos(Pos::new(HPos::Left, VPos::Center));
    for (number, (name, medians)) in measured.iter().enumerate() {
        let top = 6 + BAR as i32 * number as i32;
        let middle = top + 9;
        let rate = medians.rate;
        let colour = if ours(name) { OURS } else { THEIRS };
        let corners = [(NAMES, top), (place(rate.median), top + 18)];
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        let ends = [(place(rate.min), middle), (place(rate.max), middle)];
        area.draw(&PathElement::new(ends, WHISKER.stroke_width(2)))?;
        area.draw(&Text::new(*name, (NAMES - 8, middle), right.clone()))?;
        let figure = span(rate);
        area.draw(&Text::new(
            figure,
            (place(rate.max) + 8, middle),
            left.clone(),
        ))?;
    }
    area.present()?;
    drop(area);
    Ok(())
}
