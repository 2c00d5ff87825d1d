//! Deep InfoMax (Hjelm et al. 2019): an encoder whose output Y is trained to carry information about its input image.
//!
//! ```text
//! image (B, H, W, C) -> convolutions -> locations (B, M * M, C') -> fully connected -> Y (B, D)
//! alpha * I(all locations; Y)  +  beta / M^2 * sum over locations I(location; Y)  -  gamma * divergence(sigmoid Y, uniform)   (equation 8)
//! ```
//!
//! The negatives of an image are the locations of all other images of the batch. The divergence from the prior is estimated by a
//! discriminator that is trained against the encoder. The discriminator minimizes its own loss on Y without a graph. The encoder minimizes
//! the opposite, through a twin of the discriminator whose weights are constants. One backward pass of the sum gives each its own gradient.

use crate::config::{ImageEncoderConfig, ImageSize};
use crate::error::Result;
use crate::kinds::dim::{DimEstimator, DimObjectiveConfig};
use crate::model::{Descent, OfImages, Sum};
use crate::nn::{Critic, CriticKind, CriticSize, ImageEncoder, Linear, LocalCritic, Mlp, Phase, Views};
use crate::objective::{Bound, Surrogate, grouped_loss, groups_of, rows_of, rows_of_groups};
use crate::ops::contrast::soft_plus;
use crate::ops::hits;
use crate::seed::Stream;
use candle_core::{D, DType, Tensor};
use candle_nn::VarBuilder;

/// Units of the global critic: 512, 512, 1.
const GLOBAL: CriticSize = CriticSize { hidden_dim: 512, layers: 2, embedding_dim: 0 };

/// Units of the hidden layers of the prior's discriminator.
const PRIOR: [usize; 2] = [1000, 200];

impl DimEstimator {
    fn bound(self) -> Bound {
        match self {
            DimEstimator::Dv => Bound::Dv,
            DimEstimator::Jsd => Bound::Js,
            DimEstimator::Infonce => Bound::InfoNce,
        }
    }
}

/// The encoder, along with the networks that it is trained with.
#[derive(Debug, Clone)]
pub struct Dim {
    encoder: ImageEncoder,
    local: Option<LocalCritic>,
    global: Option<Critic>,
    prior: Option<Prior>,
    classifier: Option<Linear>,
    cfg: DimObjectiveConfig,
}

/// The prior's discriminator, and its twin whose weights are constants.
#[derive(Debug, Clone)]
struct Prior {
    learning: Mlp,
    fixed: Mlp,
}

impl Dim {
    /// A model for images of a given size with `classes` labels, with parameters from `vb`. `frozen` holds the same parameters without a
    /// graph.
    ///
    /// Names: `encoder`, `local`, `global`, `prior` and `classifier`; only those that the weights of the objective require.
    ///
    /// # Errors
    /// No encoder exists for this size.
    pub fn new(
        encoder: &ImageEncoderConfig,
        objective: &DimObjectiveConfig,
        size: ImageSize,
        classes: usize,
        vb: &VarBuilder,
        frozen: &VarBuilder,
    ) -> Result<Self> {
        let latent = encoder.latent_dim;
        let encoder = ImageEncoder::new(encoder, size, &vb.pp("encoder"))?;
        let [places, features] = encoder.local();
        let local = (objective.beta > 0.0).then(|| {
            LocalCritic::new(objective.local_critic, [features, latent], objective.critic_dim, &vb.pp("local"))
        });
        let global = (objective.alpha > 0.0)
            .then(|| Critic::new(CriticKind::Joint, [places * features, latent], GLOBAL, &vb.pp("global")));
        let discriminator = |vb: &VarBuilder| Mlp::new(&[latent, PRIOR[0], PRIOR[1], 1], &vb.pp("prior"));
        let prior = (objective.gamma > 0.0)
            .then(|| -> Result<_> { Ok(Prior { learning: discriminator(vb)?, fixed: discriminator(frozen)? }) });
        let classifier =
            (objective.labels > 0.0).then(|| Linear::new(latent, classes.max(1), latent, &vb.pp("classifier")));
        Ok(Dim {
            encoder,
            local: local.transpose()?,
            global: global.transpose()?,
            prior: prior.transpose()?,
            classifier: classifier.transpose()?,
            cfg: objective.clone(),
        })
    }

