//! What is trained: modules and an objective put together.

mod audio;

pub use audio::{CpcAudio, Latents};
