//! The layout: the title, the grid of panels with their axes, and the legend.

use crate::report::markup::Escaped;
use crate::report::plot::axis::{self, Range};
use crate::report::plot::legend::Legend;
use crate::report::plot::lettering::{self, Anchor, Text};
use crate::report::plot::{Figure, Panel, Style, marks, thinning};
use std::fmt::{self, Write};

/// Widths in pixels of a figure with one panel, of a map, and of a figure with several columns: a documentation page shows them at full
/// size.
const WIDTHS: [f64; 3] = [640.0, 480.0, 840.0];
/// The smallest width of a panel, and the smallest and largest height of a plot.
const NARROW: f64 = 170.0;
const HEIGHTS: (f64, f64) = (170.0, 340.0);
/// Font sizes of ticks, labels, panel titles, and the figure title.
const FONTS: [f64; 4] = [11.0, 12.0, 13.0, 15.0];
/// Pixels around the figure, and to the right of each plot, where half of the last tick's label is.
const MARGIN: f64 = 10.0;
const RIGHT: f64 = 16.0;
/// How far beyond its axes a plot is drawn, so that a line on an axis is not cut in half.
const BLEED: f64 = 3.0;
/// Distance in pixels to which points that are farther away are moved: it is outside the plot, and the numbers stay short.
const FAR: f64 = 9999.0;

/// A panel with its x and y axes.
struct Axes<'a> {
    panel: &'a Panel,
    ranges: [Range; 2],
    whole: [bool; 2],
    ticks: Vec<(f64, String)>,
}

/// Writes the whole document.
pub(super) fn write(out: &mut String, figure: &Figure) -> fmt::Result {
    let columns = figure.columns.min(figure.panels.len());
    let square = figure.panels.iter().any(|panel| panel.equal_units);
    let width = match columns {
        1 => WIDTHS[usize::from(square)],
        _ => WIDTHS[2].max(NARROW * columns as f64),
    };
    let guess = (width / columns as f64 * 0.72).clamp(HEIGHTS.0, HEIGHTS.1);
    let all = axes(figure, guess);
    let lefts: Vec<f64> = (0..columns).map(|column| left(figure, &all, column, columns)).collect();
    let plot_width = (width - 2.0 * MARGIN - lefts.iter().sum::<f64>()) / columns as f64 - RIGHT;
    let plot_height = if square { plot_width } else { guess };

    let any = |label: fn(&Panel) -> &String| figure.panels.iter().any(|panel| !label(panel).is_empty());
    let above = if any(|panel| &panel.title) { 26.0 } else { 8.0 };
    let below = if any(|panel| &panel.x_label) { 40.0 } else { 24.0 };
    let rows = figure.panels.len().div_ceil(columns);
    let title = figure.title.as_deref().unwrap_or_default();
    let top = MARGIN + if title.is_empty() { 0.0 } else { 24.0 };
    let bottom = top + rows as f64 * (above + plot_height + below);
    let names = marks::names(figure);
    let legend = Legend::new(figure, &names, width - 2.0 * MARGIN);
    let height = (bottom + legend.height() + MARGIN).ceil();

    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"{}\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>",
        lettering::FAMILY,
        Escaped(&spoken(figure))
    )?;
    write!(
        out,
        "{}",
        Text {
            size: FONTS[3],
            bold: true,
            color: "#111",
            ..text((width / 2.0, MARGIN + 15.0), title, width - 2.0 * MARGIN)
        }
    )?;
    let limit = thinning::limit(figure);
    for (i, axes) in all.iter().enumerate() {
        let (row, column) = (i / columns, i % columns);
        let x = MARGIN + lefts[..=column].iter().sum::<f64>() + column as f64 * (plot_width + RIGHT);
        let y = top + row as f64 * (above + plot_height + below) + above;
        let place = Plot { axes, x, y, width: plot_width, height: plot_height };
        place.write_frame(out, column == 0 || !figure.share_y, lefts[column])?;
        place.write_series(out, &names, limit)?;
    }
    legend.write(out, width / 2.0, bottom)?;
    out.push_str("</svg>\n");
    Ok(())
}

/// The text for screen readers: the title, or the titles of the panels.
fn spoken(figure: &Figure) -> String {
    let titles: Vec<&str> = figure.panels.iter().map(|p| p.title.as_str()).filter(|title| !title.is_empty()).collect();
    match &figure.title {
        Some(title) if !title.is_empty() => title.clone(),
        _ if titles.is_empty() => "Plot".into(),
        _ => titles.join(", "),
    }
}

/// The axes of all panels; `height` is the height of a plot.
fn axes(figure: &Figure, height: f64) -> Vec<Axes<'_>> {
    let spans: Vec<_> = figure.panels.iter().map(axis::spans).collect();
    let free = figure.panels.iter().zip(&spans).filter(|(panel, _)| panel.y_range.is_none());
    let shared = free.fold(None, |all, (_, span)| axis::joined(all, span[1]));
    let one = |(panel, span): (_, &[Option<Range>; 2])| {
        let panel: &Panel = panel;
        let x = panel.x_range.unwrap_or_else(|| axis::fitted(span[0], 0));
        let y = panel.y_range.unwrap_or_else(|| axis::fitted(if figure.share_y { shared } else { span[1] }, 1));
        let ranges = if panel.equal_units { axis::equal([x, y]) } else { [x, y] };
        let shown = || panel.series.iter().flat_map(|s| &s.points).filter(|p| axis::is_shown(**p));
        let whole = [shown().all(|p| p.0.fract() == 0.0), shown().all(|p| p.1.fract() == 0.0)];
        Axes { panel, ranges, whole, ticks: axis::ticks(ranges[1], height, 42.0, whole[1]) }
    };
    figure.panels.iter().zip(&spans).map(one).collect()
}

