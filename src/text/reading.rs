//! Passes on what is read from a text, and counts it.

use crate::error::{Problem, Result};
use std::fmt;

/// The longest sentence, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Number of problems that are kept with their messages; any others are only counted.
const KEPT: usize = 1000;

/// What a [`Source`](super::Source) passes on, in the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A sentence, without white space around it; never empty.
    Sentence(&'a str),
    /// The end of the document of the preceding sentences.
    End,
}

/// Counts of what was read and of what was not.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Number of documents with at least one sentence.
    pub documents: u64,
    /// Number of sentences.
    pub sentences: u64,
    /// Number of empty and blank sentences, rows and lines that were skipped; a blank line that ends a document is not counted.
    pub blank: u64,
    /// What could not be read: the first 1000 problems.
    pub problems: Vec<Problem>,
    /// Number of further problems.
    pub more_problems: u64,
}

/// Passes on what is read, and counts it.
pub(super) struct Reading<'a> {
    each: &'a mut dyn FnMut(Piece<'_>) -> Result<()>,
    /// After a problem, nothing more is passed on.
    strict: bool,
    /// The current document has a sentence.
    open: bool,
    pub(super) counts: Counts,
}

impl<'a> Reading<'a> {
    pub(super) fn new(strict: bool, each: &'a mut dyn FnMut(Piece<'_>) -> Result<()>) -> Self {
        Reading { each, strict, open: false, counts: Counts::default() }
    }

    /// Reading on is futile: nothing read from here on could be passed on or reported.
    pub(super) fn is_futile(&self) -> bool {
        self.strict && self.counts.problems.len() >= KEPT
    }

    fn give(&mut self, piece: Piece<'_>) -> Result<()> {
        if self.strict && !self.counts.problems.is_empty() { Ok(()) } else { (self.each)(piece) }
    }

    /// Passes on a sentence found at the place `at`.
    pub(super) fn sentence(&mut self, text: &str, at: &dyn fmt::Display) -> Result<()> {
        let text = text.trim();
        if text.is_empty() {
            self.counts.blank += 1;
            return Ok(());
        }
        if text.len() > LONGEST {
            return self.problem(at, format!("a sentence is longer than {LONGEST} bytes"));
        }
        self.open = true;
        self.counts.sentences += 1;
        self.give(Piece::Sentence(text))
    }

    /// A blank line or row between documents.
    pub(super) fn blank(&mut self) -> Result<()> {
        self.counts.blank += u64::from(!self.open);
        self.end()
    }

    /// Ends the current document, if there is one.
    pub(super) fn end(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.counts.documents += 1;
        self.give(Piece::End)
    }

    /// Records something that cannot be read. What follows is another document: no window spans a gap.
    pub(super) fn problem(&mut self, at: &dyn fmt::Display, what: impl fmt::Display) -> Result<()> {
        self.end()?;
        if self.counts.problems.len() < KEPT {
            self.counts.problems.push(Problem::new(at, what));
        } else {
            self.counts.more_problems += 1;
        }
        Ok(())
    }
}
