//! What people look at: TensorBoard events.

pub mod probe_page;
pub mod tensorboard;
