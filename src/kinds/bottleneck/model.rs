//! The information bottleneck: a code Z of images that carries information about their labels, and little else.
//!
//! ```text
//! image X -> fully connected -> Z (B, K), with noise -> linear -> scores of labels Y
//! H(Y|Z) + beta I(X;Z)
//! ```
//!
//! I(X;Z) is estimated by the divergence of q(Z|X) from a standard normal, an upper bound (Alemi et al. 2017, "Deep variational information
//! bottleneck", equation 17), or by MINE, a lower bound (Belghazi et al. 2018, section 5.3). With MINE, the estimator *maximizes* its bound
//! on codes without a graph. The encoder *minimizes* the same bound, computed by a twin of the estimator whose weights are constants. One
//! backward pass of the sum gives each its own gradient.

use crate::error::Result;
use crate::kinds::bottleneck::{BottleneckEncoderConfig, BottleneckObjectiveConfig, Information};
use crate::model::{Descent, Estimator, OfImages, Sum, rolled};
use crate::nn::{Linear, Mlp, Phase};
use crate::objective::{Bound, Surrogate};
use crate::ops::contrast::soft_plus;
use crate::seed::Stream;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;

/// Subtracted from the encoder's outputs before softplus turns them into deviations, so that codes initially have almost no noise (the
/// authors' code).
const SHARP: f64 = 5.0;

/// Encoder, decoder and, with MINE, the estimator.
#[derive(Debug, Clone)]
pub struct Bottleneck {
    encoder: Mlp,
    decoder: Linear,
    estimator: Option<Estimator>,
    cfg: BottleneckObjectiveConfig,
    code: usize,
}

impl Bottleneck {
    /// A model for images of `numbers` pixel values with `classes` labels, with parameters from `vb`. `frozen` holds the same parameters
    /// without a graph.
    ///
    /// Names: `encoder`, `decoder`, `estimator`.
    ///
    /// # Errors
    /// The parameters have different shapes.
    pub fn new(
        encoder: &BottleneckEncoderConfig,
        objective: &BottleneckObjectiveConfig,
        numbers: usize,
        classes: usize,
        vb: &VarBuilder,
        frozen: &VarBuilder,
    ) -> Result<Self> {
        let code = encoder.code_dim;
        let gaussian = matches!(objective.information, Information::Vib | Information::MineGaussian);
        let out = if gaussian { 2 * code } else { code };
        let widths: Vec<usize> =
            std::iter::once(numbers).chain(encoder.hidden_dims.iter().copied()).chain([out]).collect();
        let estimator = objective.information.by_mine().then(|| {
            let size = (objective.critic_dim, 2);
            Estimator::new([numbers, code], size, &vb.pp("estimator"), &frozen.pp("estimator"))
        });
        Ok(Bottleneck {
            encoder: Mlp::new(&widths, &vb.pp("encoder"))?,
            decoder: Linear::new(code, classes, code, &vb.pp("decoder"))?,
            estimator: estimator.transpose()?,
            cfg: objective.clone(),
            code,
        })
    }

    /// A code (B, K) of pixels (B, P) from -1 to 1. If it was drawn from a normal distribution, also the mean and deviation of that
    /// distribution.
    fn code(&self, pixels: &Tensor, stream: &mut Stream) -> Result<(Tensor, Option<[Tensor; 2]>)> {
        let noise = |like: &Tensor| -> Result<Tensor> {
            let drawn: Vec<f32> = (0..like.elem_count()).map(|_| stream.normal()).collect();
            Ok(Tensor::from_vec(drawn, like.shape(), &Device::Cpu)?.to_device(like.device())?.to_dtype(like.dtype())?)
        };
        let mut noise = noise;
        match self.cfg.information {
            Information::Vib | Information::MineGaussian => {
                let out = self.encoder.forward(pixels)?;
                let mean = out.narrow(1, 0, self.code)?;
                let deviation = soft_plus(&(out.narrow(1, self.code, self.code)? - SHARP)?)?;
                let code = (&mean + (&deviation * noise(&mean)?)?)?;
                Ok((code, Some([mean, deviation])))
            }
            Information::MineAdditive => {
                let mean = self.encoder.forward(pixels)?;
                Ok(((&mean + noise(&mean)?)?, None))
            }
            Information::MinePropagated => {
                let noisy = (pixels + (noise(pixels)? * self.cfg.noise)?)?;
                Ok((self.encoder.forward(&noisy)?, None))
            }
        }
    }

