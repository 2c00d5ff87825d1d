//! One step of Adam (Kingma and Ba 2015, algorithm 1) with AdamW's decoupled decay (Loshchilov and Hutter 2019), in place.
//!
//! ```text
//! m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g^2
//! p = p - lr * decay * p - lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)
//! ```
//! The gradient is scaled first by `scale`, a tensor of one element, so that clipping needs no value on the host.

use super::function::Form;
use super::simd::kernel;
use crate::error::Result;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Tensor, Var};
use rayon::prelude::*;

/// The numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// The learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Decoupled weight decay (AdamW); 0 for Adam.
    pub decay: f64,
    /// The step, from 1, for the bias correction.
    pub step: u64,
}

impl AdamStep {
    fn corrections(&self) -> (f64, f64) {
        let t = self.step as f64;
        (1.0 - self.beta1.powf(t), 1.0 - self.beta2.powf(t))
    }

    /// Moves `p` and its moments `m` and `v` by one step along `grad` (all of one shape) times `scale` (one element).
    pub fn apply(&self, p: &Var, m: &Var, v: &Var, grad: &Tensor, scale: &Tensor) -> Result<()> {
        match Form::of(p) {
            Form::Fused => self.fused(p, m, v, grad, scale),
            Form::Composed => self.composed(p, m, v, grad, scale),
        }
    }

    /// [`AdamStep::apply`] by candle's operations.
    pub fn composed(&self, p: &Var, m: &Var, v: &Var, grad: &Tensor, scale: &Tensor) -> Result<()> {
        let (c1, c2) = self.corrections();
        let grad = grad.detach().broadcast_mul(&scale.detach())?;
        m.set(&((m.as_tensor().detach() * self.beta1)? + (&grad * (1.0 - self.beta1))?)?)?;
        v.set(&((v.as_tensor().detach() * self.beta2)? + (grad.sqr()? * (1.0 - self.beta2))?)?)?;
        let root = ((v.as_tensor().detach() / c2)?.sqrt()? + self.eps)?;
        let step = (m.as_tensor().detach().div(&root)? * (self.lr / c1))?;
        let kept = (p.as_tensor().detach() * (1.0 - self.lr * self.decay))?;
        p.set(&(kept - step)?)?;
        Ok(())
    }

    /// [`AdamStep::apply`] on the CPU in f32: one pass for each moment and one for the parameter.
    pub fn fused(&self, p: &Var, m: &Var, v: &Var, grad: &Tensor, scale: &Tensor) -> Result<()> {
        let scale = scale.flatten_all()?.get(0)?.to_scalar::<f32>()?;
        let grad = grad.contiguous()?;
        m.inplace_op2(&grad, &Moment { decay: self.beta1 as f32, scale, square: false })?;
        v.inplace_op2(&grad, &Moment { decay: self.beta2 as f32, scale, square: true })?;
        let (c1, c2) = self.corrections();
        let update = Update {
            lr: (self.lr / c1) as f32,
            root: (1.0 / c2) as f32,
            eps: self.eps as f32,
            keep: (1.0 - self.lr * self.decay) as f32,
        };
        p.inplace_op3(m, v, &update)?;
        Ok(())
    }
}

/// Floats that one task takes.
const CHUNK: usize = 32_768;

fn slices<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(v), Some((from, to))) => Ok(&v[from..to]),
        _ => candle_core::bail!("not a contiguous f32 tensor on the CPU"),
    }
}

fn slices_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> candle_core::Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(v), Some((from, to))) => Ok(&mut v[from..to]),
        _ => candle_core::bail!("not a contiguous f32 tensor on the CPU"),
    }
}

