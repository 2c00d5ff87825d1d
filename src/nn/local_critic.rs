//! Critics for local features and Y (Hjelm et al. 2019, section 3.3 and appendix A.2).

use crate::config::LocalCriticKind;
use crate::error::Result;
use crate::nn::critic::{Critic, CriticKind, CriticSize};
use crate::nn::linear::Linear;
use crate::ops::layer_norm::layer_norm;
use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

/// Sizes of the networks on concatenated inputs: 512, 512, 1.
pub(crate) const CONCAT: CriticSize = CriticSize { hidden_dim: 512, layers: 2, embedding_dim: 0 };

/// Scores how well the features of a location go with Y.
#[derive(Debug, Clone)]
pub struct LocalCritic(Form);

#[derive(Debug, Clone)]
enum Form {
    /// Both are mapped to one space; the score is the inner product there.
    Dot {
        places: Block,
        y: Block,
    },
    Concat(Critic),
}

impl LocalCritic {
    /// A critic for features (`features`) and Y (`latent`); `dim` is the dimension that `dot` maps to.
    ///
    /// # Errors
    /// If the parameters have other shapes.
    pub fn new(kind: LocalCriticKind, [features, latent]: [usize; 2], dim: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(LocalCritic(match kind {
            LocalCriticKind::Dot => Form::Dot {
                places: Block::new(features, dim, true, &vb.pp("places"))?,
                y: Block::new(latent, dim, false, &vb.pp("y"))?,
            },
            LocalCriticKind::Concat => Form::Concat(Critic::new(CriticKind::Joint, [features, latent], CONCAT, vb)?),
        }))
    }

    /// The score of each location of each image with each Y (B, B * P): row i is for Y_i, and its columns are the locations of image 0, then
    /// those of image 1, and so on. `local` is (B, P, C), `y` is (B, D).
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn scores(&self, local: &Tensor, y: &Tensor) -> Result<Tensor> {
        let (batch, places, features) = local.dims3()?;
        let local = local.reshape((batch * places, features))?;
        match &self.0 {
            Form::Dot { places, y: of_y } => Ok(of_y.forward(y)?.matmul(&places.forward(&local)?.t()?)?),
            Form::Concat(critic) => critic.all_pairs(&local, y),
        }
    }
}

/// Two layers with ReLU in between, plus a shortcut; for locations, followed by layer norm.
///
/// The matrix of the shortcut is the (rectangular) identity plus a learned matrix, which starts small (the authors' code puts both into one
/// matrix).
#[derive(Debug, Clone)]
struct Block {
    first: Linear,
    second: Linear,
    shortcut: Tensor, // (dim, inputs)
    norm: Option<(Tensor, Tensor)>,
}

impl Block {
    fn new(inputs: usize, dim: usize, norm: bool, vb: &VarBuilder) -> Result<Self> {
        let norm = norm.then(|| -> Result<_> {
            let vb = vb.pp("norm");
            let gain = vb.get_with_hints(dim, "weight", Init::Const(1.0))?;
            Ok((gain, vb.get_with_hints(dim, "bias", Init::Const(0.0))?))
        });
        Ok(Block {
            first: Linear::new(inputs, dim, inputs, &vb.pp("0"))?,
            second: Linear::new(dim, dim, dim, &vb.pp("1"))?,
            shortcut: vb.pp("shortcut").get_with_hints(
                (dim, inputs),
                "weight",
                Init::Uniform { lo: -0.01, up: 0.01 },
            )?,
            norm: norm.transpose()?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (dim, inputs) = self.shortcut.dims2()?;
        let eye: Vec<f32> = (0..dim * inputs).map(|i| if i / inputs == i % inputs { 1.0 } else { 0.0 }).collect();
        let eye = Tensor::from_vec(eye, (dim, inputs), x.device())?.to_dtype(x.dtype())?;
        let out = self.second.forward_onto(&self.first.forward_relu(x)?, x, &(&self.shortcut + eye)?)?;
        match &self.norm {
            Some((gain, shift)) => layer_norm(&out, gain, shift),
            None => Ok(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ParamStore;
    use crate::ops::check::{finite_differences, random};
    use candle_core::{DType, Device};
    use std::collections::HashMap;

    #[test]
    fn every_parameter_and_input_has_the_slope_that_differences_show() {
        let store = ParamStore::new(3, &Device::Cpu);
        LocalCritic::new(LocalCriticKind::Dot, [3, 2], 5, &store.builder()).unwrap();
        let named: Vec<(String, Tensor)> =
            store.trainable().into_iter().map(|(n, v)| (n, v.as_tensor().to_dtype(DType::F64).unwrap())).collect();
        let mut inputs = vec![random(&[4, 3, 3], 1), random(&[4, 2], 2)];
        inputs.extend(named.iter().map(|(_, t)| t.clone()));
        finite_differences(
            |t| {
                let tensors: HashMap<String, Tensor> =
                    named.iter().zip(&t[2..]).map(|((name, _), t)| (name.clone(), t.clone())).collect();
                let vb = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
                LocalCritic::new(LocalCriticKind::Dot, [3, 2], 5, &vb)?.scores(&t[0], &t[1])
            },
            &inputs,
        );
    }

    #[test]
    fn a_place_scores_the_same_alone_and_among_others() {
        let single = |t: Tensor| t.to_dtype(DType::F32).unwrap();
        let (local, y) = (single(random(&[4, 3, 6], 1)), single(random(&[4, 2], 2)));
        for kind in [LocalCriticKind::Dot, LocalCriticKind::Concat] {
            let store = ParamStore::new(1, &Device::Cpu);
            let critic = LocalCritic::new(kind, [6, 2], 8, &store.builder()).unwrap();
            let all = critic.scores(&local, &y).unwrap();
            assert_eq!(all.dims(), [4, 12]);
            let place = local.narrow(0, 2, 1).unwrap().narrow(1, 1, 1).unwrap();
            let one = critic.scores(&place, &y.narrow(0, 3, 1).unwrap()).unwrap();
            let (one, among) = (one.to_vec2::<f32>().unwrap()[0][0], all.to_vec2::<f32>().unwrap()[3][2 * 3 + 1]);
            assert!((one - among).abs() < 1e-4, "{kind:?}: {one} {among}");
        }
    }
}
