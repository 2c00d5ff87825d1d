//! What features are worth: read off by a simple classifier ([`probe`], and [`sentences`] for vectors of sentences), or without training anything ([`abx`]); and what learned ones
//! are compared with ([`baseline`]).

pub mod abx;
pub mod baseline;
pub mod probe;
pub mod sentences;