    /// The logarithm of the mean probability of each label (B, L). The mean is taken over the codes of an image.
    fn averaged(&self, pixels: &Tensor, stream: &mut Stream) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for _ in 0..self.cfg.samples {
            let scores = self.decoder.forward(&self.code(pixels, stream)?.0)?;
            let chances = candle_nn::ops::softmax(&scores, D::Minus1)?;
            sum = Some(match sum {
                Some(sum) => (sum + chances)?,
                None => chances,
            });
        }
        let sum = sum.map_or_else(|| pixels.zeros_like(), Ok)?;
        Ok((sum / self.cfg.samples as f64)?.log()?)
    }

    /// The number of images (B, H, W, C) with labels (B) that are misclassified, by the mean over codes.
    ///
    /// # Errors
    /// The images have a different size.
    pub fn errors(&self, images: &Tensor, labels: &Tensor, stream: &mut Stream) -> Result<usize> {
        let said = self.averaged(&pixels(images)?, stream)?.argmax(D::Minus1)?;
        let wrong = said.ne(&labels.to_dtype(DType::U32)?)?.to_dtype(DType::F32)?.sum_all()?;
        Ok(wrong.to_scalar::<f32>()? as usize)
    }
}

/// Pixels (B, P) from -1 to 1 of images (B, H, W, C) from 0 to 1.
fn pixels(images: &Tensor) -> Result<Tensor> {
    Ok(images.flatten_from(1)?.affine(2.0, -1.0)?)
}

