//! Cost against extents, as a picture.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use super::{EXTENTS, Operation, Subject, Table};

/// What is drawn, one panel each.
const PANELS: [Operation; 6] = [
    Operation::Clone,
    Operation::Copy,
    Operation::SplitCloned,
    Operation::Split,
    Operation::Drop,
    Operation::Segment,
];

const SUBJECTS: [(Subject, RGBColor); 3] = [
    (Subject::Txbuf, RGBColor(0, 98, 178)),
    (Subject::Skb, RGBColor(200, 60, 30)),
    (Subject::Rope, RGBColor(110, 110, 110)),
];

const SIZE: (u32, u32) = (1080, 640);

/// Draws the medians as an SVG into the file at `path`.
///
/// # Errors
///
/// When the file cannot be written.
pub fn plot(table: &Table, path: &Path) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    for (operation, panel) in PANELS.iter().zip(area.split_evenly((2, 3))) {
        draw(table, *operation, &panel)?;
    }
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(table: &Table, operation: Operation, panel: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let of = |subject: Subject| {
        let point = |&extents: &usize| {
            let median = table.median(operation, subject, extents)?;
            Some((extents as f64, median))
        };
        EXTENTS.iter().filter_map(point).collect::<Vec<_>>()
    };
    let mut chart = ChartBuilder::on(panel)
        .caption(operation.name(), ("sans-serif", 17))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .build_cartesian_2d(
            (1f64..64f64).log_scale().base(4.0),
            (1f64..5000f64).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("extents of 64 KiB")
        .y_desc("ns")
        .x_labels(EXTENTS.len())
        .y_labels(5)
        .x_label_formatter(&|extents| format!("{extents:.0}"))
        .y_label_formatter(&|ns| format!("{ns:.0}"))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()?;
    for (subject, colour) in SUBJECTS {
        let points = of(subject);
        if points.is_empty() {
            continue;
        }
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.clone(), style).point_size(3))?
            .label(subject.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    if operation == PANELS[0] {
        // For all panels: here nothing is in its way.
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .draw()?;
    }
    Ok(())
}
