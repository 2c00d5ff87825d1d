//! Heat maps of a symmetric matrix as SVG.

use crate::report::markup::{Escaped, short};
use std::fmt::{self, Write};

/// The width and height of a cell at most and at least, in pixels, and of all cells together.
const CELL: (f64, f64) = (26.0, 2.0);
const SIDE: f64 = 620.0;
/// The smallest cell beside which a name can be read.
const NAMED: f64 = 8.0;
/// Letters of a name, and the width of one.
const LETTERS: usize = 18;
const LETTER: f64 = 5.8;
/// The width of a letter of the title.
const TITLE_LETTER: f64 = 7.2;

/// A symmetric matrix, drawn as a square of cells that are darker where values are larger. Each cell says its value when pointed at.
#[derive(Debug, Clone, Default)]
pub struct HeatMap {
    /// The title.
    pub title: String,
    /// The names of rows and columns.
    pub names: Vec<String>,
    /// (n, n), row after row; none for a cell that is left empty.
    pub values: Vec<Option<f64>>,
    /// The unit of the values.
    pub unit: String,
    /// Cells that get a dot, where cells are large enough.
    pub dotted: Vec<bool>,
    /// What a dot says.
    pub dot: String,
}

impl HeatMap {
    /// The picture.
    ///
    /// # Errors
    /// None, because writing to a string does not fail.
    pub fn svg(&self) -> std::result::Result<String, fmt::Error> {
        let n = self.names.len().max(1);
        let cell = (SIDE / n as f64).clamp(CELL.1, CELL.0);
        let names: Vec<String> = match cell >= NAMED {
            true => self.names.iter().map(|name| short(name, LETTERS)).collect(),
            false => Vec::new(),
        };
        let margin = 12.0 + names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64 * LETTER;
        let (top, side) = (34.0, cell * n as f64);
        let most = self.values.iter().flatten().copied().fold(0.0, f64::max);
        let dotted = cell >= NAMED && self.dotted.contains(&true);
        let title = if dotted { format!("{}; a dot: {}", self.title, self.dot) } else { self.title.clone() };
        let wide = (side + 96.0).max(title.chars().count() as f64 * TITLE_LETTER + 12.0);
        let (width, height) = ((margin + wide).ceil(), (top + side + margin).ceil());
        let mut out = String::new();
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             font-family=\"sans-serif\" font-size=\"10\" fill=\"#222\">\n<title>{title}</title>\n<rect width=\"100%\" height=\"100%\" \
             fill=\"#fff\"/>\n<text x=\"{margin}\" y=\"20\" font-size=\"14\">{title}</text>",
            title = Escaped(&title)
        )?;
        for (i, row) in self.values.chunks(n).enumerate() {
            for (j, value) in row.iter().enumerate() {
                let (x, y) = (margin + cell * j as f64, top + cell * i as f64);
                let Some(value) = value else { continue };
                let fill = shade(if most > 0.0 { value / most } else { 0.0 });
                writeln!(
                    out,
                    "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{cell:.2}\" height=\"{cell:.2}\" fill=\"{fill}\"><title>{}, {}: {value:.4} \
                     {}</title></rect>",
                    Escaped(&self.names[i]),
                    Escaped(&self.names[j]),
                    Escaped(&self.unit)
                )?;
                if self.dotted.get(i * n + j) == Some(&true) && cell >= NAMED {
                    let (dot, half) = (cell / 12.0, cell / 2.0);
                    writeln!(
                        out,
                        "<circle cx=\"{:.2}\" cy=\"{:.2}\" r=\"{dot:.2}\" fill=\"#999\"/>",
                        x + half,
                        y + half
                    )?;
                }
            }
        }
        for (i, name) in names.iter().enumerate() {
            let at = cell * (i as f64 + 0.5);
            let (x, y) = (margin - 5.0, top + at + 3.5);
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>", Escaped(name))?;
            let (x, y) = (margin + at + 3.5, top + side + 6.0);
            writeln!(
                out,
                "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"end\">{}</text>",
                Escaped(name)
            )?;
        }
        // The scale.
        let (x, tall) = (margin + side + 16.0, side.min(160.0));
        let steps = 32;
        for step in 0..steps {
            let y = top + tall * f64::from(step) / f64::from(steps);
            let fill = shade(1.0 - (f64::from(step) + 0.5) / f64::from(steps));
            let height = tall / f64::from(steps) + 0.5;
            writeln!(out, "<rect x=\"{x:.1}\" y=\"{y:.2}\" width=\"12\" height=\"{height:.2}\" fill=\"{fill}\"/>")?;
        }
        let unit = Escaped(&self.unit);
        writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{most:.2} {unit}</text>", x + 17.0, top + 9.0)?;
        writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\">0</text>\n</svg>", x + 17.0, top + tall)?;
        Ok(out)
    }
}

/// White for 0, dark blue for 1.
fn shade(share: f64) -> String {
    let share = share.clamp(0.0, 1.0).powf(0.7);
    let mix = |light: f64, dark: f64| (light + (dark - light) * share).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(250.0, 8.0), mix(250.0, 48.0), mix(252.0, 107.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_darker_where_values_are_larger_and_names_are_harmless() {
        let map = HeatMap {
            title: "what <b>".into(),
            names: vec!["a&b".into(), "c".into()],
            values: vec![None, Some(0.5), Some(0.5), None],
            unit: "nats".into(),
            dotted: vec![false, false, true, false],
            dot: "nothing".into(),
        };
        let svg = map.svg().unwrap();
        assert!(
            svg.contains("a&amp;b, c: 0.5000 nats")
                && svg.contains("what &lt;b&gt;; a dot: nothing")
                && svg.contains("<circle"),
            "{svg}"
        );
        assert_eq!((shade(0.0), shade(1.0)), ("#fafafc".into(), "#08306b".into()));
        assert!(HeatMap::default().svg().unwrap().ends_with("</svg>\n"));
    }
}
