//! Modules with parameters, the store that holds them, and their optimizer.

mod batch_norm;
mod context;
mod conv2d;
mod critic;
mod embedding;
mod encoder;
mod heads;
mod image_encoder;
mod linear;
mod local_critic;
mod optimizer;
mod phase;
mod players;
mod running;
mod sentences;
mod store;
mod transformer;

pub use batch_norm::BatchNorm;
pub use context::{CONTEXTS, Context, ContextConfig, ContextDesign, ContextKind, ContextState, ContextStream};
pub use conv2d::Conv2d;
pub use critic::{Baseline, Critic, CriticKind, CriticSize};
pub use embedding::{Embedding, EmbeddingRows};
pub use encoder::{ConvEncoder, ConvEncoderStream, gabor};
pub use heads::Heads;
pub use image_encoder::{ImageEncoder, Views};
pub use linear::{Linear, Mlp};
pub use local_critic::LocalCritic;
pub use optimizer::{Gradients, Moments, Optimizer};
pub use phase::Phase;
pub use players::{Discriminator, Generator, Samples};
pub use sentences::SentenceEncoder;
pub use store::ParamStore;
pub use transformer::ATTENTION_HEADS;
