//! Four panels for one connection.

use std::error::Error;

use plotters::prelude::*;

use super::series::{Flow, Line, Side};

const SIZE: (u32, u32) = (1080, 760);
const BLUE: RGBColor = RGBColor(0, 98, 178);
const RED: RGBColor = RGBColor(200, 60, 30);
const GREY: RGBColor = RGBColor(110, 110, 110);
/// Throughput is taken over so many parts of the time.
const PARTS: usize = 60;

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Points = Vec<(f64, f64)>;

/// Draws the side that sent more, as SVG.
pub(super) fn draw(flow: &Flow) -> Result<String, Box<dyn Error>> {
    let mut picture = String::new();
    draw_into(&mut picture, flow)?;
    Ok(picture)
}

fn draw_into(picture: &mut String, flow: &Flow) -> Result<(), Box<dyn Error>> {
    let reach = |side: &Side| side.sent.points.last().map_or(0.0, |point| point.1);
    let me = usize::from(reach(&flow.sides[1]) > reach(&flow.sides[0]));
    let (sender, receiver) = (&flow.sides[me], &flow.sides[1 - me]);
    let area = SVGBackend::with_string(picture, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((2, 2));
    let [sequence, window, rtt, throughput] = &panels[..] else {
        return Ok(());
    };
    let title = format!(
        "bytes sent by {} (blue), again (red), acknowledged and window (grey)",
        flow.ends[me]
    );
    panel(
        sequence,
        &title,
        "bytes",
        &[
            (points(&sender.edge), GREY),
            (points(&sender.acked), GREY),
            (points(&sender.sent), BLUE),
        ],
        &sender.again.points,
    )?;
    panel(
        window,
        "window offered to it",
        "bytes",
        &[(points(&receiver.window), BLUE)],
        &[],
    )?;
    panel(
        rtt,
        "round-trip time at the capture",
        "ms",
        &[(points(&sender.rtt), BLUE)],
        &[],
    )?;
    panel(
        throughput,
        "acknowledged",
        "Mbit/s",
        &[(rates(&sender.received), BLUE)],
        &[],
    )?;
    area.present()?;
    Ok(())
}

fn points(line: &Line) -> Points {
    line.points.clone()
}

/// Bits a second in each part of the time.
fn rates(line: &Line) -> Points {
    let Some(&(end, _)) = line.points.last() else {
        return Points::new();
    };
    let part = (end / PARTS as f64).max(1e-6);
    let mut rates = Points::new();
    let (mut from, mut before) = (0.0, 0.0);
    for &(time, bytes) in &line.points {
        if time - from >= part {
            rates.push((time, (bytes - before) * 8.0 / 1e6 / (time - from)));
            (from, before) = (time, bytes);
        }
    }
    rates
}

fn panel(
    area: &Area<'_>,
    title: &str,
    unit: &str,
    lines: &[(Points, RGBColor)],
    marks: &[(f64, f64)],
) -> Result<(), Box<dyn Error>> {
    let all = lines.iter().flat_map(|(points, _)| points).chain(marks);
    let (mut right, mut top) = (1e-6f64, 1f64);
    for &(x, y) in all {
        (right, top) = (right.max(x), top.max(y));
    }
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 14))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0f64..right, 0f64..top * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("s")
        .y_desc(unit)
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()?;
    // What is said of before the capture began lies at the edge: far outside there are no pixels that could be counted.
    let within = |&(x, y): &(f64, f64)| (x.clamp(0.0, right), y.clamp(0.0, top));
    for (points, colour) in lines {
        chart.draw_series(LineSeries::new(
            points.iter().map(within),
            colour.stroke_width(1),
        ))?;
    }
    chart.draw_series(
        marks
            .iter()
            .map(|point| Circle::new(within(point), 2, RED.filled())),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
