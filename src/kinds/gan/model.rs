//! A generative adversarial network whose generator is rewarded for samples that carry information about their code (Belghazi et al. 2018,
//! section 5.1).
//!
//! ```text
//! e, c normal -> G([e, c]) -> samples (B, numbers)    D distinguishes them from the data, T estimates their information about c
//! G minimizes the adversarial loss - beta I(G([e, c]); c)
//! ```
//!
//! A collapsed generator produces the same samples for different codes. The information is then low, and G is rewarded for increasing it.
//! D and T are trained on samples without a graph; G is trained through twins of D and T whose weights are constants. The gradient of the
//! information can have any norm and could dominate the adversarial gradient. Its norm is therefore clipped to that of the adversarial
//! gradient (adaptive clipping, equation 18 of the paper).

use crate::error::Result;
use crate::kinds::gan::GanConfig;
use crate::model::{Descent, Estimator, Sum};
use crate::nn::{Discriminator, Generator, ParamStore, Phase, Samples};
use crate::objective::{Bound, Surrogate};
use crate::ops::contrast::soft_plus;
use crate::seed::Stream;
use candle_core::{DType, Tensor, Var};
use candle_nn::VarBuilder;

/// Generator, discriminator and estimator.
#[derive(Debug, Clone)]
pub struct MineGan {
    generator: Generator,
    discriminator: [Discriminator; 2], // the trained one and its twin
    estimator: Estimator,
    weights: Vec<(String, Var)>, // of the generator
    cfg: GanConfig,
    store: ParamStore,
}

impl MineGan {
    /// The networks that a configuration describes, with parameters from `store`.
    ///
    /// Names: `generator`, `discriminator`, `estimator`.
    ///
    /// # Errors
    /// The parameters have different shapes.
    pub fn new(cfg: &GanConfig, samples: Samples, store: &ParamStore) -> Result<Self> {
        let (g, o) = (&cfg.generator, &cfg.objective);
        let (vb, frozen) = (store.builder(), store.frozen());
        let generator = Generator::new(samples, g.noise_dim + g.code_dim, &g.hidden_dims, &vb.pp("generator"))?;
        let discriminator =
            |vb: &VarBuilder| Discriminator::new(samples, &o.discriminator_dims, &vb.pp("discriminator"));
        let discriminator = [discriminator(&vb)?, discriminator(&frozen)?];
        let size = (o.critic_dims[0], o.critic_dims.len());
        let estimator =
            Estimator::new([samples.numbers(), g.code_dim], size, &vb.pp("estimator"), &frozen.pp("estimator"))?;
        let weights = store.trainable().into_iter().filter(|(name, _)| name.starts_with("generator")).collect();
        Ok(MineGan { generator, discriminator, estimator, weights, cfg: cfg.clone(), store: store.clone() })
    }

    /// Codes (B, `code_dim`) and the samples (B, numbers) generated from them and from noise.
    fn make(&self, n: usize, phase: Phase, stream: &mut Stream) -> Result<(Tensor, Tensor)> {
        let device = self.store.device();
        let mut normal = |columns: usize| -> Result<Tensor> {
            let drawn: Vec<f32> = (0..n * columns).map(|_| stream.normal()).collect();
            Ok(Tensor::from_vec(drawn, (n, columns), device)?)
        };
        let (noise, code) = (normal(self.cfg.generator.noise_dim)?, normal(self.cfg.generator.code_dim)?);
        let samples = self.generator.forward(&Tensor::cat(&[&noise, &code], 1)?, phase)?;
        Ok((code, samples))
    }

    /// `n` samples (n, numbers), row-major.
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn samples(&self, n: usize, stream: &mut Stream) -> Result<Vec<f32>> {
        let made = self.make(n, Phase::Eval, stream)?.1;
        Ok(made.detach().to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?)
    }

    /// The objective of one training step of all three networks, on samples of the data (B, numbers).
    ///
    /// # Errors
    /// There are fewer than two samples.
    pub fn descent(&self, real: &Tensor, stream: &mut Stream) -> Result<Descent> {
        let (code, made) = self.make(real.dim(0)?, Phase::Train, stream)?;
        let [learning, fixed] = &self.discriminator;
        let mut sum = Sum::default();
        let told = soft_plus(&learning.forward(real)?.neg()?)?.mean_all()?;
        let fooled = soft_plus(&learning.forward(&made.detach())?)?.mean_all()?;
        sum.add(1.0, "discriminator_loss", &(told + fooled)?)?;
        let adversarial = soft_plus(&fixed.forward(&made)?.neg()?)?.mean_all()?;
        sum.figures.push(("generator_loss", adversarial.detach()));

        let others = crate::model::rolled(&code, stream)?;
        let rows = self.estimator.learning(&[&made.detach(), &made.detach()], [&code, &others])?;
        sum.add(1.0, "estimator_loss", &self.estimator.learn(&rows, self.cfg.objective.rate)?)?;
        let rows = self.estimator.fixed(&[&made, &made], [&code, &others])?;
        let loss = Surrogate::new(Bound::Dv).loss(&rows, None)?; // minus the information
        sum.figures.push(("information", loss.detach().neg()?));

        let own = self.gradients(&adversarial)?;
        let gradient = if self.cfg.objective.beta > 0.0 {
            let paid = self.gradients(&(loss * self.cfg.objective.beta)?)?;
            let clip = self.cfg.objective.adaptive_clipping;
            let factor = if clip { (length(&own)? / length(&paid)?.max(1e-12)).min(1.0) } else { 1.0 };
            let both = own.iter().zip(&paid).map(|(own, paid)| own + (paid * factor)?);
            both.collect::<candle_core::Result<Vec<_>>>()?
        } else {
            own
        };
        // The objective has this gradient with respect to the generator's weights; its value has no other meaning.
        let mut objective = sum.objective()?;
        for ((_, weight), gradient) in self.weights.iter().zip(gradient) {
            objective = (objective + (weight.as_tensor() * gradient)?.sum_all()?)?;
        }
        sum.figures.insert(0, ("loss", adversarial.detach()));
        Ok(Descent { objective, figures: sum.figures, z: made.detach() })
    }

