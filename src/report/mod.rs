//! What people look at: TensorBoard events, plots, the page of a probe, the model card.

mod markup;
pub mod model_card;
pub mod plot;
pub mod probe_page;
pub mod sheet;
pub mod tensorboard;
