//! The marks of a series, in pixels: lines, staircases, bands and points.

use crate::report::plot::{Color, Figure, Series, Style};
use std::fmt::{self, Write};

/// Okabe and Ito's colors without black, which is the truth's, and without yellow, which white swallows.
const HUES: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const INK: &str = "#000000";
const GRAY: &str = "#8a8a8a";
/// How lines differ once all colors are taken.
const DASHES: [&str; 4] = ["", "7 4", "1 4", "7 4 1 4"];
/// How points differ once all colors are taken, as a path from the point's middle: the dot by its line's ends, the others filled.
const SHAPES: [&str; 5] = [
    "h0",
    "m-2.3-2.3h4.6v4.6h-4.6z",
    "m0-3.4l3 5.4h-6z",
    "m0-3.6l3 3.6l-3 3.6l-3-3.6z",
    "m-3-1h2v-2h2v2h2v2h-2v2h-2v-2h-2z",
];

/// The color of a series, and how many times all colors had been used before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    color: &'static str,
    round: usize,
}

/// The names that are assigned colors, in order.
pub(super) fn names(figure: &Figure) -> Vec<&str> {
    let mut names = Vec::new();
    for series in figure.panels.iter().flat_map(|panel| &panel.series).filter(|s| s.color == Color::ByName) {
        if !names.contains(&series.name.as_str()) {
            names.push(&series.name);
        }
    }
    names
}

/// The look of a series in a figure with these names.
pub(super) fn look(series: &Series, names: &[&str]) -> Look {
    let hue = match series.color {
        Color::Ink => return Look { color: INK, round: 0 },
        Color::Gray => return Look { color: GRAY, round: 0 },
        Color::Hue(hue) => hue,
        Color::ByName => names.iter().position(|&name| name == series.name).unwrap_or(0),
    };
    Look { color: HUES[hue % HUES.len()], round: hue / HUES.len() }
}

/// A length in pixels, written in the shortest form with at most one decimal.
struct Px(f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (10.0 * self.0).round() as i64;
        match (tenths / 10, (tenths % 10).abs()) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, part) => write!(f, "{}{}.{part}", if tenths < 0 { "-" } else { "" }, whole.abs()),
        }
    }
}

/// Writes the marks of a style at these positions; a band extends down to `low`; NaN is a gap.
pub(super) fn write(
    out: &mut String,
    style: &Style,
    look: Look,
    points: &[(f64, f64)],
    low: &[(f64, f64)],
) -> fmt::Result {
    if !points.iter().any(is_place) {
        return Ok(());
    }
    let dash = DASHES[look.round % DASHES.len()];
    match style {
        Style::Line => line(out, look, 1.8, 1.0, dash, points),
        Style::Dashed => line(out, look, 1.6, 1.0, "5 4", points),
        Style::Faint => line(out, look, 1.1, 0.35, "", points),
        Style::Steps => {
            write!(out, "<path fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" d=\"", look.color)?;
            for run in runs(points) {
                write!(out, "M{} {}", Px(run[0].0), Px(run[0].1))?;
                for (x, y) in &run[1..] {
                    write!(out, "H{}V{}", Px(*x), Px(*y))?;
                }
                if run.len() == 1 {
                    out.push_str("h6"); // no next point determines how long it holds
                }
            }
            out.push_str("\"/>\n");
            Ok(())
        }
        Style::Marked => {
            line(out, look, 1.6, 1.0, dash, points)?;
            dots(out, look, 1.0, points)
        }
        Style::Points => dots(out, look, 0.75, points),
        Style::Band { .. } => {
            write!(out, "<path fill=\"{}\" fill-opacity=\".22\" d=\"", look.color)?;
            // Both edges have a gap where either has one.
            let both =
                |(high, low): (&(f64, f64), &(f64, f64))| if is_place(low) { *high } else { (f64::NAN, f64::NAN) };
            let upper: Vec<(f64, f64)> = points.iter().zip(low).map(both).collect();
            let mut start = 0;
            for run in runs(&upper) {
                while !is_place(&upper[start]) {
                    start += 1;
                }
                for (i, (x, y)) in run.iter().chain(low[start..start + run.len()].iter().rev()).enumerate() {
                    write!(out, "{}{} {}", if i == 0 { 'M' } else { ' ' }, Px(*x), Px(*y))?;
                }
                out.push('z');
                start += run.len();
            }
            out.push_str("\"/>\n");
            Ok(())
        }
    }
}

