//! Lines over an axis, as SVG that stands inside a page.
//!
//! Ink and grid are drawn in two marker colours that the page replaces by its own, so that one
//! drawing is readable on light and on dark. Title and legend are the page's.

use std::error::Error;

use plotters::prelude::{ChartBuilder, IntoDrawingArea, LineSeries, RGBColor, SVGBackend};
use plotters::style::{Color, IntoFont};

/// Pixels of a drawing; the page scales it.
const SIZE: (u32, u32) = (640, 260);

/// What the page replaces by the colour of its text.
pub(super) const INK: RGBColor = RGBColor(1, 2, 3);
/// What the page replaces by a faint colour.
pub(super) const GRID: RGBColor = RGBColor(4, 5, 6);

/// Colours of lines, to be told apart on white and on black and by those who see no red.
pub(super) const COLOURS: [RGBColor; 3] = [
    RGBColor(46, 125, 212),
    RGBColor(224, 122, 16),
    RGBColor(24, 160, 110),
];

/// Some lines over one axis.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// Whether x is told as powers of ten of what is given.
    pub(super) log: bool,
    pub(super) lines: Vec<Vec<(f64, f64)>>,
}

impl Plot {
    /// The drawing; empty where there is nothing to draw.
    pub(super) fn svg(&self) -> String {
        let mut svg = String::new();
        match self.draw(&mut svg) {
            Ok(()) => svg,
            Err(_) => String::new(),
        }
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn Error + '_>> {
        let (from, to, top) = self.extent();
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(16)
            .x_label_area_size(40)
            .y_label_area_size(62)
            .build_cartesian_2d(from..to, 0.0..top)?;
        let font = || ("sans-serif", 13).into_font().color(&INK);
        chart
            .configure_mesh()
            .x_labels(8)
            .y_labels(6)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| if self.log { power(*x) } else { number(*x) })
            .y_label_formatter(&|y| number(*y))
            .label_style(font())
            .axis_desc_style(font())
            .axis_style(INK)
            .bold_line_style(GRID)
            .max_light_lines(0)
            .draw()?;
        for (points, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line)?;
        }
        area.present()?;
        drop(chart);
        Ok(())
    }

    /// Where x begins and ends, and how high y goes: never nothing, for nothing cannot be drawn.
    fn extent(&self) -> (f64, f64, f64) {
        let points = || self.lines.iter().flatten().copied();
        let least = points().map(|(x, _)| x).fold(f64::INFINITY, f64::min);
        let most = points().map(|(x, _)| x).fold(f64::NEG_INFINITY, f64::max);
        let top = points().map(|(_, y)| y).fold(0.0, f64::max);
        let from = if self.log { least } else { 0.0 };
        let from = if from.is_finite() { from } else { 0.0 };
        let to = if most > from { most } else { from + 1.0 };
        let top = if top > 0.0 { top * 1.08 } else { 1.0 };
        (from, to, top)
    }
}

/// A power of ten, two digits.
fn power(exponent: f64) -> String {
    let unit = 10f64.powf(exponent.floor() - 1.0);
    number((10f64.powf(exponent) / unit).round() * unit)
}

/// Three digits, and no zeros behind them.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0001, "0"),
            (0.25, "0.25"),
            (2.5, "2.5"),
            (10.0, "10"),
            (31.62, "31.6"),
            (1234.5, "1234"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn powers_of_ten_are_rounded() {
        for (exponent, text) in [(-2.0, "0.01"), (-0.5, "0.32"), (0.5, "3.2"), (2.5, "320")] {
            assert_eq!(power(exponent), text);
        }
    }

    #[test]
    fn anything_can_be_drawn() {
        for lines in [
            vec![],
            vec![vec![]],
            vec![vec![(0.0, 0.0)]],
            vec![vec![(1.0, 5.0)], vec![(2.0, 1e12), (3.0, 0.0)]],
        ] {
            for log in [false, true] {
                let (x, y, lines) = ("time, s", "share, %", lines.clone());
                let svg = Plot { x, y, log, lines }.svg();
                assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
                assert!(svg.contains("share, %"));
            }
        }
    }
}
