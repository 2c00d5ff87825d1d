//! A diagonal state space on a sequence that arrives in pieces: the recurrence that [`long_conv`](super::long_conv) with its
//! [`impulse`](super::impulse) response computes at once.
//!
//! The state is in double precision: a mode may turn through thousands of radians before it has decayed.

use crate::error::{Error, Result};
use candle_core::Tensor;
use std::sync::Arc;

/// H state spaces of M modes each, between two steps. Clones share the parameters.
#[derive(Debug, Clone)]
pub struct StateSpaceStream {
    fixed: Arc<Fixed>,
    real: Vec<f64>,
    imaginary: Vec<f64>,
}

/// Parameters, each (M, H).
#[derive(Debug)]
struct Fixed {
    channels: usize,
    step: Parts,
    out: Parts,
    skip: Vec<f32>,
}

#[derive(Debug)]
struct Parts {
    real: Vec<f64>,
    imaginary: Vec<f64>,
}

impl StateSpaceStream {
    /// State spaces at rest, for `z` and `c` as in [`impulse_response`](super::impulse::impulse_response), and `skip` (H), the weight with which
    /// an input is added to its own output.
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn new(z: &Tensor, c: &Tensor, skip: &Tensor) -> Result<Self> {
        let (channels, modes, _) = z.dims3()?;
        let part = |t: &Tensor, i: usize| -> Result<Vec<f64>> {
            let t = t.narrow(2, i, 1)?.squeeze(2)?.t()?.flatten_all()?;
            Ok(t.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
        };
        let (mut decay, mut phase) = (part(z, 0)?, part(z, 1)?);
        for (a, b) in decay.iter_mut().zip(&mut phase) {
            (*a, *b) = (a.exp() * b.cos(), a.exp() * b.sin());
        }
        let twice = |values: Vec<f64>| values.into_iter().map(|v| 2.0 * v).collect();
        let fixed = Fixed {
            channels,
            step: Parts { real: decay, imaginary: phase },
            out: Parts { real: twice(part(c, 0)?), imaginary: twice(part(c, 1)?) },
            skip: skip.to_vec1()?,
        };
        let rest = vec![0.0; channels * modes];
        Ok(StateSpaceStream { fixed: Arc::new(fixed), real: rest.clone(), imaginary: rest })
    }

    /// Takes rows (T, H) and returns the outputs (T, H).
    ///
    /// # Errors
    /// `rows` are not whole rows.
    pub fn push(&mut self, rows: &[f32]) -> Result<Vec<f32>> {
        let Fixed { channels, step, out, skip } = &*self.fixed;
        if !rows.len().is_multiple_of(*channels) {
            let what = format!("{} floats are not whole rows of {channels}", rows.len());
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        let mut outputs = Vec::with_capacity(rows.len());
        let mut sums = vec![0.0f64; *channels];
        for row in rows.chunks_exact(*channels) {
            sums.iter_mut().zip(row.iter().zip(skip)).for_each(|(sum, (u, d))| *sum = f64::from(*u) * f64::from(*d));
            let states = self.real.chunks_exact_mut(*channels).zip(self.imaginary.chunks_exact_mut(*channels));
            let steps = step.real.chunks_exact(*channels).zip(step.imaginary.chunks_exact(*channels));
            let outs = out.real.chunks_exact(*channels).zip(out.imaginary.chunks_exact(*channels));
            for (((real, imaginary), (a, b)), (c, d)) in states.zip(steps).zip(outs) {
                for (h, sum) in sums.iter_mut().enumerate() {
                    let (x, y) = (real[h], imaginary[h]);
                    real[h] = a[h] * x - b[h] * y + f64::from(row[h]);
                    imaginary[h] = a[h] * y + b[h] * x;
                    *sum += c[h] * real[h] - d[h] * imaginary[h];
                }
            }
            outputs.extend(sums.iter().map(|sum| *sum as f32));
        }
        Ok(outputs)
    }

    /// Returns to rest.
    pub fn reset(&mut self) {
        self.real.fill(0.0);
        self.imaginary.fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{close, random};
    use crate::ops::impulse::{self, impulse_response};
    use crate::ops::long_conv::{self, long_conv};
    use candle_core::{DType, Device};

    #[test]
    fn the_recurrence_in_any_pieces_is_the_convolution() {
        for (time, channels, m) in [(200, 5, 3), (1, 2, 1), (700, 3, 8)] {
            let inputs = crate::ops::impulse::tests::modes(channels, m);
            let (x, skip) = (random(&[1, time, channels], 3), random(&[channels], 4));
            let f32s = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
            let (z, c) = (f32s(&inputs[0]), f32s(&inputs[1]));
            let skipped = x.broadcast_mul(&skip).unwrap();
            let by_fft = long_conv(&f32s(&x), &impulse_response(&z, &c, time).unwrap()).unwrap();
            let by_fft = (by_fft.to_dtype(DType::F64).unwrap() + &skipped).unwrap();
            let directly = impulse::composed(&inputs[0], &inputs[1], time).unwrap();
            let directly = (long_conv::composed(&x, &directly).unwrap() + skipped).unwrap();
            let rows = f32s(&x).flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let mut stream = StateSpaceStream::new(&z, &c, &f32s(&skip)).unwrap();
            for piece in [time, 1, 7] {
                let out: Vec<f32> =
                    rows.chunks(piece * channels).flat_map(|piece| stream.push(piece).unwrap()).collect();
                let out = Tensor::from_vec(out, (1, time, channels), &Device::Cpu).unwrap();
                close(&out, &directly, 1e-5);
                close(&out, &by_fft, 1e-5);
                stream.reset();
            }
            assert!(stream.push(&rows[..channels - 1]).is_err());
        }
    }
}
