//! The outputs of a model that can be used as features.

use crate::error::{Error, Result};
use crate::kinds::audio::AudioModelConfig;
use std::fmt;
use std::str::FromStr;

/// An output of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AudioLayer {
    /// z: the encoder's output, computed from the samples around each frame.
    Z,
    /// c: the context network's output, computed from all frames up to and including each.
    C,
    /// `c:N`: the N-th layer of a deep context network, counted from 1.
    Context(usize),
    /// `c+z`: several of them, concatenated in each frame.
    Concatenated(Vec<AudioLayer>),
}

impl AudioLayer {
    /// The dimension of its features, D or H.
    ///
    /// # Errors
    /// A usage error if the context network has fewer layers.
    pub fn dim(&self, model: &AudioModelConfig) -> Result<usize> {
        match self {
            AudioLayer::Z => Ok(model.encoder.hidden_dim),
            AudioLayer::Concatenated(layers) => layers.iter().map(|layer| layer.dim(model)).sum(),
            AudioLayer::Context(n) if *n == 0 || *n > model.context.num_layers => Err(Error::usage(
                format!("--layer {self}: the context network has {} layers", model.context.num_layers),
                "choose z, c (the last), or c:1 and so on for the layers below it",
            )),
            AudioLayer::C | AudioLayer::Context(_) => Ok(model.context.hidden_dim),
        }
    }

    /// Whether it needs the context network.
    pub fn is_context(&self) -> bool {
        match self {
            AudioLayer::Z => false,
            AudioLayer::C | AudioLayer::Context(_) => true,
            AudioLayer::Concatenated(layers) => layers.iter().any(AudioLayer::is_context),
        }
    }

    /// Its features, given z and the outputs of the context network's layers, all (T, dimension) row after row.
    pub(super) fn pick(&self, z: &[f32], latent: usize, outputs: &[Vec<f32>]) -> Vec<f32> {
        let frames = z.len() / latent.max(1);
        match self {
            AudioLayer::Z => z.to_vec(),
            AudioLayer::C => outputs.last().cloned().unwrap_or_default(),
            AudioLayer::Context(n) => outputs.get(n - 1).cloned().unwrap_or_default(),
            AudioLayer::Concatenated(layers) => {
                let parts: Vec<Vec<f32>> = layers.iter().map(|layer| layer.pick(z, latent, outputs)).collect();
                let row = |t: usize| {
                    parts.iter().flat_map(move |part| {
                        let dim = part.len() / frames;
                        &part[t * dim..][..dim]
                    })
                };
                (0..frames).flat_map(row).copied().collect()
            }
        }
    }

    /// The name of its folder or file: `c2` for `c:2`, since not every system allows colons in names.
    pub fn file_name(&self) -> String {
        self.to_string().replace(':', "")
    }
}

impl fmt::Display for AudioLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AudioLayer::Z => f.write_str("z"),
            AudioLayer::C => f.write_str("c"),
            AudioLayer::Context(n) => write!(f, "c:{n}"),
            AudioLayer::Concatenated(layers) => {
                layers.iter().enumerate().try_for_each(|(i, l)| write!(f, "{}{l}", if i > 0 { "+" } else { "" }))
            }
        }
    }
}

impl FromStr for AudioLayer {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        if s.contains('+') {
            let parts: Vec<AudioLayer> = s.split('+').map(str::parse).collect::<std::result::Result<_, String>>()?;
            return match (1..parts.len()).find(|&i| parts[..i].contains(&parts[i])) {
                Some(i) => Err(format!("`{s}` names {} twice", parts[i])),
                None => Ok(AudioLayer::Concatenated(parts)),
            };
        }
        match (s, s.strip_prefix("c:").map(str::parse)) {
            ("z", _) => Ok(AudioLayer::Z),
            ("c", _) => Ok(AudioLayer::C),
            (_, Some(Ok(n))) if n > 0 => Ok(AudioLayer::Context(n)),
            _ => Err(format!("`{s}` is none of z, c, c:1, c:2, ..., or several of them such as c+z")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_what_is_none_is_named() {
        for name in ["z", "c", "c:2", "c+z", "c:1+c:2+z"] {
            assert_eq!(name.parse::<AudioLayer>().unwrap().to_string(), name);
        }
        for (name, word) in [("q", "none of"), ("c:0", "none of"), ("c+", "none of"), ("c+z+c", "c twice")] {
            assert!(name.parse::<AudioLayer>().unwrap_err().contains(word), "{name}");
        }
        assert!(!AudioLayer::Z.is_context() && "z+c".parse::<AudioLayer>().unwrap().is_context());
    }

    #[test]
    fn concatenated_layers_stand_side_by_side_in_each_frame() {
        let (z, outputs) = ([1.0, 2.0, 3.0, 4.0], [vec![5.0, 6.0], vec![7.0, 8.0]]);
        let layer: AudioLayer = "c+z+c:1".parse().unwrap();
        assert_eq!(layer.pick(&z, 2, &outputs), [7.0, 1.0, 2.0, 5.0, 8.0, 3.0, 4.0, 6.0]);
        assert!(layer.pick(&[], 2, &[vec![], vec![]]).is_empty());
    }
}
