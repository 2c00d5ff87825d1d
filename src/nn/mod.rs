//! Modules with parameters, and the store that holds them.

mod context;
mod encoder;
mod heads;
mod store;

pub use context::{Context, ContextStream};
pub use encoder::{ConvEncoder, Phase};
pub use heads::LinearHeads;
pub use store::ParamStore;
