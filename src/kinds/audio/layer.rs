//! The outputs of a model that can be used as features.

use crate::error::{Error, Result};
use crate::kinds::audio::AudioModelConfig;
use std::fmt;
use std::str::FromStr;

/// An output of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioLayer {
    /// z: the encoder's output, computed from the samples around each frame.
    Z,
    /// c: the context network's output, computed from all frames up to and including each.
    C,
    /// `c:N`: the N-th layer of a deep context network, counted from 1.
    Context(usize),
}

impl AudioLayer {
    /// The dimension of its features, D or H.
    ///
    /// # Errors
    /// A usage error if the context network has fewer layers.
    pub fn dim(self, model: &AudioModelConfig) -> Result<usize> {
        match self {
            AudioLayer::Z => Ok(model.encoder.hidden_dim),
            AudioLayer::Context(n) if n == 0 || n > model.context.num_layers => Err(Error::usage(
                format!("--layer {self}: the context network has {} layers", model.context.num_layers),
                "choose z, c (the last), or c:1 and so on for the layers below it",
            )),
            AudioLayer::C | AudioLayer::Context(_) => Ok(model.context.hidden_dim),
        }
    }

    /// The name of its folder or file: `c2` for `c:2`, since not every system allows colons in names.
    pub fn file_name(self) -> String {
        self.to_string().replace(':', "")
    }
}

impl fmt::Display for AudioLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AudioLayer::Z => f.write_str("z"),
            AudioLayer::C => f.write_str("c"),
            AudioLayer::Context(n) => write!(f, "c:{n}"),
        }
    }
}

impl FromStr for AudioLayer {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match (s, s.strip_prefix("c:").map(str::parse)) {
            ("z", _) => Ok(AudioLayer::Z),
            ("c", _) => Ok(AudioLayer::C),
            (_, Some(Ok(n))) if n > 0 => Ok(AudioLayer::Context(n)),
            _ => Err(format!("`{s}` is none of z, c, c:1, c:2, ...")),
        }
    }
}
