//! Text in a picture, and its approximate width: the viewer chooses the font, so the exact width is unknown.

use crate::report::markup::{Escaped, short};
use std::fmt;

/// The requested font.
pub(super) const FAMILY: &str = "Helvetica Neue, Helvetica, Arial, sans-serif";
/// The average width of a letter in most sans-serif fonts, plus a small margin, as a fraction of the font size.
const LETTER: f64 = 0.56;

/// The part of a text that is placed at its position.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text; an empty one writes nothing.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub at: (f64, f64),
    pub size: f64,
    pub anchor: Anchor,
    pub color: &'static str,
    pub bold: bool,
    /// Whether the text is rotated to read upwards, as next to a y axis.
    pub upright: bool,
    /// The available width in pixels; the middle of longer text is cut out.
    pub room: f64,
    pub words: &'a str,
}

/// The approximate width of a text in pixels; characters of wide scripts are assumed to be as wide as they are high.
pub(super) fn width(words: &str, size: f64) -> f64 {
    words
        .chars()
        .map(|c| if c < '\u{1100}' || ('\u{2000}'..'\u{2e80}').contains(&c) { LETTER } else { 1.0 })
        .sum::<f64>()
        * size
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.words.is_empty() {
            return Ok(());
        }
        let ((x, y), wide) = (self.at, width(self.words, self.size));
        let letters = self.words.chars().count() as f64;
        let fitting = if wide > self.room { (letters * self.room / wide) as usize } else { letters as usize };
        write!(f, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{}\" fill=\"{}\"", self.size, self.color)?;
        f.write_str(match self.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        })?;
        if self.bold {
            f.write_str(" font-weight=\"bold\"")?;
        }
        if self.upright {
            write!(f, " transform=\"rotate(-90 {x:.1} {y:.1})\"")?;
        }
        writeln!(f, ">{}</text>", Escaped(&short(self.words, fitting.max(3))))
    }
}
