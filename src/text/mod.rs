//! Turns text into batches of sentence windows. Nothing here depends on a model.
//!
//! A [`Source`] reads documents and their sentences from files, one at a time. A [`Tokenizer`] is opened from a
//! `tokenizer.json`, or built from the text by a [`Learner`]. [`Tokens`] is the text as token ids, in a file that is
//! written once and mapped into memory. [`Windows`] describes every window of consecutive sentences within documents
//! without storing any, and a [`WindowSet`] those of several lengths; a [`TextLoader`] returns batches of them, and
//! [`validation_batches`] the same batches in every call.
//!
//! Randomness is a pure function of the seed and the [`Position`](crate::data::Position): a run that resumes from a
//! position gets the batches that an uninterrupted run would have received.

mod batch;
mod documents;
#[cfg(test)]
pub(crate) mod fixtures;
mod learner;
mod lines;
mod loader;
mod merges;
mod prose;
mod reading;
#[cfg(feature = "parquet")]
mod rows;
#[cfg(not(feature = "parquet"))]
#[path = "no_rows.rs"]
mod rows;
mod scripts;
mod source;
mod split;
mod token_stats;
mod tokenizer;
mod tokens;
mod window_set;
mod windows;
mod writer;

pub use batch::TextBatch;
pub use learner::{Learner, TokenizerKind};
pub use loader::{TextLoader, TextValidation, validation_batches};
pub use reading::{Counts, Piece, Place};
pub use source::Source;
pub use split::Split;
pub use token_stats::TokenStats;
pub use tokenizer::{Encoded, Tokenizer};
pub use tokens::Tokens;
pub use window_set::WindowSet;
pub use windows::Windows;
