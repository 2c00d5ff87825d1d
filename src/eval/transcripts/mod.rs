//! Sequences of symbols that are said in recordings: reading them, finding them in the scores of frames, and counting errors.

pub mod decode;
pub mod errors;
mod read;

pub use read::{Spelling, read};
