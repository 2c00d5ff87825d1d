//! What a file of tokens contains, in numbers.

use crate::error::Problem;
use std::fmt;

/// What a token file contains, and what was omitted from it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TokenStats {
    /// Number of documents with at least one sentence.
    pub documents: u64,
    /// Number of sentences.
    pub sentences: u64,
    /// Number of tokens, after truncation.
    pub tokens: u64,
    /// Number of sentences that had more tokens than allowed.
    pub cut: u64,
    /// Number of tokens for unknown words.
    pub unknown: u64,
    /// Number of empty and blank sentences that were skipped.
    pub blank: u64,
    /// Number of sentences that have no token and were skipped, because the tokenizer has no token for unknown words.
    pub without_tokens: u64,
    /// What could not be read and was skipped: the first 1000 problems.
    pub problems: Vec<Problem>,
    /// Number of further problems.
    pub more_problems: u64,
}

impl TokenStats {
    /// The share of sentences that were truncated.
    pub fn cut_share(&self) -> f64 {
        share(self.cut, self.sentences)
    }

    /// The share of tokens that stand for unknown words.
    pub fn unknown_share(&self) -> f64 {
        share(self.unknown, self.tokens)
    }

    /// Total number of problems.
    pub fn all_problems(&self) -> u64 {
        self.problems.len() as u64 + self.more_problems
    }
}

fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

impl fmt::Display for TokenStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sentences in {} documents, {} tokens; {:.2} % of sentences were cut, {:.2} % of tokens are unknown; {} blank \
             lines were skipped",
            self.sentences,
            self.documents,
            self.tokens,
            100.0 * self.cut_share(),
            100.0 * self.unknown_share(),
            self.blank
        )?;
        if self.without_tokens > 0 {
            write!(f, ", and {} sentences without a token", self.without_tokens)?;
        }
        match self.all_problems() {
            0 => Ok(()),
            n => write!(f, "; {n} places could not be read and were left out"),
        }
    }
}