/// `m = decay * m + (1 - decay) * (scale * g)`, or of its square.
struct Moment {
    decay: f32,
    scale: f32,
    square: bool,
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adam-moment"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, ml: &Layout, g: &CpuStorage, gl: &Layout) -> candle_core::Result<()> {
        let (m, g) = (slices_mut(m, ml)?, slices(g, gl)?);
        let (b, a, scale) = (self.decay, 1.0 - self.decay, self.scale);
        m.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).for_each(|(m, g)| {
            if self.square {
                move_square(m, g, b, a, scale);
            } else {
                move_mean(m, g, b, a, scale);
            }
        });
        Ok(())
    }
}

/// `p = keep * p - lr * m / (sqrt(v * root) + eps)`.
struct Update {
    lr: f32,
    root: f32,
    eps: f32,
    keep: f32,
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam-update"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        pl: &Layout,
        m: &CpuStorage,
        ml: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> candle_core::Result<()> {
        let (p, m, v) = (slices_mut(p, pl)?, slices(m, ml)?, slices(v, vl)?);
        let Update { lr, root, eps, keep } = *self;
        p.par_chunks_mut(CHUNK).zip(m.par_chunks(CHUNK)).zip(v.par_chunks(CHUNK)).for_each(|((p, m), v)| {
            update(p, m, v, lr, root, eps, keep);
        });
        Ok(())
    }
}

kernel! {
    fn move_mean<'a>(m: &'a mut [f32], g: &'a [f32], b: f32, a: f32, scale: f32) {
        m.iter_mut().zip(g).for_each(|(m, &g)| *m = b * *m + a * (g * scale));
    }
}

kernel! {
    fn move_square<'a>(m: &'a mut [f32], g: &'a [f32], b: f32, a: f32, scale: f32) {
        m.iter_mut().zip(g).for_each(|(m, &g)| *m = b * *m + a * ((g * scale) * (g * scale)));
    }
}

kernel! {
    fn update<'a>(p: &'a mut [f32], m: &'a [f32], v: &'a [f32], lr: f32, root: f32, eps: f32, keep: f32) {
        for ((p, &m), &v) in p.iter_mut().zip(m).zip(v) {
            *p = keep * *p - lr * m / ((v * root).sqrt() + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::random;
    use candle_core::{DType, Device};

    #[test]
    fn fused_equals_composed_over_several_steps() {
        let cpu = Device::Cpu;
        let vars = || -> [Var; 3] {
            let p = Var::from_tensor(&random(&[7, 33], 1).to_dtype(DType::F32).unwrap()).unwrap();
            let zeros = || Var::zeros((7, 33), DType::F32, &cpu).unwrap();
            [p, zeros(), zeros()]
        };
        let (a, b) = (vars(), vars());
        let scale = Tensor::new(&[0.7f32], &cpu).unwrap();
        for step in 1..=5 {
            let adam = AdamStep { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.1, step };
            let grad = random(&[7, 33], step).to_dtype(DType::F32).unwrap();
            adam.fused(&a[0], &a[1], &a[2], &grad, &scale).unwrap();
            adam.composed(&b[0], &b[1], &b[2], &grad, &scale).unwrap();
        }
        for (a, b) in a.iter().zip(&b) {
            crate::ops::check::close(a, b, 1e-6);
        }
    }

    #[test]
    fn first_step_moves_by_the_learning_rate_against_the_sign() {
        let cpu = Device::Cpu;
        let p = Var::new(&[1.0f32, 1.0], &cpu).unwrap();
        let (m, v) = (p.zeros_like().unwrap(), p.zeros_like().unwrap());
        let (m, v) = (Var::from_tensor(&m).unwrap(), Var::from_tensor(&v).unwrap());
        let adam = AdamStep { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-12, decay: 0.0, step: 1 };
        let (grad, one) = (Tensor::new(&[3.0f32, -0.01], &cpu).unwrap(), Tensor::new(&[1.0f32], &cpu).unwrap());
        adam.apply(&p, &m, &v, &grad, &one).unwrap();
        let p = p.to_vec1::<f32>().unwrap();
        assert!((p[0] - 0.9).abs() < 1e-6 && (p[1] - 1.1).abs() < 1e-6, "{p:?}");
    }
}
