//! What is trained: modules and an objective put together.

mod audio;
mod contrast;
#[cfg(test)]
mod slope;
mod text;

pub use audio::CpcAudio;
pub use contrast::Latents;
pub use text::CpcText;
