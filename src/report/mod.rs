//! What people look at: TensorBoard events.

pub mod tensorboard;
