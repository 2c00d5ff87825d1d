//! Which of a model's outputs are features.

use crate::error::{Error, Result};
use crate::weights::ModelConfig;
use std::fmt;
use std::str::FromStr;

/// An output of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// z: what the encoder makes of the samples around each frame.
    Z,
    /// c: what the context network makes of all frames up to each.
    C,
    /// `c:N`: the N-th layer of a deep context network, counted from 1.
    Context(usize),
}

impl Layer {
    /// The size of its features, D or H.
    ///
    /// # Errors
    /// A usage error if the context network is not so deep.
    pub fn dim(self, model: &ModelConfig) -> Result<usize> {
        match self {
            Layer::Z => Ok(model.encoder.hidden_dim),
            Layer::Context(n) if n == 0 || n > model.context.num_layers => Err(Error::usage(
                format!("--layer {self}: the context network has {} layers", model.context.num_layers),
                "choose z, c (the last), or c:1 and so on for the layers below it",
            )),
            Layer::C | Layer::Context(_) => Ok(model.context.hidden_dim),
        }
    }

    /// The name of its folder or file: `c:2` is `c2`, since not every system has names with colons.
    pub fn file_name(self) -> String {
        self.to_string().replace(':', "")
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Z => f.write_str("z"),
            Layer::C => f.write_str("c"),
            Layer::Context(n) => write!(f, "c:{n}"),
        }
    }
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match (s, s.strip_prefix("c:").map(str::parse)) {
            ("z", _) => Ok(Layer::Z),
            ("c", _) => Ok(Layer::C),
            (_, Some(Ok(n))) if n > 0 => Ok(Layer::Context(n)),
            _ => Err(format!("`{s}` is none of z, c, c:1, c:2, ...")),
        }
    }
}
