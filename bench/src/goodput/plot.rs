//! Goodput against losses, as a picture: a panel for each rate and round-trip time.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use super::{CONTENDERS, Cell, Quantity, paths};

/// In the order of the contenders; the same colour for one algorithm of two stacks.
const STYLES: [(RGBColor, bool); CONTENDERS.len()] = [
    (RGBColor(0, 98, 178), true),
    (RGBColor(0, 98, 178), false),
    (RGBColor(200, 60, 30), true),
    (RGBColor(200, 60, 30), false),
    (RGBColor(40, 140, 70), true),
];

const PANEL: (u32, u32) = (360, 260);

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws the means of the goodput among `cells` as an SVG into the file at `path`.
///
/// # Errors
///
/// When the file cannot be written.
pub fn plot(cells: &[Cell], path: &Path) -> Result<(), Box<dyn Error>> {
    let goodput = cells
        .iter()
        .filter(|cell| cell.quantity == Quantity::Goodput);
    let cells: &[Cell] = &goodput.cloned().collect::<Vec<_>>();
    let mut panels: Vec<(u64, u64)> = paths(cells).iter().map(|path| (path.0, path.1)).collect();
    panels.dedup();
    let mut rates: Vec<u64> = panels.iter().map(|panel| panel.0).collect();
    rates.dedup();
    let columns = panels.len().div_ceil(rates.len().max(1));
    let size = (PANEL.0 * columns as u32, PANEL.1 * rates.len() as u32);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, place) in panels.iter().zip(area.split_evenly((rates.len(), columns))) {
        draw(cells, *panel, &place, *panel == panels[0])?;
    }
    area.present()?;
    Ok(())
}

fn draw(
    cells: &[Cell],
    (rate, rtt): (u64, u64),
    area: &Area<'_>,
    labelled: bool,
) -> Result<(), Box<dyn Error>> {
    let here = |cell: &&Cell| (cell.path.0, cell.path.1) == (rate, rtt);
    let mut losses: Vec<u32> = cells.iter().filter(here).map(|cell| cell.path.2).collect();
    losses.sort_unstable();
    losses.dedup();
    let last = losses.len().saturating_sub(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{rate} Mbit/s, {rtt} ms"), ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(44)
        .build_cartesian_2d(0f64..last.max(1.0), 0f64..rate as f64)?;
    chart
        .configure_mesh()
        .x_desc("% lost")
        .y_desc("Mbit/s")
        .x_labels(losses.len())
        .y_labels(5)
        .x_label_formatter(&|at| {
            let loss = losses.get(at.round() as usize);
            loss.map_or_else(String::new, |loss| format!("{}", f64::from(*loss) / 10.0))
        })
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()?;
    for (contender, (colour, ours)) in CONTENDERS.iter().zip(STYLES) {
        let name = contender.to_string();
        let points = cells
            .iter()
            .filter(here)
            .filter(|cell| cell.contender == name);
        let points = points.filter_map(|cell| {
            let at = losses.iter().position(|loss| *loss == cell.path.2)?;
            Some((at as f64, cell.mean()))
        });
        let points: Vec<(f64, f64)> = points.collect();
        let style = colour.stroke_width(if ours { 2 } else { 1 });
        let line = LineSeries::new(points, style).point_size(if ours { 3 } else { 0 });
        chart
            .draw_series(line)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    if labelled {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .draw()?;
    }
    Ok(())
}
