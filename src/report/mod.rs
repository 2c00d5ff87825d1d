//! What people look at: TensorBoard events, the page of a probe, the model card.

mod model_card;
pub mod probe_page;
pub mod tensorboard;

pub use model_card::{Training, model_card};
