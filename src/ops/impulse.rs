//! The impulse responses of diagonal state spaces (S4D: Gu et al. 2022, "On the Parameterization and Initialization of Diagonal State Space
//! Models"): what a layer of them answers to a single 1.
//!
//! A state space of M complex modes, one of each conjugate pair, carries `x_t = e^z x_(t-1) + u_t` and puts out `2 Re sum_m c_m x_t,m`. So its
//! answer l steps after an impulse is `K_l = 2 Re sum_m c_m e^(l z_m)`, and its output for any input is the convolution with K. The phase
//! `l Im z` grows to thousands of radians, for which single precision is too coarse: K is computed in double precision.

use crate::error::Result;
use crate::ops::function::{Floats, Form, function};
use crate::ops::simd::kernel;
use candle_core::{D, DType, Device, Tensor};
use rayon::prelude::*;

/// Returns K (H, L) with L = `len`, for H state spaces with M modes each: `z` (H, M, 2), with negative real parts, and `c` (H, M, 2). The last
/// dimension holds the real and the imaginary part.
///
/// # Errors
/// If the shapes do not match.
pub fn impulse_response(z: &Tensor, c: &Tensor, len: usize) -> Result<Tensor> {
    match (z.device(), Form::of(z)) {
        (Device::Cpu, Form::Fused) => fused(z, c, len),
        (Device::Cpu, _) => composed(z, c, len),
        // Apple's GPUs have no double precision, and there is little to compute: the CPU does it.
        (device, _) => {
            let (z, c) = (z.to_device(&Device::Cpu)?, c.to_device(&Device::Cpu)?);
            Ok(impulse_response(&z, &c, len)?.to_device(device)?)
        }
    }
}

/// [`impulse_response`] built from candle operations, in double precision.
pub fn composed(z: &Tensor, c: &Tensor, len: usize) -> Result<Tensor> {
    let (given, wide) = (z.dtype(), DType::F64);
    let part = |t: &Tensor, i: usize| t.to_dtype(wide)?.narrow(D::Minus1, i, 1);
    let steps = Tensor::arange(0, len as u32, z.device())?.to_dtype(wide)?;
    let (decay, phase) = (part(z, 0)?.broadcast_mul(&steps)?.exp()?, part(z, 1)?.broadcast_mul(&steps)?);
    let (real, imaginary) = (part(c, 0)?.broadcast_mul(&phase.cos()?)?, part(c, 1)?.broadcast_mul(&phase.sin()?)?);
    Ok(((decay * (real - imaginary)?)?.sum(1)? * 2.0)?.to_dtype(given)?)
}

/// [`impulse_response`] on the CPU in f32.
pub fn fused(z: &Tensor, c: &Tensor, len: usize) -> Result<Tensor> {
    let (z, c) = (z.contiguous()?, c.contiguous()?);
    let (channels, modes, _) = z.dims3()?;
    c.dims3()
        .and_then(|shape| if shape == (channels, modes, 2) { Ok(()) } else { candle_core::bail!("c: {shape:?}") })?;
    let mut k = vec![0.0f32; channels * len];
    {
        let (z, c) = (Floats::of(&z)?, Floats::of(&c)?);
        if len > 0 {
            k.par_chunks_mut(len).zip(z.par_chunks(2 * modes).zip(c.par_chunks(2 * modes))).for_each(|(k, (z, c))| {
                let mut sums = vec![0.0f64; len.next_multiple_of(LANES)];
                for (z, c) in z.chunks_exact(2).zip(c.chunks_exact(2)) {
                    add_mode(&mut sums, Powers::of(z), f64::from(c[0]), f64::from(c[1]));
                }
                k.iter_mut().zip(&sums).for_each(|(k, sum)| *k = (2.0 * sum) as f32);
            });
        }
    }
    let kept = (z.detach(), c.detach());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let grad = grad.contiguous()?;
        let (g, z, c) = (Floats::of(&grad)?, Floats::of(&kept.0)?, Floats::of(&kept.1)?);
        let (mut dz, mut dc) = (vec![0.0f32; z.len()], vec![0.0f32; c.len()]);
        let rows = dz.par_chunks_mut(2 * modes).zip(dc.par_chunks_mut(2 * modes));
        if len > 0 {
            rows.zip(g.par_chunks(len).zip(z.par_chunks(2 * modes).zip(c.par_chunks(2 * modes)))).for_each(
                |((dz, dc), (g, (z, c)))| {
                    let each = dz.chunks_exact_mut(2).zip(dc.chunks_exact_mut(2));
                    for ((dz, dc), (z, c)) in each.zip(z.chunks_exact(2).zip(c.chunks_exact(2))) {
                        // The sums of g_l e^(l z) and of l g_l e^(l z).
                        let mut sums = [0.0f64; 4];
                        sum_modes(g, Powers::of(z), &mut sums);
                        let [s, m] = [[sums[0], sums[1]], [sums[2], sums[3]]];
                        let (real, imaginary) = (f64::from(c[0]), f64::from(c[1]));
                        (dc[0], dc[1]) = ((2.0 * s[0]) as f32, (-2.0 * s[1]) as f32);
                        dz[0] = (2.0 * (real * m[0] - imaginary * m[1])) as f32;
                        dz[1] = (-2.0 * (real * m[1] + imaginary * m[0])) as f32;
                    }
                },
            );
        }
        let of = |v| Tensor::from_vec(v, (channels, modes, 2), &Device::Cpu);
        Ok([Some(of(dz)?), Some(of(dc)?), None])
    };
    function([&z, &c, &c], Tensor::from_vec(k, (channels, len), &Device::Cpu)?, backward)
}

