//! g_ar, the context network, which computes c_t from z up to t. One trait, one file per family, one line in [`CONTEXTS`].

mod recurrent;
mod s4d;

use crate::config::check_dim;
use crate::error::{Problem, Result};
use candle_core::Tensor;
use candle_nn::VarBuilder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// All context networks. The first is the default.
pub static CONTEXTS: &[&dyn ContextDesign] = &[&recurrent::GRU, &recurrent::LSTM, &s4d::S4D];

/// A kind of context network: how one is built.
pub trait ContextDesign: Sync {
    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// Its name as written in the literature.
    fn title(&self) -> &'static str;

    /// The PyTorch class that computes the same with the same parameters, such as `GRU` of `torch.nn`, if there is one.
    fn torch_class(&self) -> Option<&'static str> {
        None
    }

    /// A network over latents of dimension `input_dim`. `vb` is rooted at the network, `gAR.baseNet` in CPC_audio.
    ///
    /// # Errors
    /// The parameters have different shapes.
    fn build(&self, cfg: &ContextConfig, input_dim: usize, vb: VarBuilder) -> Result<Arc<dyn Context>>;
}

/// A context network. It never looks ahead: c_t depends only on z up to t.
pub trait Context: Send + Sync + fmt::Debug {
    /// c (B, T, H) of `z` (B, T, D), from the beginning of a sequence.
    ///
    /// # Errors
    /// The latents have a different dimension.
    fn forward(&self, z: &Tensor) -> Result<Tensor>;

    /// The same network for a sequence that arrives in pieces, without a graph.
    ///
    /// # Errors
    /// A tensor operation fails.
    fn stream(&self) -> Result<Box<dyn ContextStream>>;
}

/// A context network on latents that arrive in pieces. Clones share the weights.
pub trait ContextStream: Send + Sync + fmt::Debug {
    /// Accepts latents (T, D), and returns the outputs of every layer, (T, H) each. The last output is c.
    ///
    /// # Errors
    /// The latents have a different dimension.
    fn push(&mut self, z: &[f32]) -> Result<Vec<Vec<f32>>>;

    /// Returns to the beginning of a sequence.
    fn reset(&mut self);

    /// A copy in the same state.
    fn copy(&self) -> Box<dyn ContextStream>;
}

impl Clone for Box<dyn ContextStream> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

/// One of [`CONTEXTS`].
#[derive(Clone, Copy)]
pub struct ContextKind(&'static dyn ContextDesign);

impl ContextKind {
    /// Gated recurrent units (the CPC paper).
    pub const GRU: ContextKind = ContextKind(&recurrent::GRU);
    /// Long short-term memory (CPC-big).
    pub const LSTM: ContextKind = ContextKind(&recurrent::LSTM);
    /// Diagonal state spaces (S4D).
    pub const S4D: ContextKind = ContextKind(&s4d::S4D);
}

impl Deref for ContextKind {
    type Target = dyn ContextDesign;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for ContextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

impl PartialEq for ContextKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for ContextKind {}

impl Serialize for ContextKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ContextKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        CONTEXTS.iter().find(|design| design.name() == name).map(|design| ContextKind(*design)).ok_or_else(|| {
            let names: Vec<&str> = CONTEXTS.iter().map(|design| design.name()).collect();
            de::Error::custom(format!("unknown variant `{name}`, expected one of {}", names.join(", ")))
        })
    }
}

/// The `[context]` section: g_ar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContextConfig {
    /// The kind of network.
    pub kind: ContextKind,
    /// The dimension of c. 256 in the paper (section 3.1) and CPC_audio.
    pub hidden_dim: usize,
    /// Number of layers. 1 in the paper.
    pub num_layers: usize,
    /// Of `s4d`: the size of the state of each channel, N in its paper. Half of it are complex modes. The other networks ignore it.
    pub state_dim: usize,
}

impl Default for ContextConfig {
    fn default() -> Self {
        ContextConfig { kind: ContextKind::GRU, hidden_dim: 256, num_layers: 1, state_dim: 64 }
    }
}

impl ContextConfig {
    /// Adds every value out of range to `faults`.
    pub fn validate(&self, faults: &mut Vec<Problem>) {
        check_dim("context.hidden_dim", self.hidden_dim, faults);
        if !(1..=64).contains(&self.num_layers) {
            faults.push(Problem::new("context.num_layers", format!("{} is not between 1 and 64", self.num_layers)));
        }
        if !(2..=4096).contains(&self.state_dim) || !self.state_dim.is_multiple_of(2) {
            let what = format!("{} is not an even number between 2 and 4096", self.state_dim);
            faults.push(Problem::new("context.state_dim", what));
        }
    }
}
