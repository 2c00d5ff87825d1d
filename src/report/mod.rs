//! Output for people: TensorBoard events, plots, the page of a probe, and the model card.

pub mod diagram;
pub mod heat;
mod markup;
pub mod model_card;
pub mod plot;
pub mod probe_page;
#[cfg(feature = "images")]
pub mod sheet;
pub mod spans;
pub mod tensorboard;