    /// The gradients of a loss with respect to the generator's weights, detached.
    fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>> {
        let grads = loss.backward()?;
        let of = |(_, weight): &(String, Var)| -> Result<Tensor> {
            Ok(match grads.get(weight) {
                Some(gradient) => gradient.detach(),
                None => weight.as_tensor().zeros_like()?.detach(),
            })
        };
        self.weights.iter().map(of).collect()
    }
}

/// The global norm of the gradients.
fn length(gradients: &[Tensor]) -> Result<f64> {
    let mut squares = 0.0;
    for gradient in gradients {
        squares += f64::from(gradient.sqr()?.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?);
    }
    Ok(squares.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ImageSize;
    use crate::kinds::gan::{GanObjectiveConfig, GeneratorConfig, Toy};
    use crate::seed::stream;
    use candle_core::Device;

    fn game(objective: GanObjectiveConfig) -> (ParamStore, MineGan, Tensor) {
        game_of(Samples::Points(2), objective)
    }

    fn game_of(samples: Samples, objective: GanObjectiveConfig) -> (ParamStore, MineGan, Tensor) {
        let store = ParamStore::new(3, &Device::Cpu);
        let generator = GeneratorConfig { noise_dim: 2, code_dim: 2, hidden_dims: vec![8, 8] };
        let objective = GanObjectiveConfig { critic_dims: vec![8, 8], discriminator_dims: vec![8, 8], ..objective };
        let cfg = GanConfig { generator, objective, ..GanConfig::default() };
        let gan = MineGan::new(&cfg, samples, &store).unwrap();
        let mut s = stream(1, "real", 0);
        let real: Vec<f32> = (0..16 * samples.numbers()).flat_map(|_| Toy::Gaussians.draw(&mut s)).collect();
        (store, gan, Tensor::from_vec(real, (32, samples.numbers()), &Device::Cpu).unwrap())
    }

    fn figure(descent: &Descent, name: &str) -> f32 {
        descent.figures.iter().find(|f| f.0 == name).unwrap().1.to_scalar::<f32>().unwrap()
    }

    #[test]
    fn each_player_descends_its_own_loss() {
        let kinds = [Samples::Points(2), Samples::Images(ImageSize { height: 8, width: 4, channels: 3 })];
        let parts =
            [("generator", "generator_loss"), ("discriminator", "discriminator_loss"), ("estimator", "information")];
        for (samples, (part, name)) in kinds.into_iter().flat_map(|kind| parts.map(|part| (kind, part))) {
            let (store, gan, real) = game_of(samples, GanObjectiveConfig { beta: 0.0, ..Default::default() });
            let round = || gan.descent(&real, &mut stream(1, "game", 0)).unwrap();
            let (before, grads) = (figure(&round(), name), round().objective.backward().unwrap());
            for (name, var) in store.trainable().iter().filter(|(name, _)| name.starts_with(part)) {
                let grad = grads.get(var).unwrap_or_else(|| panic!("{name} has no gradient")).detach();
                var.set(&(var.as_tensor().detach() - (grad * 0.01).unwrap()).unwrap()).unwrap();
            }
            let after = figure(&round(), name);
            assert!(
                if part == "estimator" { after > before } else { after < before },
                "{samples:?}, {part}: {before} {after}"
            );
        }
    }

    #[test]
    fn the_informations_gradient_is_no_longer_than_the_adversarys() {
        let (_, plain, real) = game(GanObjectiveConfig { beta: 0.0, ..Default::default() });
        let (_, paid, _) = game(GanObjectiveConfig { beta: 1e6, ..Default::default() });
        let (_, drowned, _) = game(GanObjectiveConfig { beta: 1e6, adaptive_clipping: false, ..Default::default() });
        let gradients = |gan: &MineGan| {
            let grads = gan.descent(&real, &mut stream(1, "game", 0)).unwrap().objective.backward().unwrap();
            gan.weights.iter().map(|(_, w)| grads.get(w).unwrap().detach()).collect::<Vec<_>>()
        };
        let (own, both) = (gradients(&plain), gradients(&paid));
        let more: Vec<Tensor> = both.iter().zip(&own).map(|(b, o)| (b - o).unwrap()).collect();
        let (own, more) = (length(&own).unwrap(), length(&more).unwrap());
        assert!((more - own).abs() < 1e-3 * own, "{more}, expected {own}");
        assert!(length(&gradients(&drowned)).unwrap() > 100.0 * own);
    }
}
