//! Adam and AdamW over a parameter store, with global-norm clipping and a state that can be saved.

use crate::config::{OptimizerKind, TrainConfig};
use crate::error::{Error, Result};
use crate::nn::ParamStore;
use crate::ops::adam::AdamStep;
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use std::collections::{BTreeMap, HashMap};

struct Slot {
    name: String,
    param: Var,
    m: Var,
    v: Var,
}

/// The optimizer of a run.
pub struct Optimizer {
    slots: Vec<Slot>,
    steps: u64,
    before: u64, // updates behind the moments that the run began with
}

/// Gradients by the place of their parameter; none where a batch did not reach it.
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// The global norm, a scalar where the gradients are.
    pub fn norm(&self) -> Result<Tensor> {
        let squares = self.0.iter().flatten().map(|g| g.sqr()?.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
        if squares.is_empty() {
            return Err(Error::failed("no parameter has a gradient", "report this as a fault of cpc"));
        }
        Ok(Tensor::stack(&squares, 0)?.sum_all()?.sqrt()?)
    }

    /// Adds another batch's gradients.
    pub fn add(&mut self, other: Gradients) -> Result<()> {
        for (sum, g) in self.0.iter_mut().zip(other.0) {
            *sum = match (sum.take(), g) {
                (Some(a), Some(b)) => Some((a + b)?),
                (a, b) => a.or(b),
            };
        }
        Ok(())
    }
}

impl Optimizer {
    /// An optimizer of every parameter of `store`, with moments of zero.
    pub fn new(store: &ParamStore) -> Result<Self> {
        let slot = |(name, param): (String, Var)| -> Result<Slot> {
            let zeros = || Var::zeros(param.shape(), param.dtype(), param.device());
            Ok(Slot { m: zeros()?, v: zeros()?, name, param })
        };
        Ok(Optimizer { slots: store.trainable().into_iter().map(slot).collect::<Result<_>>()?, steps: 0, before: 0 })
    }

    /// The gradients of the parameters, detached, out of a backward pass.
    pub fn collect(&self, mut grads: GradStore) -> Gradients {
        Gradients(self.slots.iter().map(|slot| grads.remove(&slot.param).map(|g| g.detach())).collect())
    }

    /// One update. `scale` multiplies the gradients (1 / batches that were added up); then they are clipped to the global norm
    /// `cfg.clip_norm` if it is above 0. Nothing is read back to the host.
    pub fn step(&mut self, grads: &Gradients, scale: f64, lr: f64, cfg: &TrainConfig) -> Result<()> {
        let Some(first) = self.slots.first() else { return Ok(()) };
        let mut factor = Tensor::full(scale as f32, 1, first.param.device())?;
        if cfg.clip_norm > 0.0 {
            let norm = (grads.norm()?.to_dtype(DType::F32)?.reshape(1)? * scale)?;
            factor = (factor * ((norm + 1e-6)?.recip()? * cfg.clip_norm)?.minimum(1.0)?)?;
        }
        self.steps += 1;
        let adam = AdamStep {
            lr,
            beta1: cfg.betas[0],
            beta2: cfg.betas[1],
            eps: cfg.eps,
            decay: if cfg.optimizer == OptimizerKind::Adamw { cfg.weight_decay } else { 0.0 },
            step: self.before + self.steps,
        };
        for (slot, grad) in self.slots.iter().zip(&grads.0) {
            if let Some(grad) = grad {
                adam.apply(&slot.param, &slot.m, &slot.v, grad, &factor)?;
            }
        }
        Ok(())
    }

    /// The state: moments as `m.<name>` and `v.<name>`.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let both = |s: &Slot| {
            [(format!("m.{}", s.name), s.m.as_tensor().detach()), (format!("v.{}", s.name), s.v.as_tensor().detach())]
        };
        self.slots.iter().flat_map(both).collect()
    }

    /// Updates of this run so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Updates that were made before this run: Adam's correction for moments that start at zero counts them too.
    pub fn updates_before(&self) -> u64 {
        self.before
    }

    /// Takes over a state that was saved after `steps` updates of the run, and `before` updates before it.
    pub fn load(&mut self, tensors: &HashMap<String, Tensor>, steps: u64, before: u64, from: &str) -> Result<()> {
        for slot in &self.slots {
            for (var, key) in [(&slot.m, format!("m.{}", slot.name)), (&slot.v, format!("v.{}", slot.name))] {
                match tensors.get(&key) {
                    Some(t) if t.shape() == var.shape() => var.set(&t.to_device(var.device())?)?,
                    _ => {
                        return Err(Error::failed(
                            format!("{from}: {key} is missing or of another shape"),
                            "go on from another checkpoint",
                        ));
                    }
                }
            }
        }
        (self.steps, self.before) = (steps, before);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_nn::Init;

    fn stepped(clip_norm: f64) -> Vec<f32> {
        let store = ParamStore::new(1, &Device::Cpu);
        let w = store.builder().get_with_hints(2, "w", Init::Const(0.0)).unwrap();
        let mut optimizer = Optimizer::new(&store).unwrap();
        let loss = (w * Tensor::new(&[30f32, 40.0], &Device::Cpu).unwrap()).unwrap().sum_all().unwrap();
        let grads = optimizer.collect(loss.backward().unwrap());
        assert_eq!(grads.norm().unwrap().to_scalar::<f32>().unwrap(), 50.0);
        // With a large epsilon the step is in proportion to the gradient.
        let cfg = TrainConfig { clip_norm, betas: [0.0, 0.0], eps: 1e6, ..Default::default() };
        optimizer.step(&grads, 1.0, 1e6, &cfg).unwrap();
        store.tensors()["w"].to_vec1::<f32>().unwrap()
    }

    #[test]
    fn clipping_shortens_the_gradient_to_the_norm_and_keeps_its_direction() {
        let close = |a: &[f32], b: [f32; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-2);
        assert!(close(&stepped(0.0), [-30.0, -40.0]));
        assert!(close(&stepped(5.0), [-3.0, -4.0]));
        assert!(close(&stepped(500.0), [-30.0, -40.0]));
    }
}
