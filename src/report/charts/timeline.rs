//! Panels over a common axis of days: periods on a ground of their own with their names above, dates below, values at the left, a line at zero.

use plotters::chart::{ChartBuilder, ChartContext, LabelAreaPosition};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TextStyle};

use super::Chart;
use super::canvas::{FAINT, Failure, GROUND, INK, WIDTH, ZERO, inline, signed, tick};
use crate::report::number::Format;

const PANEL: u32 = 270;
const VALUES: u32 = 84;
/// Room at the right for the names of lines.
const NAMES: u32 = 180;
/// Room above a panel for its title.
const TITLE: u32 = 42;
/// Room for the names of periods.
const PERIODS: u32 = 22;
const DATES: u32 = 30;
const FONT: u32 = 16;
/// The width of a letter, more or less.
const LETTER: f64 = 7.9;
/// Names of lines stay so far apart.
const APART: f64 = 20.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A period on the axis.
pub(super) struct Band {
    /// From the beginning of this day ..
    pub(super) from: f64,
    /// .. to the end of this one, as the beginning of the next.
    pub(super) to: f64,
    /// Its name, the longest first: the first that fits is written.
    pub(super) names: Vec<&'static str>,
    /// Its ground.
    pub(super) ground: RGBColor,
}

/// A date under the axis; the first ones of a list are written first, those that would touch them are left out.
pub(super) struct Date {
    pub(super) at: f64,
    pub(super) text: String,
}

/// The axis of days that all panels share.
pub(super) struct Timeline {
    pub(super) bands: Vec<Band>,
    pub(super) dates: Vec<Date>,
}

/// What a panel shows, with the range of its values.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// A panel, on which a chart puts its marks.
pub(super) struct Panel<'p, 'a> {
    plot: &'p mut Plot<'a>,
    low: f64,
    high: f64,
}

/// The name of a line, at its end.
pub(super) struct LineName {
    pub(super) text: &'static str,
    pub(super) at: f64,
    pub(super) color: RGBColor,
}

impl Panel<'_, '_> {
    /// A line through some points.
    pub(super) fn line(&mut self, points: &[(f64, f64)], color: RGBColor, width: u32) -> Result<(), Failure> {
        self.plot.draw_series(std::iter::once(PathElement::new(points.to_vec(), color.stroke_width(width)))).map(|_| ())
    }

    /// A dashed line through some points.
    pub(super) fn dashes(&mut self, points: &[(f64, f64)], color: RGBColor) -> Result<(), Failure> {
        self.plot.draw_series(DashedLineSeries::new(points.iter().copied(), 7, 5, color.stroke_width(2))).map(|_| ())
    }

    /// The area between two lines; an open side reaches the edge.
    pub(super) fn ribbon(&mut self, points: &[(f64, Option<f64>, Option<f64>)], color: RGBColor) -> Result<(), Failure> {
        let low = points.iter().map(|(x, low, _)| (*x, low.unwrap_or(self.low)));
        let high = points.iter().rev().map(|(x, _, high)| (*x, high.unwrap_or(self.high)));
        let around: Vec<(f64, f64)> = low.chain(high).collect();
        self.plot.draw_series(std::iter::once(Polygon::new(around, color.filled()))).map(|_| ())
    }

    /// A line from one value to another, with a cap at each closed end.
    pub(super) fn whisker(&mut self, x: f64, low: Option<f64>, high: Option<f64>, color: RGBColor, width: u32, cap: f64) -> Result<(), Failure> {
        self.line(&[(x, low.unwrap_or(self.low)), (x, high.unwrap_or(self.high))], color, width)?;
        if cap > 0.0 {
            for end in [low, high].into_iter().flatten() {
                self.line(&[(x - cap, end), (x + cap, end)], color, width)?;
            }
        }
        Ok(())
    }

    /// A round mark, filled or open.
    pub(super) fn dot(&mut self, at: (f64, f64), color: RGBColor, filled: bool) -> Result<(), Failure> {
        let inside = if filled { color } else { GROUND };
        self.plot.draw_series([Circle::new(at, 4, inside.filled()), Circle::new(at, 4, color.stroke_width(2))]).map(|_| ())
    }
}

impl Timeline {
    fn ends(&self) -> (f64, f64) {
        let from = self.bands.iter().map(|band| band.from).fold(f64::INFINITY, f64::min);
        let to = self.bands.iter().map(|band| band.to).fold(f64::NEG_INFINITY, f64::max);
        (from, to)
    }

    /// Draws two panels, one above the other; `marks` of a panel say the names of its lines. `None` where the drawing fails.
    pub(super) fn draw(
        &self,
        label: &str,
        frames: &[Frame; 2],
        mut marks: impl FnMut(usize, &mut Panel<'_, '_>) -> Result<Vec<LineName>, Failure>,
    ) -> Option<Chart> {
        let mut svg = String::new();
        self.paint(&mut svg, frames, &mut marks).ok()?;
        Some(inline(&svg, label))
    }

    fn paint(
        &self,
        svg: &mut String,
        frames: &[Frame; 2],
        marks: &mut impl FnMut(usize, &mut Panel<'_, '_>) -> Result<Vec<LineName>, Failure>,
    ) -> Result<(), Failure> {
        let above = PANEL + PERIODS;
        let root = SVGBackend::with_string(svg, (WIDTH, above + PANEL + DATES)).into_drawing_area();
        let (upper, lower) = root.split_vertically(above);
        for (index, (area, frame)) in [upper, lower].iter().zip(frames).enumerate() {
            self.panel(area, frame, index, marks)?;
        }
        root.present()
    }

