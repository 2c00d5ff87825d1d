//! Splits prose into sentences, by the rules of Unicode (UAX #29, section 5).
//!
//! The rules know no abbreviations: "Mr. Smith" is split after "Mr.". A paragraph is split while it is read, so that a
//! file without blank lines is not held in memory as a whole. Lines are joined by a space, except between characters of scripts that are
//! written without spaces.

use crate::error::Result;
use crate::text::reading::{At, LONGEST, Reading};
use crate::text::scripts::is_unspaced;
use unicode_segmentation::UnicodeSegmentation;

/// Number of bytes of a paragraph that are collected before it is split for the first time.
const PART: usize = 1 << 16;

/// A paragraph that is being read.
#[derive(Debug)]
pub(super) struct Paragraph {
    text: String,
    /// Where the text of each line begins in `text`, and the number of the line.
    lines: Vec<(usize, u64)>,
    /// The length at which it is split next.
    full: usize,
    /// A sentence without an end was rejected; the rest of the paragraph is skipped.
    refused: bool,
}

impl Paragraph {
    pub(super) fn new() -> Self {
        Paragraph { text: String::new(), lines: Vec::new(), full: PART, refused: false }
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: &str, at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
        if self.refused {
            return Ok(());
        }
        let line = line.trim();
        let unspaced = |c: Option<char>| c.is_some_and(is_unspaced);
        let joins = unspaced(self.text.chars().next_back()) && unspaced(line.chars().next());
        if !self.text.is_empty() && !joins {
            self.text.push(' ');
        }
        self.lines.push((self.text.len(), at.line));
        self.text.push_str(line);
        if self.text.len() <= self.full {
            return Ok(());
        }
        // Whether a sentence ends may depend on the words after it, so the last two sentences are kept back.
        let mut ends: Vec<usize> = self.text.split_sentence_bound_indices().map(|(i, _)| i).collect();
        ends.push(self.text.len());
        let kept = ends.len().saturating_sub(3);
        for pair in ends[..=kept].windows(2) {
            self.sentence(pair[0], pair[1], at, reading)?;
        }
        self.text.drain(..ends[kept]);
        // The line in which the rest begins is kept.
        let first = self.lines.partition_point(|(start, _)| *start <= ends[kept]).saturating_sub(1);
        self.lines.drain(..first);
        self.lines.iter_mut().for_each(|(start, _)| *start = start.saturating_sub(ends[kept]));
        // Twice the rest, so that a text in which no sentence ends is not scanned again at every line.
        self.full = PART.max(2 * self.text.len());
        if self.text.len() > 2 * LONGEST {
            self.text.clear();
            self.lines.clear();
            self.refused = true;
            reading.problem(at, format!("a sentence is longer than {LONGEST} bytes; is this prose?"))?;
        }
        Ok(())
    }

    /// Passes on the sentence in a part of the text, with the line that it begins in, and counts the lines that it goes on in.
    fn sentence(&self, start: usize, end: usize, at: &At<'_>, reading: &mut Reading<'_>) -> Result<()> {
        let text = &self.text[start..end];
        let begin = end - text.trim_start().len();
        let after = self.lines.partition_point(|(start, _)| *start <= begin);
        let line = self.lines[..after].last().map_or(at.line, |(_, line)| *line);
        let goes_on = self.lines[after..].iter().take_while(|(start, _)| *start < begin + text.trim().len()).count();
        reading.counts.joined += goes_on as u64;
        reading.sentence(text, &At { line, ..*at })
    }

    /// Ends the paragraph; returns whether there was one.
    pub(super) fn end(&mut self, at: &At<'_>, reading: &mut Reading<'_>) -> Result<bool> {
        let any = self.refused || !self.text.is_empty();
        for (start, sentence) in self.text.split_sentence_bound_indices() {
            self.sentence(start, start + sentence.len(), at, reading)?;
        }
        *self = Paragraph::new();
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Piece;
    use std::path::Path;

    fn sentences(lines: &[&str]) -> (Vec<String>, u64) {
        let mut all = Vec::new();
        let mut each = |piece: Piece<'_>| {
            if let Piece::Sentence(text, _) = piece {
                all.push(text.to_string());
            }
            Ok(())
        };
        let mut reading = Reading::new(false, &mut each);
        let mut paragraph = Paragraph::new();
        let mut at = At { path: Path::new("a.txt"), line: 0, row: false };
        for line in lines {
            at.line += 1;
            paragraph.line(line, &at, &mut reading).unwrap();
        }
        paragraph.end(&at, &mut reading).unwrap();
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

    #[test]
    fn each_sentence_has_the_line_that_it_begins_in() {
        let mut found = Vec::new();
        let mut each = |piece: Piece<'_>| {
            if let Piece::Sentence(text, place) = piece {
                found.push((text.to_string(), place.line));
            }
            Ok(())
        };
        let mut reading = Reading::new(false, &mut each);
        let mut paragraph = Paragraph::new();
        // Long enough to be cut before it ends: line i has the end of one sentence, and the beginning of the next.
        for line in 1..=6000u64 {
            let at = At { path: Path::new("a.txt"), line, row: false };
            paragraph
                .line(
                    &format!("of it ends here. Sentence {line} begins, and goes on with more words"),
                    &at,
                    &mut reading,
                )
                .unwrap();
        }
        paragraph.end(&At { path: Path::new("a.txt"), line: 6000, row: false }, &mut reading).unwrap();
        assert_eq!(reading.counts.joined, 5999);
        assert_eq!((found.len(), found[0].1), (6001, 1));
        assert!(found[1..].iter().all(|(text, line)| text.starts_with(&format!("Sentence {line} begins"))));
    }

    #[test]
    fn lines_of_scripts_without_spaces_are_joined_without_one() {
        // By hand from UAX #29: SB11 after the full-width full stop (STerm).
        assert_eq!(sentences(&["今天天气", "很好。我们去", "公园。"]).0, ["今天天气很好。", "我们去公园。"]);
        assert_eq!(sentences(&["วันนี้อากาศ", "ดี", "and then"]).0, ["วันนี้อากาศดี and then"]);
    }
}