/// Powers that are computed side by side: each lane goes on from its last one, so that they do not wait for each other.
const LANES: usize = 8;

/// Powers of e^z: the first ones, and the factor from one block of them to the next.
#[derive(Clone, Copy)]
struct Powers {
    real: [f64; LANES],
    imaginary: [f64; LANES],
    next: (f64, f64),
}

impl Powers {
    fn of(z: &[f32]) -> Powers {
        let (decay, phase) = (f64::from(z[0]), f64::from(z[1]));
        let power = |l: usize| {
            let size = (decay * l as f64).exp();
            (size * (phase * l as f64).cos(), size * (phase * l as f64).sin())
        };
        let first: [(f64, f64); LANES] = std::array::from_fn(power);
        Powers { real: first.map(|w| w.0), imaginary: first.map(|w| w.1), next: power(LANES) }
    }

    /// Goes on to the next block.
    #[inline(always)]
    fn step(&mut self) {
        let (real, imaginary) = self.next;
        for i in 0..LANES {
            let (a, b) = (self.real[i], self.imaginary[i]);
            (self.real[i], self.imaginary[i]) = (a * real - b * imaginary, a * imaginary + b * real);
        }
    }
}

kernel! {
    /// Adds `Re c e^(l z)` to the l-th sum.
    fn add_mode<'a>(sums: &'a mut [f64], powers: Powers, real: f64, imaginary: f64) {
        let mut powers = powers;
        for sums in sums.chunks_exact_mut(LANES) {
            let each = sums.iter_mut().zip(powers.real.iter().zip(&powers.imaginary));
            each.for_each(|(sum, (a, b))| *sum += real * a - imaginary * b);
            powers.step();
        }
    }
}

kernel! {
    /// The sums of g_l e^(l z) and of l g_l e^(l z), real and imaginary parts.
    fn sum_modes<'a>(g: &'a [f32], powers: Powers, sums: &'a mut [f64; 4]) {
        let mut powers = powers;
        let mut lanes = [[0.0f64; LANES]; 4];
        let mut at: [f64; LANES] = std::array::from_fn(|i| i as f64);
        let mut block = |g: &[f32; LANES], powers: &Powers| {
            for i in 0..LANES {
                let g = f64::from(g[i]);
                let (real, imaginary) = (g * powers.real[i], g * powers.imaginary[i]);
                lanes[0][i] += real;
                lanes[1][i] += imaginary;
                lanes[2][i] += at[i] * real;
                lanes[3][i] += at[i] * imaginary;
                at[i] += LANES as f64;
            }
        };
        let (whole, rest) = g.as_chunks::<LANES>();
        for g in whole {
            block(g, &powers);
            powers.step();
        }
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        block(&last, &powers);
        for (sum, lanes) in sums.iter_mut().zip(lanes) {
            *sum = lanes.iter().sum();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::check::{close, finite_differences, random, same, single};

    /// z, with real parts between -0.5 and -0.01, and c.
    pub(crate) fn modes(channels: usize, modes: usize) -> Vec<Tensor> {
        let z = random(&[channels, modes, 2], 1);
        let decay = (z.narrow(2, 0, 1).unwrap().sqr().unwrap() * -0.05).unwrap().clamp(-0.5, -0.01).unwrap();
        let z = Tensor::cat(&[decay, z.narrow(2, 1, 1).unwrap()], 2).unwrap();
        vec![z, random(&[channels, modes, 2], 2)]
    }

    #[test]
    fn fused_equals_composed_equals_finite_differences() {
        for (channels, m, len) in [(3, 2, 9), (1, 1, 1), (5, 4, 40)] {
            let inputs = modes(channels, m);
            finite_differences(|t| composed(&t[0], &t[1], len), &inputs);
            same(|t| impulse_response(&t[0], &t[1], len), |t| composed(&t[0], &t[1], len), &inputs);
        }
    }

    #[test]
    fn thousands_of_radians_are_exact() {
        let z = Tensor::new(&[[[-1e-4f64, 3.0]]], &Device::Cpu).unwrap();
        let c = Tensor::new(&[[[1.0f64, 0.5]]], &Device::Cpu).unwrap();
        let long = impulse_response(&single(&z), &single(&c), 5000).unwrap();
        let exact = z.to_dtype(DType::F32).unwrap().to_dtype(DType::F64).unwrap();
        close(&long, &composed(&exact, &c, 5000).unwrap(), 1e-5);
    }
}