    fn panel(
        &self,
        area: &Area<'_>,
        frame: &Frame,
        index: usize,
        marks: &mut impl FnMut(usize, &mut Panel<'_, '_>) -> Result<Vec<LineName>, Failure>,
    ) -> Result<(), Failure> {
        let (from, to) = self.ends();
        let (first, last) = (index == 0, index == 1);
        let mut plot = ChartBuilder::on(area)
            .margin_top(if first { TITLE + PERIODS } else { TITLE })
            .margin_right(NAMES)
            .set_label_area_size(LabelAreaPosition::Left, VALUES)
            .set_label_area_size(LabelAreaPosition::Bottom, if last { DATES } else { 0 })
            .build_cartesian_2d(from..to, frame.low..frame.high)?;
        self.ground(&mut plot, frame)?;
        let names = marks(index, &mut Panel { plot: &mut plot, low: frame.low, high: frame.high })?;
        self.write(area, &plot, frame, &names)?;
        if first {
            self.periods(area, &plot, frame.high)?;
        }
        if last {
            self.dates(area, &plot, frame.low)?;
        }
        Ok(())
    }

    /// Periods, values and the line at zero.
    fn ground(&self, plot: &mut Plot<'_>, frame: &Frame) -> Result<(), Failure> {
        let (from, to) = self.ends();
        plot.draw_series(self.bands.iter().map(|band| Rectangle::new([(band.from, frame.low), (band.to, frame.high)], band.ground.filled())))?;
        let format = Format::money([frame.low, frame.high]);
        plot.configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(6)
            .y_label_formatter(&|value| tick(format, *value))
            .light_line_style(GROUND.mix(0.0))
            .bold_line_style(FAINT)
            .axis_style(FAINT)
            .label_style(("sans-serif", FONT).into_font().color(&INK))
            .draw()?;
        let borders = self.bands.iter().skip(1).map(|band| PathElement::new(vec![(band.from, frame.low), (band.from, frame.high)], ZERO.stroke_width(1)));
        plot.draw_series(borders)?;
        plot.draw_series(std::iter::once(PathElement::new(vec![(from, 0.0), (to, 0.0)], ZERO.stroke_width(1)))).map(|_| ())
    }

    /// The title and the names of lines.
    fn write(&self, area: &Area<'_>, plot: &Plot<'_>, frame: &Frame, names: &[LineName]) -> Result<(), Failure> {
        let title = TextStyle::from(("sans-serif", FONT + 1).into_font().style(plotters::style::FontStyle::Bold)).color(&INK);
        area.draw(&Text::new(frame.title.clone(), (8, 12), title.pos(Pos::new(HPos::Left, VPos::Top))))?;
        let (_, to) = self.ends();
        let mut placed: Vec<(f64, &LineName)> = names.iter().map(|name| (f64::from(local(area, plot, (to, name.at)).1), name)).collect();
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut last = f64::NEG_INFINITY;
        let x = local(area, plot, (to, frame.low)).0 + 10;
        for (at, name) in placed {
            last = at.max(last + APART);
            area.draw(&Text::new(name.text, (x, last as i32), text(&name.color).pos(Pos::new(HPos::Left, VPos::Center))))?;
        }
        Ok(())
    }

    fn periods(&self, area: &Area<'_>, plot: &Plot<'_>, high: f64) -> Result<(), Failure> {
        for band in &self.bands {
            let (from, y) = local(area, plot, (band.from, high));
            let (to, _) = local(area, plot, (band.to, high));
            let fits = |name: &&&str| name.len() as f64 * LETTER <= f64::from(to - from);
            if let Some(name) = band.names.iter().find(fits) {
                area.draw(&Text::new(*name, (i32::midpoint(from, to), y - 6), text(&INK).pos(Pos::new(HPos::Center, VPos::Bottom))))?;
            }
        }
        Ok(())
    }

    fn dates(&self, area: &Area<'_>, plot: &Plot<'_>, low: f64) -> Result<(), Failure> {
        let mut written: Vec<i32> = Vec::new();
        for date in &self.dates {
            let (x, y) = local(area, plot, (date.at, low));
            let wide = (date.text.len() as f64 * LETTER) as i32 + 14;
            if written.iter().all(|other| (other - x).abs() >= wide) {
                written.push(x);
                area.draw(&PathElement::new(vec![(x, y), (x, y + 5)], ZERO.stroke_width(1)))?;
                area.draw(&Text::new(date.text.clone(), (x, y + 9), text(&INK).pos(Pos::new(HPos::Center, VPos::Top))))?;
            }
        }
        Ok(())
    }
}

/// Where a point of the plot stands in its area.
fn local(area: &Area<'_>, plot: &Plot<'_>, at: (f64, f64)) -> (i32, i32) {
    let (x, y) = plot.backend_coord(&at);
    let (left, top) = area.get_base_pixel();
    (x - left, y - top)
}

fn text(color: &RGBColor) -> TextStyle<'_> {
    TextStyle::from(("sans-serif", signed(FONT)).into_font()).color(color)
}