    /// The encoder's outputs for images (B, H, W, C).
    ///
    /// # Errors
    /// The images have a different size.
    pub fn views(&self, images: &Tensor, phase: Phase) -> Result<Views> {
        self.encoder.forward(images, phase)
    }

    /// The most likely label (B) of each of the images (B, H, W, C). `None` if the model was not trained with labels.
    ///
    /// # Errors
    /// The images have a different size.
    pub fn labels(&self, images: &Tensor) -> Result<Option<Tensor>> {
        let Some(classifier) = &self.classifier else { return Ok(None) };
        let y = self.views(images, Phase::Eval)?.y;
        Ok(Some(classifier.forward(&y)?.argmax(D::Minus1)?))
    }
}

impl OfImages for Dim {
    /// Labels are used only if their weight is above 0. `stream` is used to draw from the prior.
    fn descent(&self, images: &Tensor, labels: &Tensor, phase: Phase, stream: &mut Stream) -> Result<Descent> {
        let views = self.encoder.forward(images, phase)?;
        let mut sum = Sum::default();
        let bound = self.cfg.estimator.bound();
        if let Some(critic) = &self.local {
            let (joint, others) = groups_of(&critic.scores(&views.local, &views.y)?)?;
            sum.add(self.cfg.beta, "local_loss", &grouped_loss(bound, &joint, &others)?)?;
            if phase == Phase::Eval {
                sum.report("local_bound", bound.estimate(&rows_of_groups(&joint, &others)?, None)?, images)?;
            }
        }
        if let Some(critic) = &self.global {
            let rows = rows_of(&critic.all_pairs(&views.local.flatten_from(1)?, &views.y)?)?;
            sum.add(self.cfg.alpha, "global_loss", &Surrogate::new(bound).loss(&rows, None)?)?;
            if phase == Phase::Eval {
                sum.report("global_bound", bound.estimate(&rows, None)?, images)?;
            }
        }
        if let Some(classifier) = &self.classifier {
            let scores = classifier.forward(&views.y)?;
            sum.add(self.cfg.labels, "labels_loss", &candle_nn::loss::cross_entropy(&scores, labels)?)?;
            let truth = scores.gather(&labels.to_dtype(DType::U32)?.unsqueeze(1)?, 1)?;
            let right = hits::composed(&scores.detach(), &truth.detach(), None)?;
            sum.figures.push(("labels_accuracy", right.mean_all()?.detach()));
        }
        // The loss that is reported and compared excludes the prior's: an adversary's success carries no information about the encoder.
        let loss = sum.objective()?;
        sum.figures.insert(0, ("loss", loss.detach()));
        if let Some(prior) = &self.prior {
            let (encoder, adversary) = prior.losses(&views.y, self.cfg.gradient_penalty, stream)?;
            sum.add(self.cfg.gamma, "prior_loss", &encoder)?;
            sum.add(1.0, "adversary_loss", &adversary)?;
        }
        Ok(Descent { objective: sum.objective()?, figures: sum.figures, z: views.y.detach() })
    }
}

