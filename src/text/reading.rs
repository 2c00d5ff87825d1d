//! What is handed on while text is read, and what is counted meanwhile.

use crate::error::{Problem, Result};
use std::fmt;

/// The longest sentence, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Problems that are kept with their words; more are only counted.
const KEPT: usize = 1000;

/// What a [`Source`](super::Source) hands on, in the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A sentence, without white space around it; never empty.
    Sentence(&'a str),
    /// The document of the sentences before ends here.
    End,
}

/// What was read, and what was not.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Documents with a sentence or more.
    pub documents: u64,
    /// Sentences.
    pub sentences: u64,
    /// Empty and blank sentences, rows and lines that were skipped; a blank line that ends a document is not one.
    pub blank: u64,
    /// What could not be read; the first 1000.
    pub problems: Vec<Problem>,
    /// Problems that are not among them.
    pub more_problems: u64,
}

/// Hands on what is read, and counts.
pub(super) struct Reading<'a> {
    each: &'a mut dyn FnMut(Piece<'_>) -> Result<()>,
    /// Nothing is handed on any more when there is a problem.
    strict: bool,
    /// There is a sentence in the document.
    open: bool,
    pub(super) counts: Counts,
}

impl<'a> Reading<'a> {
    pub(super) fn new(strict: bool, each: &'a mut dyn FnMut(Piece<'_>) -> Result<()>) -> Self {
        Reading { each, strict, open: false, counts: Counts::default() }
    }

    /// Nothing that is read now could be handed on or named.
    pub(super) fn is_futile(&self) -> bool {
        self.strict && self.counts.problems.len() >= KEPT
    }

    fn give(&mut self, piece: Piece<'_>) -> Result<()> {
        if self.strict && !self.counts.problems.is_empty() { Ok(()) } else { (self.each)(piece) }
    }

    /// A sentence, which is found `at` a place.
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

    /// The end of a document, if there is one.
    pub(super) fn end(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        self.counts.documents += 1;
        self.give(Piece::End)
    }

    /// Something that cannot be read. What follows is another document: no window spans a gap.
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
