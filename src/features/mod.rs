//! Frozen features: what a trained model makes of audio, from a stream or from whole files.
//!
//! A [`Stream`] takes samples as they come and gives frames as they become final; everything else is made of it.
//! An [`Extractor`] holds a model and the layers that are wanted, and starts streams.

mod layer;
mod stream;

pub use layer::Layer;
pub use stream::{Extractor, Frames, Stream, Timing};
