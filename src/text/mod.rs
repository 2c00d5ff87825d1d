//! Text in, batches of sentence windows out. Nothing here knows a model.
//!
//! A [`Source`] reads documents and their sentences from files, one at a time. A [`Tokenizer`] is opened from a
//! `tokenizer.json`, or made of the text by a [`Learner`]. [`Tokens`] is the text as token ids, in a file that is
//! written once and mapped into memory. [`Windows`] knows every window of consecutive sentences inside documents without
//! holding any; a [`TextLoader`] gives batches of them, and [`validation_batches`] the same ones at every call.
//!
//! Chance is a pure function of the seed and the [`Position`](crate::data::Position): a run that goes on from a position
//! gets the batches that an uninterrupted run would have got.

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
mod rows;
mod source;
mod tokenizer;
mod tokens;
mod windows;
mod writer;

pub use batch::TextBatch;
pub use learner::{Kind, Learner};
pub use loader::{TextLoader, TextValidation, validation_batches};
pub use reading::{Counts, Piece};
pub use source::{Source, Split};
pub use tokenizer::{Encoded, Tokenizer};
pub use tokens::{TokenStats, Tokens};
pub use windows::{Short, Windows};
