//! Text in a picture, and about how wide it is: the viewer chooses the font, so no one knows.

use crate::report::markup::{Escaped, short};
use std::fmt;

/// What the font is asked to be.
pub(super) const FAMILY: &str = "Helvetica Neue, Helvetica, Arial, sans-serif";
/// The width of a letter of most sans-serif fonts on average, a little more to be safe, in parts of the font's size.
const LETTER: f64 = 0.56;

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text; an empty one is nothing.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub at: (f64, f64),
    pub size: f64,
    pub anchor: Anchor,
    pub color: &'static str,
    pub bold: bool,
    /// Reads upwards, as beside a y axis.
    pub upright: bool,
    /// The room in pixels; longer text loses its middle.
    pub room: f64,
    pub words: &'a str,
}

/// About how wide a text is in pixels; what is not Latin is taken to be as wide as high.
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
