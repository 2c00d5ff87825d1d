//! Evaluates features: how well a simple classifier predicts labels from them ([`probe`], and `sentences` for sentence vectors), how well
//! they discriminate phones without any training ([`abx`]), and the information they carry ([`frames`]).

pub mod abx;
pub mod boundaries;
pub mod frames;
pub mod probe;
pub mod ranking;
pub mod removal;
#[cfg(feature = "text")]
pub mod sentences;
pub mod transcripts;
pub mod verification;
