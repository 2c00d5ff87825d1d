//! The outputs of a model that can be used as features.

use crate::error::{Error, Result};
use crate::options::each_once;
use crate::signal::Sizes;
use std::fmt;
use std::str::FromStr;

/// An output of a model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Layer {
    /// z: the encoder's output, computed from the samples around each frame.
    Z,
    /// c: the context network's output, computed from all frames up to and including each.
    C,
    /// `c:N`: the N-th layer of a deep context network, counted from 1.
    Context(usize),
    /// `c+z`: several of them, concatenated in each frame.
    Concatenated(Vec<Layer>),
}

impl Layer {
    /// The dimension of its features, D or H.
    ///
    /// # Errors
    /// A usage error if the context network has fewer layers.
    pub fn dim(&self, model: &Sizes) -> Result<usize> {
        match self {
            Layer::Z => Ok(model.encoder.hidden_dim),
            Layer::Concatenated(layers) => layers.iter().map(|layer| layer.dim(model)).sum(),
            Layer::Context(n) if *n == 0 || *n > model.context.num_layers => Err(Error::usage(
                format!("--layer {self}: the context network has {} layers", model.context.num_layers),
                "choose z, c (the last), or c:1 and so on for the layers below it",
            )),
            Layer::C | Layer::Context(_) => Ok(model.context.hidden_dim),
        }
    }

    /// Whether it needs the context network.
    pub fn is_context(&self) -> bool {
        match self {
            Layer::Z => false,
            Layer::C | Layer::Context(_) => true,
            Layer::Concatenated(layers) => layers.iter().any(Layer::is_context),
        }
    }

    /// Its features, given z and the outputs of the context network's layers, all (T, dimension) row after row.
    pub(super) fn pick(&self, z: &[f32], latent: usize, outputs: &[Vec<f32>]) -> Vec<f32> {
        let frames = z.len() / latent.max(1);
        match self {
            Layer::Z => z.to_vec(),
            Layer::C => outputs.last().cloned().unwrap_or_default(),
            Layer::Context(n) => outputs.get(n - 1).cloned().unwrap_or_default(),
            Layer::Concatenated(layers) => {
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

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Z => f.write_str("z"),
            Layer::C => f.write_str("c"),
            Layer::Context(n) => write!(f, "c:{n}"),
            Layer::Concatenated(layers) => {
                layers.iter().enumerate().try_for_each(|(i, l)| write!(f, "{}{l}", if i > 0 { "+" } else { "" }))
            }
        }
    }
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        if s.contains('+') {
            let parts: Vec<Layer> = s.split('+').map(str::parse).collect::<std::result::Result<_, String>>()?;
            return match (1..parts.len()).find(|&i| parts[..i].contains(&parts[i])) {
                Some(i) => Err(format!("`{s}` names {} twice", parts[i])),
                None => Ok(Layer::Concatenated(parts)),
            };
        }
        match (s, s.strip_prefix("c:").map(str::parse)) {
            ("z", _) => Ok(Layer::Z),
            ("c", _) => Ok(Layer::C),
            (_, Some(Ok(n))) if n > 0 => Ok(Layer::Context(n)),
            _ => Err(format!("`{s}` is none of z, c, c:1, c:2, ..., or several of them such as c+z")),
        }
    }
}

/// Layers by their names; the default layer c if none is named.
///
/// # Errors
/// A usage error that names what is no layer, or is named twice.
pub fn layers(names: &[String]) -> Result<Vec<Layer>> {
    if names.is_empty() {
        return Ok(vec![Layer::C]);
    }
    let parse = |name: &String| {
        name.parse().map_err(|what: String| {
            Error::usage(format!("--layer: {what}"), "choose c, z, or c:N of a deep context network")
        })
    };
    each_once(names.iter().map(parse).collect::<Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_what_is_none_is_named() {
        for name in ["z", "c", "c:2", "c+z", "c:1+c:2+z"] {
            assert_eq!(name.parse::<Layer>().unwrap().to_string(), name);
        }
        for (name, word) in [("q", "none of"), ("c:0", "none of"), ("c+", "none of"), ("c+z+c", "c twice")] {
            assert!(name.parse::<Layer>().unwrap_err().contains(word), "{name}");
        }
        assert!(!Layer::Z.is_context() && "z+c".parse::<Layer>().unwrap().is_context());
    }

    #[test]
    fn concatenated_layers_stand_side_by_side_in_each_frame() {
        let (z, outputs) = ([1.0, 2.0, 3.0, 4.0], [vec![5.0, 6.0], vec![7.0, 8.0]]);
        let layer: Layer = "c+z+c:1".parse().unwrap();
        assert_eq!(layer.pick(&z, 2, &outputs), [7.0, 1.0, 2.0, 5.0, 8.0, 3.0, 4.0, 6.0]);
        assert!(layer.pick(&[], 2, &[vec![], vec![]]).is_empty());
    }
}
