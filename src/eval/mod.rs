//! What features are worth: what a simple classifier reads from them ([`probe`], and `sentences` for vectors of sentences), what they
//! tell without any training ([`abx`]), and the information in them ([`frames`]).

pub mod abx;
pub mod frames;
pub mod probe;
#[cfg(feature = "text")]
pub mod sentences;
