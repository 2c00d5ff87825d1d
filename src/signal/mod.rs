//! CPC on a signal of any medium: the network, its training, and the features of whole recordings.
//!
//! Audio and series are kinds of their own, with configurations, files and cards of their own. What they compute is here.

mod datasets;
mod extract;
mod init;
mod layer;
mod network;
mod pytorch;
mod sections;
mod stream;
mod task;

pub use datasets::{Amount, Datasets};
pub use extract::{extract, extract_samples, indexed, made};
pub use init::{Initial, begin, moments, rescaled};
pub use layer::{Layer, layers};
pub use network::{HEADS, Network, Sizes, Trunk};
pub use pytorch::pytorch;
pub use sections::relate;
pub use stream::{Extractor, FeatureStream, has_heads, timing};
pub use task::{SignalBatch, SignalTask, Training, WriteModel};
