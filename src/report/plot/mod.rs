//! Plots as SVG: curves, step functions, bands and point clouds in a grid of panels, with one legend below them.
//!
//! Data in, text out. The picture needs no separate font, script or style sheet: text stays text, the background is white so that it is
//! readable on a dark page, and the colors are those of Okabe and Ito (2008, *Color Universal Design*), which color-blind people can
//! distinguish. Plotters (0.3.7) was tried first: it rounds to whole pixels, which makes noisy curves ragged, it draws the legend over
//! the data, and it cannot write the `<title>` that screen readers need.
//!
//! ```
//! use cpc::report::plot::{Color, Figure, Panel, Series, Style};
//!
//! let estimate = (0..500).map(|step| (f64::from(step), 2.0 - 2.0 * (f64::from(step) / -80.0).exp())).collect();
//! let truth = Series::new("truth", vec![(0.0, 2.0), (500.0, 2.0)], Style::Steps).colored(Color::Ink);
//! let panel = Panel {
//!     x_label: "steps".into(),
//!     y_label: "I(X; Y) in nats".into(),
//!     series: vec![Series::new("InfoNCE", estimate, Style::Line), truth],
//!     ..Panel::default()
//! };
//! let svg = Figure { panels: vec![panel], ..Figure::default() }.svg()?;
//! assert!(svg.starts_with("<svg"));
//! # Ok::<(), cpc::error::Error>(())
//! ```

mod axis;
mod layout;
mod legend;
mod lettering;
mod marks;
mod thinning;

use crate::error::{Error, Result};

/// How a series is drawn. In every style, x need not be increasing, and values that are not finite are gaps.
#[derive(Debug, Clone, PartialEq)]
pub enum Style {
    /// A line from point to point.
    Line,
    /// A dashed line, such as an upper limit of all estimates.
    Dashed,
    /// A thin, light line for noisy values. The range of the axis ignores the highest and the lowest half percent of its values, since
    /// some estimators produce a few that would flatten the rest.
    Faint,
    /// A line with a dot on each point, for a small number of measured values.
    Marked,
    /// Points alone: dots first, then other shapes if there are more series than colors.
    Points,
    /// A step function: each value holds until the next point's x; the last point only ends the last step.
    Steps,
    /// The area between the points and `low`, which gives the y of its lower edge for each point.
    Band {
        /// The lower edge, one y per point.
        low: Vec<f64>,
    },
}

/// The color of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// Series with the same name have the same color in all panels; colors are assigned in the order in which the names first appear.
    #[default]
    ByName,
    /// Black, for the true value.
    Ink,
    /// Gray, for a reference to compare with.
    Gray,
    /// One of the six colors of the palette; higher numbers repeat them with other dashes and shapes. [`Color::ByName`] does not check
    /// which of them are used.
    Hue(usize),
}

/// Points drawn in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The name in the legend; series with the same name share an entry, and a series without a name has none.
    pub name: String,
    /// (x, y) in the units of the axes.
    pub points: Vec<(f64, f64)>,
    /// How they are drawn.
    pub style: Style,
    /// The color in which they are drawn.
    pub color: Color,
}

impl Series {
    /// A series in the color of its name.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>, style: Style) -> Self {
        Series { name: name.into(), points, style, color: Color::ByName }
    }

    /// The same series in another color.
    pub fn colored(self, color: Color) -> Self {
        Series { color, ..self }
    }
}

/// A pair of axes and the series drawn between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// The title above the panel; like the labels, it may be empty.
    pub title: String,
    /// The label below the x axis, with the unit.
    pub x_label: String,
    /// The label next to the y axis, with the unit.
    pub y_label: String,
    /// The series to draw; later ones are drawn over earlier ones.
    pub series: Vec<Series>,
    /// The ends of the x axis; determined from the data if not given.
    pub x_range: Option<(f64, f64)>,
    /// The ends of the y axis; anything beyond them is clipped. Determined from the data if not given.
    pub y_range: Option<(f64, f64)>,
    /// Whether a unit has the same length on both axes, as a map of points needs. This widens the shorter axis, even if its range is given.
    pub equal_units: bool,
}

/// Panels in a grid, in reading order.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The title above all panels, also read by screen readers; without it they read the titles of the panels.
    pub title: Option<String>,
    /// The panels.
    pub panels: Vec<Panel>,
    /// Largest number of panels in a row.
    pub columns: usize,
    /// Whether panels without a range of their own share the same y range, so that they can be compared; y is then labeled only at the left.
    pub share_y: bool,
}

impl Default for Figure {
    fn default() -> Self {
        Figure { title: None, panels: Vec::new(), columns: 1, share_y: false }
    }
}

impl Figure {
    /// The picture as an SVG document, of at most 200 kB for up to 20 panels: for a long line only the highest and the lowest point of each
    /// stretch are drawn, and for many points an evenly chosen subset. The same figure gives the same text.
    ///
    /// # Errors
    /// If there is no panel or no column, a range does not go from a finite number to a larger one, or a band's edges differ in length.
    pub fn svg(&self) -> Result<String> {
        if self.panels.is_empty() || self.columns == 0 {
            let what = format!("a figure of {} panels in {} columns shows nothing", self.panels.len(), self.columns);
            return Err(Error::usage(what, "give at least one panel and one column"));
        }
        for (number, panel) in (1..).zip(&self.panels) {
            panel.check(number)?;
        }
        let mut out = String::new();
        let _ = layout::write(&mut out, self); // writing to a string cannot fail
        Ok(out)
    }
}

impl Panel {
    fn check(&self, number: usize) -> Result<()> {
        for (axis, range) in [("x", self.x_range), ("y", self.y_range)] {
            if let Some((low, high)) = range.filter(|&range| !axis::is_usable(range)) {
                let what = format!("panel {number}: {axis} cannot go from {low} to {high}");
                return Err(Error::usage(
                    what,
                    "give a finite number and a larger one, or omit the range to determine it from the data",
                ));
            }
        }
        for series in &self.series {
            if let Style::Band { low } = &series.style
                && low.len() != series.points.len()
            {
                let (high, low) = (series.points.len(), low.len());
                let what = format!("panel {number}: band {:?} has {high} points above and {low} below", series.name);
                return Err(Error::usage(what, "give one lower value for each point"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
