//! The legend: below the panels, where it covers nothing, with one entry for each name.

use crate::report::plot::lettering::{Anchor, Text, width};
use crate::report::plot::marks::{self, Look};
use crate::report::plot::{Figure, Style};
use std::fmt::{self, Write};

/// Width of a sample, and the gaps between a sample and its name and between entries, in pixels.
const SAMPLE: f64 = 24.0;
const GAPS: (f64, f64) = (6.0, 20.0);
const FONT: f64 = 12.0;
const LINE: f64 = 20.0;
/// Largest width of a name in pixels.
const ROOM: f64 = 260.0;

/// A name with all the marks with which it is drawn.
struct Entry<'a> {
    name: &'a str,
    marks: Vec<(&'a Style, Look)>,
    width: f64,
}

/// The entries in rows.
pub(super) struct Legend<'a> {
    rows: Vec<Vec<Entry<'a>>>,
}

impl<'a> Legend<'a> {
    /// The legend of a figure whose width is `wide` pixels.
    pub(super) fn new(figure: &'a Figure, names: &[&str], wide: f64) -> Self {
        let mut entries: Vec<Entry<'a>> = Vec::new();
        for series in figure.panels.iter().flat_map(|panel| &panel.series).filter(|series| !series.name.is_empty()) {
            let mark = (&series.style, marks::look(series, names));
            match entries.iter_mut().find(|entry| entry.name == series.name) {
                Some(entry) if entry.marks.iter().any(|other| is_alike(*other, mark)) => {}
                Some(entry) => entry.marks.push(mark),
                None => {
                    let width = SAMPLE + GAPS.0 + width(&series.name, FONT).min(ROOM);
                    entries.push(Entry { name: &series.name, marks: vec![mark], width });
                }
            }
        }
        let mut rows: Vec<Vec<Entry<'a>>> = Vec::new();
        for entry in entries {
            match rows.last_mut() {
                Some(row) if length(row) + GAPS.1 + entry.width <= wide => row.push(entry),
                _ => rows.push(vec![entry]),
            }
        }
        Legend { rows }
    }

    /// Its height in pixels.
    pub(super) fn height(&self) -> f64 {
        if self.rows.is_empty() { 0.0 } else { 4.0 + LINE * self.rows.len() as f64 }
    }

    /// Writes the legend from `top` downwards, with each row centered at `middle`.
    pub(super) fn write(&self, out: &mut String, middle: f64, top: f64) -> fmt::Result {
        for (i, row) in self.rows.iter().enumerate() {
            let y = top + 10.0 + LINE * i as f64;
            let mut x = middle - length(row) / 2.0;
            for entry in row {
                for (style, look) in &entry.marks {
                    sample(out, style, *look, (x, y))?;
                }
                let text = Text {
                    at: (x + SAMPLE + GAPS.0, y + 4.2),
                    size: FONT,
                    anchor: Anchor::Start,
                    color: "#222",
                    bold: false,
                    upright: false,
                    room: ROOM,
                    words: entry.name,
                };
                write!(out, "{text}")?;
                x += entry.width + GAPS.1;
            }
        }
        Ok(())
    }
}

fn length(row: &[Entry<'_>]) -> f64 {
    row.iter().map(|entry| entry.width).sum::<f64>() + GAPS.1 * row.len().saturating_sub(1) as f64
}

/// Whether two marks look the same; the values of a band do not matter.
fn is_alike(a: (&Style, Look), b: (&Style, Look)) -> bool {
    std::mem::discriminant(a.0) == std::mem::discriminant(b.0) && a.1 == b.1
}

/// A small sample of the series, as it appears in the panel.
fn sample(out: &mut String, style: &Style, look: Look, (x, y): (f64, f64)) -> fmt::Result {
    let flat = |dy: f64| [(x, y + dy), (x + SAMPLE, y + dy)];
    let middle = [(x + SAMPLE / 2.0, y)];
    match style {
        Style::Points => marks::write(out, style, look, &middle, &[]),
        Style::Marked => {
            marks::write(out, &Style::Line, look, &flat(0.0), &[])?;
            marks::write(out, style, look, &middle, &[])
        }
        Style::Steps => {
            marks::write(out, style, look, &[(x, y + 3.5), (middle[0].0, y - 3.5), (x + SAMPLE, y - 3.5)], &[])
        }
        Style::Faint => {
            let zigzag: Vec<(f64, f64)> = (0..=12u8)
                .map(|i| (x + f64::from(i) * SAMPLE / 12.0, y + if i % 2 == 0 { 4.0 } else { -4.0 }))
                .collect();
            marks::write(out, style, look, &zigzag, &[])
        }
        Style::Band { .. } => marks::write(out, style, look, &flat(-5.0), &flat(5.0)),
        Style::Line | Style::Dashed => marks::write(out, style, look, &flat(0.0), &[]),
    }
}
