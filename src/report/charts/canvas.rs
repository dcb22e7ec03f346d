//! What the charts share: rows with a name at the left, figures at the right, and an axis of values with a line at zero between.

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{PathElement, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use super::Chart;
use crate::report::number::Format;

pub(super) const WIDTH: u32 = 1_000;
const ROW: u32 = 30;
const NAMES: u32 = 290;
const FIGURES: u32 = 260;
const AXIS: u32 = 34;

pub(super) const INK: RGBColor = RGBColor(31, 41, 51);
pub(super) const GAIN: RGBColor = RGBColor(43, 108, 163);
pub(super) const LOSS: RGBColor = RGBColor(200, 105, 28);
pub(super) const GROUND: RGBColor = RGBColor(255, 255, 255);
pub(super) const FAINT: RGBColor = RGBColor(217, 222, 227);
pub(super) const ZERO: RGBColor = RGBColor(110, 120, 130);

pub(super) type Failure = DrawingAreaErrorKind<std::io::Error>;
type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// The name and the figures of a row.
pub(super) struct RowText {
    pub(super) name: String,
    pub(super) figures: String,
    pub(super) sum: bool,
}

/// A whisker; an open side reaches the edge of the plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Whisker {
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
}

/// The range of the axis: all values and zero, with some room.
pub(super) fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.filter(|v| v.is_finite()).fold((0.0, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let room = (high - low) * 0.05;
    (room > 0.0 && room.is_finite()).then_some((low - room, high + room))
}

/// The plot, on which a chart puts its marks.
pub(super) struct Canvas<'a> {
    plot: Plot<'a>,
    low: f64,
    high: f64,
    rows: u32,
}

impl Canvas<'_> {
    /// The height of a row's middle, rows counted from the top.
    pub(super) fn y(&self, row: u32) -> f64 {
        f64::from(self.rows) - f64::from(row) - 0.5
    }

    /// A rectangle between two values, `half` a row high each way.
    pub(super) fn bar(&mut self, row: u32, from: f64, to: f64, half: f64, color: RGBColor) -> Result<(), Failure> {
        let y = self.y(row);
        let rectangle = plotters::element::Rectangle::new([(from.min(to), y + half), (from.max(to), y - half)], color.filled());
        self.plot.draw_series(std::iter::once(rectangle)).map(|_| ())
    }

    /// A round mark, filled or open.
    pub(super) fn dot(&mut self, row: u32, value: f64, radius: i32, color: RGBColor, filled: bool) -> Result<(), Failure> {
        let at = (value, self.y(row));
        let inside = if filled { color } else { GROUND };
        self.plot
            .draw_series([plotters::element::Circle::new(at, radius, inside.filled()), plotters::element::Circle::new(at, radius, color.stroke_width(2))])?;
        Ok(())
    }

    /// A line with a cap at each closed end, on a light ground so that it shows on dark bars.
    pub(super) fn whisker(&mut self, row: u32, whisker: Whisker, color: RGBColor) -> Result<(), Failure> {
        let y = self.y(row);
        let (low, high) = (whisker.low.unwrap_or(self.low), whisker.high.unwrap_or(self.high));
        for (color, width) in [(GROUND, 4), (color, 2)] {
            self.segment((low, y), (high, y), color, width)?;
            for end in [whisker.low, whisker.high].into_iter().flatten() {
                self.segment((end, y - 0.16), (end, y + 0.16), color, width)?;
            }
        }
        Ok(())
    }

    /// A thin line from a row to the next, at a value.
    pub(super) fn connector(&mut self, row: u32, value: f64) -> Result<(), Failure> {
        let y = self.y(row);
        self.segment((value, y), (value, y - 1.0), ZERO, 1)
    }

    fn segment(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor, width: u32) -> Result<(), Failure> {
        self.plot.draw_series(std::iter::once(PathElement::new(vec![from, to], color.stroke_width(width)))).map(|_| ())
    }
}

/// Draws the rows, with `marks` on the plot; `None` where there is nothing to draw or the drawing fails.
pub(super) fn draw(label: &str, rows: &[RowText], axis: Option<(f64, f64)>, marks: impl FnOnce(&mut Canvas<'_>) -> Result<(), Failure>) -> Option<Chart> {
    let (low, high) = axis?;
    let count = u32::try_from(rows.len()).ok()?;
    let mut svg = String::new();
    paint(&mut svg, rows, count, (low, high), marks).ok()?;
    Some(inline(&svg, label))
}

/// A drawing as part of a page: inline SVG needs no namespace; role and label are for those who hear the page.
pub(super) fn inline(svg: &str, label: &str) -> Chart {
    let escaped = maud::html! { (label) }.into_string();
    let opening = format!("<svg role=\"img\" aria-label=\"{escaped}\" ");
    Chart { svg: svg.replacen("<svg ", &opening, 1).replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1) }
}

fn paint(
    svg: &mut String,
    rows: &[RowText],
    count: u32,
    (low, high): (f64, f64),
    marks: impl FnOnce(&mut Canvas<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let root = SVGBackend::with_string(svg, (WIDTH, count * ROW + AXIS)).into_drawing_area();
    let mut plot = ChartBuilder::on(&root)
        .set_label_area_size(LabelAreaPosition::Left, NAMES)
        .set_label_area_size(LabelAreaPosition::Bottom, AXIS)
        .margin_right(FIGURES)
        .build_cartesian_2d(low..high, 0.0..f64::from(count))?;
    let format = Format::money([low, high]);
    plot.configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_label_formatter(&|value| tick(format, *value))
        .light_line_style(GROUND)
        .bold_line_style(FAINT)
        .axis_style(FAINT)
        .label_style(("sans-serif", 15).into_font().color(&INK))
        .draw()?;
    plot.draw_series(std::iter::once(PathElement::new(vec![(0.0, 0.0), (0.0, f64::from(count))], ZERO.stroke_width(1))))?;
    let mut canvas = Canvas { plot, low, high, rows: count };
    marks(&mut canvas)?;
    for (index, row) in (0..count).zip(rows) {
        let at = canvas.plot.backend_coord(&(low, canvas.y(index))).1;
        write(&root, row, at)?;
    }
    drop(canvas);
    root.present()
}

/// The name and the figures of a row.
fn write(root: &DrawingArea<SVGBackend<'_>, Shift>, row: &RowText, at: i32) -> Result<(), Failure> {
    let font = ("sans-serif", 18).into_font();
    let font = if row.sum { font.style(plotters::style::FontStyle::Bold) } else { font };
    let style = TextStyle::from(font).color(&INK);
    root.draw(&Text::new(row.name.clone(), (signed(NAMES) - 12, at), style.clone().pos(Pos::new(HPos::Right, VPos::Center))))?;
    root.draw(&Text::new(row.figures.clone(), (signed(WIDTH) - 4, at), style.pos(Pos::new(HPos::Right, VPos::Center))))
}

pub(super) fn signed(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

/// A number of the axis, without needless decimals.
pub(super) fn tick(format: Format, value: f64) -> String {
    let text = format.show(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