/// Pixels to the left of the plots in a column, for ticks and label.
fn left(figure: &Figure, all: &[Axes<'_>], column: usize, columns: usize) -> f64 {
    if figure.share_y && column > 0 {
        return 0.0;
    }
    let of_column = || all.iter().skip(column).step_by(columns);
    let ticks = of_column().flat_map(|axes| &axes.ticks).map(|(_, label)| lettering::width(label, FONTS[0]));
    let label = if of_column().any(|axes| !axes.panel.y_label.is_empty()) { 18.0 } else { 0.0 };
    ticks.fold(0.0, f64::max) + 10.0 + label
}

/// Text centered at a position, as most text is.
fn text(at: (f64, f64), words: &str, room: f64) -> Text<'_> {
    Text { at, size: FONTS[1], anchor: Anchor::Middle, color: "#222", bold: false, upright: false, room, words }
}

/// A panel at its position: the upper left corner of the area between its axes, and the size of that area.
struct Plot<'a> {
    axes: &'a Axes<'a>,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Plot<'_> {
    /// A point in pixels from the upper left corner; NaN if it cannot be drawn.
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        if !axis::is_shown((x, y)) {
            return (f64::NAN, f64::NAN);
        }
        (self.across(x).clamp(-FAR, FAR), self.down(y).clamp(-FAR, FAR))
    }

    /// Pixels from the y axis to this x.
    fn across(&self, x: f64) -> f64 {
        let (low, high) = self.axes.ranges[0];
        (x - low) / (high - low) * self.width
    }

    /// Pixels from the top down to this y.
    fn down(&self, y: f64) -> f64 {
        let (low, high) = self.axes.ranges[1];
        (high - y) / (high - low) * self.height
    }

    /// Writes the title, grid, axes, ticks and labels; `left` is the width in pixels for the ticks and label of y.
    fn write_frame(&self, out: &mut String, with_y: bool, left: f64) -> fmt::Result {
        let Plot { axes, x, y, width, height } = *self;
        let (panel, bottom, middle) = (axes.panel, y + height, x + width / 2.0);
        let x_ticks = axis::ticks(axes.ranges[0], width, 64.0, axes.whole[0]);
        let title = text((middle, y - 10.0), &panel.title, width + RIGHT);
        write!(out, "{}", Text { size: FONTS[2], bold: true, ..title })?;
        out.push_str("<path fill=\"none\" stroke=\"#e4e4e4\" d=\"");
        for (value, _) in &x_ticks {
            write!(out, "M{:.1} {y:.1}v{height:.1}", x + self.across(*value))?;
        }
        for (value, _) in &axes.ticks {
            write!(out, "M{x:.1} {:.1}h{width:.1}", y + self.down(*value))?;
        }
        writeln!(out, "\"/>\n<path fill=\"none\" stroke=\"#555\" d=\"M{x:.1} {y:.1}v{height:.1}h{width:.1}\"/>")?;
        let tick = |at, words| Text { size: FONTS[0], color: "#444", ..text(at, words, f64::INFINITY) };
        for (value, words) in &x_ticks {
            write!(out, "{}", tick((x + self.across(*value), bottom + 15.0), words))?;
        }
        if with_y {
            for (value, words) in &axes.ticks {
                let at = (x - 6.0, y + self.down(*value) + 3.8);
                write!(out, "{}", Text { anchor: Anchor::End, ..tick(at, words) })?;
            }
            let label = text((x - left + 10.0, y + height / 2.0), &panel.y_label, height + 20.0);
            write!(out, "{}", Text { upright: true, ..label })?;
        }
        write!(out, "{}", text((middle, bottom + 32.0), &panel.x_label, width + RIGHT))
    }

    /// Writes the series between the axes; a nested `<svg>` clips everything beyond them.
    fn write_series(&self, out: &mut String, names: &[&str], limit: usize) -> fmt::Result {
        let (width, height) = (self.width + 2.0 * BLEED, self.height + 2.0 * BLEED);
        let all = &self.axes.panel.series;
        if !all.iter().flat_map(|s| &s.points).any(|p| axis::is_shown(*p)) {
            let at = (self.x + self.width / 2.0, self.y + self.height / 2.0);
            return write!(out, "{}", Text { color: "#777", ..text(at, "no data", self.width) });
        }
        writeln!(
            out,
            "<svg x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             viewBox=\"{} {} {width:.1} {height:.1}\">",
            self.x - BLEED,
            self.y - BLEED,
            -BLEED,
            -BLEED
        )?;
        for series in all {
            let kept = thinning::kept(series, limit);
            let points: Vec<(f64, f64)> = kept.iter().map(|&i| self.place(series.points[i])).collect();
            let low: Vec<(f64, f64)> = match &series.style {
                Style::Band { low } => kept.iter().map(|&i| self.place((series.points[i].0, low[i]))).collect(),
                _ => Vec::new(),
            };
            marks::write(out, &series.style, marks::look(series, names), &points, &low)?;
        }
        out.push_str("</svg>\n");
        Ok(())
    }
}
