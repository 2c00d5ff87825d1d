//! Splits prose into sentences, by the rules of Unicode (UAX #29, section 5).
//!
//! The rules know no abbreviations: "Mr. Smith" is split after "Mr.". A paragraph is split while it is read, so that a
//! file without blank lines is not held in memory as a whole.

use crate::error::Result;
use crate::text::reading::{LONGEST, Reading};
use std::fmt;
use unicode_segmentation::UnicodeSegmentation;

/// Number of bytes of a paragraph that are collected before it is split for the first time.
const PART: usize = 1 << 16;

/// A paragraph that is being read.
#[derive(Debug)]
pub(super) struct Paragraph {
    text: String,
    /// The length at which it is split next.
    full: usize,
    /// A sentence without an end was rejected; the rest of the paragraph is skipped.
    refused: bool,
}

impl Paragraph {
    pub(super) fn new() -> Self {
        Paragraph { text: String::new(), full: PART, refused: false }
    }

    /// Adds a line; lines are joined by a space.
    pub(super) fn line(&mut self, line: &str, at: &dyn fmt::Display, reading: &mut Reading<'_>) -> Result<()> {
        if self.refused {
            return Ok(());
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(line.trim());
        if self.text.len() <= self.full {
            return Ok(());
        }
        // Whether a sentence ends may depend on the words after it, so the last two sentences are kept back.
        let mut ends: Vec<usize> = self.text.split_sentence_bound_indices().map(|(i, _)| i).collect();
        ends.push(self.text.len());
        let kept = ends.len().saturating_sub(3);
        for pair in ends[..=kept].windows(2) {
            reading.sentence(&self.text[pair[0]..pair[1]], at)?;
        }
        self.text.drain(..ends[kept]);
        // Twice the rest, so that a text in which no sentence ends is not scanned again at every line.
        self.full = PART.max(2 * self.text.len());
        if self.text.len() > 2 * LONGEST {
            self.text.clear();
            self.refused = true;
            reading.problem(at, format!("a sentence is longer than {LONGEST} bytes; is this prose?"))?;
        }
        Ok(())
    }

    /// Ends the paragraph; returns whether there was one.
    pub(super) fn end(&mut self, at: &dyn fmt::Display, reading: &mut Reading<'_>) -> Result<bool> {
        let any = self.refused || !self.text.is_empty();
        for sentence in self.text.split_sentence_bounds() {
            reading.sentence(sentence, at)?;
        }
        *self = Paragraph::new();
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Piece;

    fn sentences(lines: &[&str]) -> (Vec<String>, u64) {
        let mut all = Vec::new();
        let mut each = |piece: Piece<'_>| {
            if let Piece::Sentence(text) = piece {
                all.push(text.to_string());
            }
            Ok(())
        };
        let mut reading = Reading::new(false, &mut each);
        let mut paragraph = Paragraph::new();
        for line in lines {
            paragraph.line(line, &"a.txt:1", &mut reading).unwrap();
        }
        paragraph.end(&"a.txt:1", &mut reading).unwrap();
        let problems = reading.counts.problems.len() as u64;
        (all, problems)
    }

    #[test]
    fn sentences_end_where_unicode_says_also_across_lines() {
        // By hand from UAX #29: SB11 (break after a terminator), SB7 and SB8 (not inside "3.4" nor before a lowercase letter).
        let (all, _) =
            sentences(&["He paid 3.4 pounds. \"Why.\" she", "  asked. Nobody, e.g. his wife, knew", "that! So."]);
        assert_eq!(all, ["He paid 3.4 pounds.", "\"Why.\" she asked.", "Nobody, e.g. his wife, knew that!", "So."]);
    }

    #[test]
    fn a_long_paragraph_is_cut_as_a_whole_one_would_be() {
        let lines: Vec<String> =
            (0..6000).map(|i| format!("Line {i} etc. 12. 34 then goes on; it ends here. And so {i}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let whole = lines.join(" ");
        let expected: Vec<&str> = whole.split_sentence_bounds().map(str::trim).collect();
        assert!(whole.len() > 4 * PART);
        assert_eq!(sentences(&lines), (expected.into_iter().map(String::from).collect(), 0));
    }

    #[test]
    fn a_sentence_that_does_not_end_is_refused_once() {
        let line = "word ".repeat(20_000);
        assert_eq!(sentences(&[line.as_str(); 60]), (vec![], 1));
    }
}
