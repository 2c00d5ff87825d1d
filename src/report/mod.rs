//! What people look at: TensorBoard events, the page of a probe, the model card.

pub mod model_card;
pub mod probe_page;
pub mod tensorboard;