impl Prior {
    /// The loss of the encoder and the loss of the discriminator on Y (B, D).
    fn losses(&self, y: &Tensor, penalty: f64, stream: &mut Stream) -> Result<(Tensor, Tensor)> {
        let made = sigmoid(y)?;
        let drawn: Vec<f32> = (0..made.elem_count()).map(|_| stream.unit()).collect();
        let drawn = Tensor::from_vec(drawn, made.shape(), made.device())?.to_dtype(made.dtype())?;
        let encoder = soft_plus(&self.fixed.forward(&made)?.neg()?)?.mean_all()?;
        let made = made.detach();
        let told = soft_plus(&self.learning.forward(&drawn)?.neg()?)?.mean_all()?;
        let fooled = soft_plus(&self.learning.forward(&made)?)?.mean_all()?;
        let mut adversary = (told + fooled)?;
        if penalty > 0.0 {
            let steep = self.learning.slope(&Tensor::cat(&[&drawn, &made], 0)?)?;
            adversary = (adversary + (steep.sqr()?.sum(D::Minus1)?.mean_all()? * penalty)?)?;
        }
        Ok((encoder, adversary))
    }
}

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(((x / 2.0)?.tanh()? * 0.5)?.affine(1.0, 0.5)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LocalCriticKind;
    use crate::kinds::dim::DimConfig;
    use crate::model::slope::slope;
    use crate::nn::ParamStore;
    use crate::ops::check::random;
    use crate::seed::stream;
    use candle_core::Device;

    const SIZE: ImageSize = ImageSize { height: 28, width: 28, channels: 1 };

    fn model(objective: &DimObjectiveConfig, size: ImageSize) -> (ParamStore, Dim) {
        let store = ParamStore::new(3, &Device::Cpu);
        let cfg = ImageEncoderConfig { fc_dim: 20, latent_dim: 6, ..ImageEncoderConfig::default() };
        let dim = Dim::new(&cfg, objective, size, 4, &store.builder(), &store.frozen()).unwrap();
        (store, dim)
    }

    fn batch(size: ImageSize) -> (Tensor, Tensor) {
        let images = random(&[5, size.height, size.width, size.channels], 1).to_dtype(DType::F32).unwrap();
        (images, Tensor::new(&[0u32, 1, 2, 3, 0], &Device::Cpu).unwrap())
    }

    #[test]
    fn every_parameter_is_trained_by_its_slope() {
        let both =
            DimObjectiveConfig { alpha: 0.5, beta: 0.7, gamma: 0.0, labels: 0.3, critic_dim: 32, ..Default::default() };
        for size in [SIZE, ImageSize { height: 32, width: 32, channels: 3 }] {
            for estimator in [DimEstimator::Jsd, DimEstimator::Infonce, DimEstimator::Dv] {
                for local_critic in [LocalCriticKind::Dot, LocalCriticKind::Concat] {
                    let objective = DimObjectiveConfig { estimator, local_critic, ..both.clone() };
                    let (store, dim) = model(&objective, size);
                    let (images, labels) = batch(size);
                    let loss = || {
                        let descent = dim.descent(&images, &labels, Phase::Train, &mut stream(1, "prior", 0)).unwrap();
                        (descent.objective, None)
                    };
                    // Before batch norm a bias has no effect, and a constant added to all scores has no effect on these bounds.
                    let normed = |name: &str| {
                        size.channels == 3 && (name.contains("conv") || name.contains("fc.")) && name.ends_with("bias")
                    };
                    let constant = |name: &str| estimator != DimEstimator::Jsd && name.ends_with("rest.1.bias");
                    let idle = |name: &str| normed(name) || constant(name);
                    slope(&store.trainable(), loss, idle, &format!("{estimator:?} {local_critic:?} {size}"));
                }
            }
        }
    }

    #[test]
    fn encoder_and_discriminator_are_trained_against_each_other() {
        let objective = DimObjectiveConfig { beta: 0.0, labels: 1e-9, gamma: 1.0, ..Default::default() };
        let (store, dim) = model(&objective, SIZE);
        let (images, labels) = batch(SIZE);
        let descent = |phase| dim.descent(&images, &labels, phase, &mut stream(1, "prior", 0)).unwrap();
        let grads = descent(Phase::Train).objective.backward().unwrap();
        let figure = |name: &str| {
            let figures = descent(Phase::Eval).figures;
            let found = figures.iter().find(|(n, _)| *n == name).unwrap();
            f64::from(found.1.to_scalar::<f32>().unwrap())
        };
        let before = [figure("prior_loss"), figure("adversary_loss")];
        let step = |part: &str, by: f64| {
            for (name, var) in store.trainable().iter().filter(|(name, _)| name.starts_with(part)) {
                let grad = grads.get(var).unwrap_or_else(|| panic!("{name} has no gradient")).detach();
                var.set(&(var.as_tensor().detach() - (grad * by).unwrap()).unwrap()).unwrap();
            }
        };
        // A step that improves the discriminator's loss worsens the encoder's.
        step("prior", 0.01);
        assert!(figure("adversary_loss") < before[1] && figure("prior_loss") > before[0]);
        step("prior", -0.01);
        step("encoder", 0.01);
        assert!(figure("prior_loss") < before[0] && figure("adversary_loss") > before[1]);
    }

    #[test]
    fn only_what_has_weight_has_parameters() {
        let names = |objective: DimObjectiveConfig| {
            let parts = model(&objective, SIZE).0.trainable().into_iter().map(|(name, _)| name);
            let mut parts: Vec<String> = parts.map(|name| name.split('.').next().unwrap().to_string()).collect();
            parts.dedup();
            parts.join(" ")
        };
        assert_eq!(names(DimConfig::default().objective), "encoder local prior");
        let global = DimObjectiveConfig { alpha: 1.0, beta: 0.0, gamma: 0.0, labels: 1.0, ..Default::default() };
        assert_eq!(names(global), "classifier encoder global");
    }
}
