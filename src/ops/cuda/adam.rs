//! Norms and Adam of many parameters in a few launches.

use crate::error::Result;
use crate::ops::adam::{AdamStep, Slot};
use crate::ops::cuda::gpu::{Address, Gpu, Module, address, launch, module};
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use candle_core::{Device, Tensor};

const ADAM: Module = module!("adam");

/// Parameters of a launch, as in adam.cu.
const MANY: usize = 48;
/// Blocks of a parameter.
const EACH: usize = 64;

/// `Many` of adam.cu.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Many {
    grad: [Address; MANY],
    p: [Address; MANY],
    m: [Address; MANY],
    v: [Address; MANY],
    size: [u32; MANY],
}

// SAFETY: the same fields in the same order as in adam.cu.
unsafe impl DeviceRepr for Many {}

impl Many {
    fn none() -> Many {
        let none = [Address::NULL; MANY];
        Many { grad: none, p: none, m: none, v: none, size: [0; MANY] }
    }
}

/// The global norm of `grads`, and the factor by which they are multiplied: `scale`, or less where the norm times `scale` is above `clip`.
pub(in crate::ops) fn norm(grads: &[&Tensor], device: &Device, scale: f64, clip: f64) -> Result<(Tensor, Tensor)> {
    let gpu = Gpu::on(device)?;
    let parts = gpu.floats(EACH * grads.len())?;
    for (i, grads) in grads.chunks(MANY).enumerate() {
        let mut many = Many::none();
        for (j, grad) in grads.iter().enumerate() {
            (many.grad[j], many.size[j]) = (address(grad)?, grad.elem_count() as u32);
        }
        let all: usize = many.size.iter().map(|&n| n as usize).sum();
        launch!(gpu, ADAM "squares_of", [EACH, grads.len()], 256, 0, 4 * all; many, parts.at().plus(i * MANY * EACH));
    }
    let (norm, factor) = (gpu.floats(1)?, gpu.floats(1)?);
    let n = (EACH * grads.len()) as u32;
    launch!(gpu, ADAM "norm_and_factor", [1, 1], 256, 0, 4 * n;
        parts.at(), norm.at(), factor.at(), n, scale as f32, clip as f32);
    Ok((norm.tensor(1), factor.tensor(1)))
}

/// One step of all `slots`, with gradients (one for each) times `factor` (1).
pub(in crate::ops) fn step_all(step: &AdamStep, slots: &[(Slot, &Tensor)], factor: &Tensor) -> Result<()> {
    let gpu = Gpu::of(factor)?;
    let [lr, root, keep] = step.factors();
    for slots in slots.chunks(MANY) {
        let mut many = Many::none();
        for (j, (slot, grad)) in slots.iter().enumerate() {
            many.grad[j] = address(grad)?;
            many.p[j] = address(slot.param)?;
            many.m[j] = address(slot.m)?;
            many.v[j] = address(slot.v)?;
            many.size[j] = grad.elem_count() as u32;
        }
        let all: usize = many.size.iter().map(|&n| n as usize).sum();
        launch!(gpu, ADAM "adam_step", [EACH, slots.len()], 256, 0, 28 * all;
            many, address(factor)?, lr, step.beta1 as f32, step.beta2 as f32, root, step.eps as f32, keep);
    }
    Ok(())
}
