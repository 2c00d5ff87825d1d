//! Plots as SVG: curves, staircases, bands and clouds of points in a grid of panels, with one legend below them.
//!
//! Data in, text out. The picture needs no font, script or style sheet beside it: text stays text, the ground is white so that it
//! reads on a dark page, and the colours are those of Okabe and Ito (2008, *Color Universal Design*), which colour-blind people can tell
//! apart. Plotters (0.3.7) was tried first: it rounds to whole pixels, which makes noisy curves ragged, puts the legend on the
//! data, and cannot write the `<title>` that screen readers need.
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

/// How a series is drawn. x need not grow, and values that are not finite are gaps, in all of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Style {
    /// A line from point to point.
    Line,
    /// A dashed line, such as an upper limit of all estimates.
    Dashed,
    /// A thin, light line for what is noisy. The axis leaves out the highest and the lowest half a percent of its values, as some
    /// estimators have a few that would flatten the rest.
    Faint,
    /// A line with a dot on each point: few values, each of which was measured.
    Marked,
    /// Points alone, dots first, and other shapes where there are more series than colours.
    Points,
    /// A staircase: each value holds until the next point's x; the last point only ends the last step.
    Steps,
    /// The area between the points and `low`, the y of its lower edge for each of them.
    Band {
        /// The lower edge, one y a point.
        low: Vec<f64>,
    },
}

/// The colour of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// Series of one name have one colour, in all panels; names take them in the order in which they come.
    #[default]
    ByName,
    /// Black, for the truth.
    Ink,
    /// Grey, for what is only to be compared with.
    Grey,
    /// One of the palette's six, which then repeat with other dashes and shapes. [`Color::ByName`] does not look which are taken.
    Hue(usize),
}

/// Points that are drawn alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The name in the legend; series of one name share an entry, and one without a name has none.
    pub name: String,
    /// (x, y) in the units of the axes.
    pub points: Vec<(f64, f64)>,
    /// How they are drawn.
    pub style: Style,
    /// In which colour.
    pub color: Color,
}

impl Series {
    /// A series in the colour of its name.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>, style: Style) -> Self {
        Series { name: name.into(), points, style, color: Color::ByName }
    }

    /// The same in this colour.
    pub fn colored(self, color: Color) -> Self {
        Series { color, ..self }
    }
}

/// A pair of axes with what is drawn between them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// Above the panel; may be empty, as the labels may.
    pub title: String,
    /// Below the x axis, with the unit.
    pub x_label: String,
    /// Beside the y axis, with the unit.
    pub y_label: String,
    /// What is drawn; later ones lie on earlier ones.
    pub series: Vec<Series>,
    /// The ends of the x axis; from the data if not given.
    pub x_range: Option<(f64, f64)>,
    /// The ends of the y axis; what is beyond them is cut off. From the data if not given.
    pub y_range: Option<(f64, f64)>,
    /// Whether a unit is as long on both axes, as a map of points needs it. It widens the shorter axis, a given range too.
    pub equal_units: bool,
}

/// Panels in a grid, in the order of reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Above all panels, and what a screen reader says; without it, it says the titles of the panels.
    pub title: Option<String>,
    /// The panels.
    pub panels: Vec<Panel>,
    /// Panels in a row, at most.
    pub columns: usize,
    /// Whether panels without a range of their own span the same y, so that they can be compared; y is then labelled at the left only.
    pub share_y: bool,
}

impl Default for Figure {
    fn default() -> Self {
        Figure { title: None, panels: Vec::new(), columns: 1, share_y: false }
    }
}

impl Figure {
    /// The picture as an SVG document, of at most 200 kB for up to 20 panels: of a long line the highest and the lowest point of each
    /// stretch are drawn, of many points some, evenly chosen. The same figure gives the same text.
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
                    "give a finite number and a larger one, or leave the range to the data",
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