fn is_place((x, y): &(f64, f64)) -> bool {
    x.is_finite() && y.is_finite()
}

/// The runs of points between gaps.
fn runs(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points.split(|p| !is_place(p)).filter(|run| !run.is_empty())
}

fn line(out: &mut String, look: Look, width: f64, opacity: f64, dash: &str, points: &[(f64, f64)]) -> fmt::Result {
    write!(
        out,
        "<path fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"",
        look.color
    )?;
    if opacity < 1.0 {
        // Opacity of the whole path: with the opacity of the stroke, some viewers darken a path where it crosses itself.
        write!(out, " opacity=\"{opacity}\"")?;
    }
    if !dash.is_empty() {
        write!(out, " stroke-dasharray=\"{dash}\"")?;
    }
    out.push_str(" d=\"");
    for run in runs(points) {
        for (i, (x, y)) in run.iter().enumerate() {
            write!(out, "{}{} {}", if i == 0 { 'M' } else { ' ' }, Px(*x), Px(*y))?;
        }
        if run.len() == 1 {
            out.push_str("h0"); // a single point is a dot
        }
    }
    out.push_str("\"/>\n");
    Ok(())
}

fn dots(out: &mut String, look: Look, opacity: f64, points: &[(f64, f64)]) -> fmt::Result {
    let shape = look.round % SHAPES.len();
    let paint = if shape == 0 { "fill=\"none\" stroke-linecap=\"round\" stroke-width=\"4.6\" stroke" } else { "fill" };
    write!(out, "<path opacity=\"{opacity}\" {paint}=\"{}\" d=\"", look.color)?;
    for (x, y) in points.iter().filter(|p| is_place(p)) {
        write!(out, "M{} {}{}", Px(*x), Px(*y), SHAPES[shape])?;
    }
    out.push_str("\"/>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { color: INK, round: 0 };
    const GAP: (f64, f64) = (1.0, f64::NAN);

    fn path(style: Style, points: &[(f64, f64)], low: &[(f64, f64)]) -> String {
        let mut out = String::new();
        write(&mut out, &style, LOOK, points, low).unwrap();
        out.split(" d=\"").nth(1).unwrap_or_default().trim_end_matches("\"/>\n").into()
    }

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        let all: Vec<String> = [0.0, -0.04, -0.26, 12.0, 12.34, -7.96].map(|v| Px(v).to_string()).into();
        assert_eq!(all, ["0", "0", "-0.3", "12", "12.3", "-8"]);
    }

    #[test]
    fn lines_stop_at_gaps_and_a_point_alone_is_a_dot() {
        let points = [(0.0, 0.0), (1.0, 1.5), GAP, (3.0, 2.0), GAP, GAP, (6.0, 1.0), (7.0, 1.0)];
        assert_eq!(path(Style::Line, &points, &[]), "M0 0 1 1.5M3 2h0M6 1 7 1");
        assert_eq!(path(Style::Points, &points[..4], &[]), "M0 0h0M1 1.5h0M3 2h0");
        assert_eq!(path(Style::Line, &[GAP, GAP], &[]), "");
    }

    #[test]
    fn steps_hold_until_the_next() {
        assert_eq!(path(Style::Steps, &[(0.0, 9.0), (5.0, 6.0), (9.0, 6.0)], &[]), "M0 9H5V6H9V6");
    }

    #[test]
    fn a_band_goes_there_above_and_back_below_between_gaps() {
        let high = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), GAP, (4.0, 1.0), (5.0, 1.0)];
        let low = [(0.0, 3.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 3.0), (4.0, 3.0), (5.0, 4.0)];
        assert_eq!(path(Style::Band { low: vec![] }, &high, &low), "M0 1 0 3zM2 1 2 3zM4 1 5 1 5 4 4 3z");
    }
}
