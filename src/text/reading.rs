//! Passes on what is read from a text, and counts it.

use crate::data::plain::Refused;
use crate::error::{Problem, Result};
use crate::text::scripts::is_mostly_unspaced;
use std::fmt;
use std::path::Path;

/// The longest sentence, in bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Number of problems that are kept with their messages; any others are only counted.
const KEPT: usize = 1000;

/// What a [`Source`](super::Source) passes on, in the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A sentence, without white space around it and never empty; and where it begins.
    Sentence(&'a str, Place),
    /// The end of the document of the preceding sentences.
    End,
}

/// Where a sentence begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The index of its file in [`Source::files`](super::Source::files).
    pub file: usize,
    /// Its line, from 1; in a table, its row, from 0.
    pub line: u64,
}

/// A line of a file, or a row of a table, in messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub path: &'a Path,
    /// The line, from 1, or the row, from 0.
    pub line: u64,
    pub row: bool,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.path.display(), if self.row { " row " } else { ":" }, self.line)
    }
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
    /// Number of lines of files and rows of tables.
    pub lines: u64,
    /// Number of blank lines and rows that ended a document.
    pub ends: u64,
    /// Number of lines that go on with a sentence of a line before them.
    pub joined: u64,
    /// Number of sentences in scripts that are written without spaces between words, such as Chinese, Japanese and Thai.
    pub unspaced: u64,
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
    /// The index of the file that is being read.
    pub(super) file: usize,
    pub(super) counts: Counts,
    /// What to do about the first problem that has a remedy of its own.
    pub(super) remedy: Option<String>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(strict: bool, each: &'a mut dyn FnMut(Piece<'_>) -> Result<()>) -> Self {
        Reading { each, strict, open: false, file: 0, counts: Counts::default(), remedy: None }
    }

    /// Reading on is futile: nothing read from here on could be passed on or reported.
    pub(super) fn is_futile(&self) -> bool {
        self.strict && self.counts.problems.len() >= KEPT
    }

    fn give(&mut self, piece: Piece<'_>) -> Result<()> {
        if self.strict && !self.counts.problems.is_empty() { Ok(()) } else { (self.each)(piece) }
    }

    /// Passes on a sentence that begins at `at`.
    pub(super) fn sentence(&mut self, text: &str, at: &At<'_>) -> Result<()> {
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
        self.counts.unspaced += u64::from(is_mostly_unspaced(text));
        self.give(Piece::Sentence(text, Place { file: self.file, line: at.line }))
    }

    /// A blank line or row between documents.
    pub(super) fn blank(&mut self) -> Result<()> {
        self.counts.blank += u64::from(!self.open);
        self.counts.ends += u64::from(self.open);
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

    /// Records something that cannot be read, and what to do about it.
    pub(super) fn refuse(&mut self, at: &dyn fmt::Display, refused: Refused) -> Result<()> {
        self.remedy.get_or_insert(refused.remedy);
        self.problem(at, refused.what)
    }
}