impl OfImages for Bottleneck {
    fn descent(&self, images: &Tensor, labels: &Tensor, phase: Phase, stream: &mut Stream) -> Result<Descent> {
        let pixels = pixels(images)?;
        let (code, normal) = self.code(&pixels, stream)?;
        let mut sum = Sum::default();
        let cross_entropy = candle_nn::loss::cross_entropy(&self.decoder.forward(&code)?, labels)?;
        sum.add(1.0, "cross_entropy", &cross_entropy)?;
        let information = match (&self.estimator, normal) {
            (None, Some([mean, deviation])) => divergence(&mean, &deviation)?,
            (Some(estimator), _) => {
                let others = rolled(&pixels, stream)?;
                let twin = estimator.fixed(&[&pixels, &others], [&code, &code])?;
                if phase == Phase::Train {
                    let made = code.detach();
                    let rows = estimator.learning(&[&pixels, &others], [&made, &made])?;
                    sum.add(1.0, "estimator_loss", &estimator.learn(&rows, self.cfg.rate)?)?;
                }
                // The encoder minimizes, and the metrics report, the Donsker-Varadhan bound itself.
                Surrogate::new(Bound::Dv).loss(&twin, None)?.neg()?
            }
            (None, None) => cross_entropy.zeros_like()?,
        };
        sum.add(self.cfg.beta, "information_x_z", &information)?;
        let loss = (cross_entropy.detach() + (information.detach() * self.cfg.beta)?)?;
        sum.figures.insert(0, ("loss", loss));
        if phase == Phase::Eval {
            let wrong = self.errors(images, labels, stream)?;
            sum.report("error", wrong as f64 / images.dim(0)? as f64, images)?;
        }
        // I(Z;Y) is at least the entropy of the labels minus the cross-entropy of classifying them.
        let labels = labels.to_vec1::<u32>()?;
        sum.report("entropy_y", entropy(&labels), images)?;
        let told = entropy(&labels) - f64::from(cross_entropy.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        sum.report("information_z_y", told, images)?;
        Ok(Descent { objective: sum.objective()?, figures: sum.figures, z: code.detach() })
    }
}

/// KL(N(mean, deviation^2) | N(0, 1)), summed over the dimensions of a code (B, K) and averaged over codes.
fn divergence(mean: &Tensor, deviation: &Tensor) -> Result<Tensor> {
    let variance = deviation.sqr()?;
    let inside = ((mean.sqr()? + &variance)? - (variance.log()? + 1.0)?)?;
    Ok((inside.sum(D::Minus1)?.mean_all()? * 0.5)?)
}

/// The entropy of labels, in nats.
fn entropy(labels: &[u32]) -> f64 {
    let most = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut counts = vec![0.0; most];
    labels.iter().for_each(|&label| counts[label as usize] += 1.0 / labels.len() as f64);
    counts.iter().filter(|&&p| p > 0.0).map(|p: &f64| -p * p.ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::slope::slope;
    use crate::nn::ParamStore;
    use crate::ops::check::random;
    use crate::seed::stream;

    const ALL: [Information; 4] =
        [Information::Vib, Information::MineGaussian, Information::MineAdditive, Information::MinePropagated];

    fn model(information: Information, beta: f64) -> (ParamStore, Bottleneck) {
        let store = ParamStore::new(3, &Device::Cpu);
        let encoder = BottleneckEncoderConfig { hidden_dims: vec![9, 7], code_dim: 4 };
        let objective =
            BottleneckObjectiveConfig { information, beta, critic_dim: 8, samples: 3, ..Default::default() };
        let made = Bottleneck::new(&encoder, &objective, 12, 3, &store.builder(), &store.frozen()).unwrap();
        (store, made)
    }

    fn batch() -> (Tensor, Tensor) {
        let images = random(&[6, 3, 4, 1], 1).to_dtype(DType::F32).unwrap();
        (images, Tensor::new(&[0u32, 1, 2, 2, 1, 0], &Device::Cpu).unwrap())
    }

    #[test]
    fn encoder_and_decoder_follow_the_slope_of_what_is_told() {
        for information in ALL {
            let (store, made) = model(information, 0.5);
            let (images, labels) = batch();
            let parts: Vec<_> =
                store.trainable().into_iter().filter(|(name, _)| !name.starts_with("estimator")).collect();
            let loss = || {
                let descent = made.descent(&images, &labels, Phase::Eval, &mut stream(1, "code", 0)).unwrap();
                (descent.objective, None)
            };
            slope(&parts, loss, |_| false, &format!("{information:?}"));
        }
    }

    #[test]
    fn the_estimator_ascends_what_the_encoder_descends() {
        for information in [Information::MineGaussian, Information::MineAdditive, Information::MinePropagated] {
            let (store, made) = model(information, 1.0);
            let (images, labels) = batch();
            let told = |name: &str| {
                let descent = made.descent(&images, &labels, Phase::Eval, &mut stream(1, "code", 0)).unwrap();
                let found = descent.figures.iter().find(|(n, _)| *n == name).unwrap().1.clone();
                f64::from(found.to_scalar::<f32>().unwrap())
            };
            let before = told("information_x_z");
            let descent = made.descent(&images, &labels, Phase::Train, &mut stream(1, "code", 0)).unwrap();
            let grads = descent.objective.backward().unwrap();
            let step = |part: &str, by: f64| {
                for (name, var) in store.trainable().iter().filter(|(name, _)| name.starts_with(part)) {
                    let grad = grads.get(var).unwrap_or_else(|| panic!("{name} has no gradient")).detach();
                    var.set(&(var.as_tensor().detach() - (grad * by).unwrap()).unwrap()).unwrap();
                }
            };
            step("estimator", 0.05);
            assert!(told("information_x_z") > before, "{information:?}: the estimator");
            step("estimator", -0.05);
            assert!((told("information_x_z") - before).abs() < 1e-5);
        }
        // If the objective consists almost entirely of the information, a step of the encoder reduces it.
        let (store, made) = model(Information::MineAdditive, 1e4);
        let (images, labels) = batch();
        let at = || made.descent(&images, &labels, Phase::Eval, &mut stream(1, "code", 0)).unwrap();
        let value = |d: &Descent| d.figures.iter().find(|f| f.0 == "information_x_z").unwrap().1.to_scalar::<f32>();
        let (before, grads) = (value(&at()).unwrap(), at().objective.backward().unwrap());
        for (_, var) in store.trainable().iter().filter(|(name, _)| name.starts_with("encoder")) {
            let grad = (grads.get(var).unwrap().detach() * 1e-5).unwrap();
            var.set(&(var.as_tensor().detach() - grad).unwrap()).unwrap();
        }
        assert!(value(&at()).unwrap() < before);
    }

    #[test]
    fn the_running_mean_is_kept_where_checkpoints_find_it() {
        let (store, made) = model(Information::MineAdditive, 1.0);
        let (images, labels) = batch();
        let state = || store.tensors()["estimator.running_mean"].to_vec1::<f32>().unwrap();
        assert_eq!(state(), [0.0, 0.0]);
        made.descent(&images, &labels, Phase::Train, &mut stream(1, "code", 0)).unwrap();
        let first = state();
        assert!(first[1] == 1.0 && first[0].is_finite());
        made.descent(&images, &labels, Phase::Train, &mut stream(1, "code", 1)).unwrap();
        assert_ne!(state()[0], first[0]);
        assert!(store.trainable().iter().all(|(name, _)| !name.contains("running")));
    }

    #[test]
    fn the_divergence_is_that_of_the_densities() {
        let [means, deviations] = [[0.7f64, -1.2, 0.0], [0.4, 1.5, 1.0]];
        let row = |numbers: &[f64]| Tensor::new(numbers, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let got = divergence(&row(&means), &row(&deviations)).unwrap().to_scalar::<f64>().unwrap();
        let normal = |x: f64, m: f64, s: f64| (-0.5 * ((x - m) / s).powi(2)).exp() / (s * std::f64::consts::TAU.sqrt());
        let (step, mut want) = (1e-3, 0.0);
        for (&m, &s) in means.iter().zip(&deviations) {
            let points = (-20_000..20_000).map(|i| f64::from(i) * step).filter(|x| (x - m).abs() < 12.0 * s);
            want += points.map(|x| normal(x, m, s) * (normal(x, m, s) / normal(x, 0.0, 1.0)).ln() * step).sum::<f64>();
        }
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }

    #[test]
    fn labels_have_their_entropy() {
        assert!((entropy(&[0, 1, 2, 2, 1, 0]) - 3f64.ln()).abs() < 1e-12 && entropy(&[4, 4]) == 0.0);
    }
}
