//! Modules with parameters, and the store that holds them.

mod context;
mod critic;
mod embedding;
mod encoder;
mod heads;
mod sentences;
mod store;
mod transformer;

pub use context::{Context, ContextStream};
pub use critic::{Baseline, Critic, CriticKind, CriticSize};
pub use embedding::{Embedding, Rows};
pub use encoder::{ConvEncoder, Phase};
pub use heads::Heads;
pub use sentences::SentenceEncoder;
pub use store::ParamStore;
pub use transformer::ATTENTION_HEADS;
