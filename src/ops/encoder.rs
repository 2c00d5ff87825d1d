//! A stack of layers, each a strided convolution, normalization and ReLU, as one differentiable operation: g_enc.
//!
//! In the fused form the whole stack is one node of the graph: no layer's activations are copied or zeroed by the graph, each block of rows is
//! normalized while it is in cache, and the waveform, a constant, gets no gradient. In the composed form it is [`conv::composed`] and the norms
//! of [`super::norm`], layer by layer.

#[cfg(feature = "cuda")]
use crate::device::{Precision, precision};
use crate::error::{Error, Result};
use crate::ops::conv;
use crate::ops::conv_shape::ConvShape;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::{Floats, Form, Output, function};
use crate::ops::norm::{self, Sums};
use crate::ops::taps::Taps;
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// How a layer is normalized.
#[derive(Debug, Clone)]
pub enum Norm {
    /// No normalization.
    None,
    /// Over the channels of each time step.
    Channel,
    /// Over batch and time, with this batch's statistics.
    Batch,
    /// Over batch and time, with fixed statistics: mean and biased variance, (C).
    Fixed(Tensor, Tensor),
}

/// One layer: its parameters and sizes.
#[derive(Debug, Clone)]
pub struct Layer {
    /// (C_out, C_in, kernel), as in PyTorch's `Conv1d`.
    pub weight: Tensor,
    /// (C_out).
    pub bias: Tensor,
    /// Gain and shift of the norm, (C_out) each; ignored without a norm.
    pub affine: Option<(Tensor, Tensor)>,
    /// The normalization.
    pub norm: Norm,
    /// Input steps from one output step to the next.
    pub stride: usize,
    /// Zeros before and after the input.
    pub padding: usize,
}

/// A layer's statistics over one batch: mean and *unbiased* variance, (C) each.
pub type BatchStatistics = (Tensor, Tensor);

/// Returns z (B, T', C) for `x` (B, T, C_in), and the batch statistics of every layer that is normalized by them.
///
/// # Errors
/// If `x` is too short for one output step.
pub fn encode(x: &Tensor, layers: &[Layer]) -> Result<(Tensor, Vec<BatchStatistics>)> {
    match Form::of(x) {
        Form::Fused => fused(x, layers),
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::encode(x, layers, precision() == Precision::Bf16),
        Form::Composed => composed(x, layers),
    }
}

/// [`encode`] built from candle operations.
pub fn composed(x: &Tensor, layers: &[Layer]) -> Result<(Tensor, Vec<BatchStatistics>)> {
    let mut x = x.clone();
    let mut statistics = Vec::new();
    for layer in layers {
        let y = conv::composed(&x, &layer.weight, &layer.bias, layer.stride, layer.padding)?;
        let xhat = match &layer.norm {
            Norm::None => y,
            Norm::Channel => norm::composed_channel(&y)?,
            Norm::Batch => {
                let mean = y.mean_keepdim((0, 1))?;
                let variance = y.broadcast_sub(&mean)?.sqr()?.mean_keepdim((0, 1))?;
                let n = (y.dim(0)? * y.dim(1)?) as f64;
                let unbiased = (variance.detach().flatten_all()? * (n / (n - 1.0).max(1.0)))?;
                statistics.push((mean.detach().flatten_all()?, unbiased));
                norm::composed_batch(&y, &mean, &variance)?
            }
            Norm::Fixed(mean, variance) => norm::composed_batch(
                &y,
                &mean.reshape((1, 1, mean.elem_count()))?,
                &variance.reshape((1, 1, variance.elem_count()))?,
            )?,
        };
        x = match (&layer.norm, &layer.affine) {
            (Norm::None, _) | (_, None) => xhat.relu()?,
            (_, Some((gain, shift))) => xhat.broadcast_mul(gain)?.broadcast_add(shift)?.relu()?,
        };
    }
    Ok((x, statistics))
}

/// What the kernels need of one layer, and what forward keeps for backward.
struct Kept {
    shape: ConvShape,
    normed: Normed,
    taps: Taps,
    gain: Option<Vec<f32>>,
    xhat: Vec<f32>, // (B, T_out, C_out): normalized, before gain and ReLU
    rstd: Vec<f32>, // one per row (channel norm) or per channel (batch norm)
    out: Vec<f32>,  // (B, T_out, C_out)
}

#[derive(Clone, Copy, PartialEq)]
enum Normed {
    None,
    Channel,
    Batch,
    Fixed,
}

/// Rows per block: about 1 MB of activations, so that the block is normalized while it is in cache.
fn block_rows(channels: usize) -> usize {
    (262_144 / channels.max(1)).max(16)
}

fn floats(t: &Tensor) -> Result<Vec<f32>> {
    Ok(t.flatten_all()?.to_vec1::<f32>()?)
}

/// The blocks of (B, T, C) data: (item, first row of the block in the item, rows).
fn blocks<'a>(data: &'a mut [f32], shape: &ConvShape) -> impl Iterator<Item = (usize, usize, &'a mut [f32])> + use<'a> {
    let (per_item, channels) = (shape.time_out() * shape.channels_out, shape.channels_out);
    let rows = block_rows(channels);
    data.chunks_mut(per_item).enumerate().flat_map(move |(item, data)| {
        data.chunks_mut(rows * channels).enumerate().map(move |(i, block)| (item, i * rows, block))
    })
}

impl Kept {
    /// Runs one layer forward on `x` (B, T_in, C_in). Returns the layer and its batch statistics.
    fn forward(x: &[f32], time_in: usize, layer: &Layer) -> Result<(Kept, Option<BatchStatistics>)> {
        let (channels_out, channels_in, kernel) = layer.weight.dims3()?;
        let shape =
            ConvShape { time_in, channels_in, channels_out, kernel, stride: layer.stride, padding: layer.padding };
        let (time_out, per_x, channels) = (shape.time_out(), time_in * channels_in, channels_out);
        if time_out == 0 || !x.len().is_multiple_of(per_x) {
            let what = format!("{time_in} steps of {channels_in} channels are not a valid input for {shape:?}");
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        let batch = x.len() / per_x;
        let taps = Taps::new(&shape, &floats(&layer.weight)?);
        let bias = floats(&layer.bias)?;
        let normed = match layer.norm {
            Norm::None => Normed::None,
            Norm::Channel => Normed::Channel,
            Norm::Batch => Normed::Batch,
            Norm::Fixed(..) => Normed::Fixed,
        };
        let (gain, shift) = match (&layer.affine, normed) {
            (Some((gain, shift)), Normed::Channel | Normed::Batch | Normed::Fixed) => {
                (Some(floats(gain)?), floats(shift)?)
            }
            _ => (None, vec![0.0; channels]),
        };
        let affine = gain.as_deref().map(|g| (g, &shift[..]));
        let mut xhat = vec![0.0; batch * time_out * channels];
        let mut out = vec![0.0; xhat.len()];
        let mut rstd = vec![0.0; if normed == Normed::Channel { batch * time_out } else { channels }];
        let mut mean = vec![0.0; channels];
        if let Norm::Fixed(m, v) = &layer.norm {
            mean = floats(m)?;
            rstd = floats(v)?.iter().map(|v| 1.0 / (v + norm::EPS as f32).sqrt()).collect();
        }
        let fixed = if normed == Normed::Fixed { (mean.clone(), rstd.clone()) } else { Default::default() };
        // Pass 1: the convolution, and everything that needs no other block.
        let mut row_rstd = if normed == Normed::Channel { &mut rstd[..] } else { &mut [] };
        let mut tasks = Vec::new();
        for ((item, first, y), (_, _, out)) in blocks(&mut xhat, &shape).zip(blocks(&mut out, &shape)) {
            let n = if normed == Normed::Channel { y.len() / channels } else { 0 };
            let (rstd, rest) = row_rstd.split_at_mut(n);
            row_rstd = rest;
            tasks.push((item, first, y, out, rstd));
        }
        let moments: Vec<_> = tasks
            .into_par_iter()
            .map(|(item, first, y, out, rstd)| {
                y.chunks_exact_mut(channels).for_each(|row| row.copy_from_slice(&bias));
                shape.forward(&x[item * per_x..][..per_x], &taps, first..first + y.len() / channels, y)?;
                match normed {
                    Normed::Batch => return Ok(Some((y.len() / channels, norm::block_moments(y, channels)))),
                    Normed::Channel => norm::channel_rows(y, channels, rstd),
                    Normed::Fixed => norm::batch_rows(y, &fixed.0, &fixed.1),
                    Normed::None => {}
                }
                norm::relu_rows(y, affine, out);
                Ok(None)
            })
            .collect::<Result<_>>()?;
        // Pass 2, for batch norm only: the moments of the blocks are combined into those of the batch.
        let mut statistics = None;
        if normed == Normed::Batch {
            let (m, variance, n) = combine(moments.into_iter().flatten(), channels);
            let unbiased: Vec<f32> = variance.iter().map(|v| (v * n / (n - 1.0).max(1.0)) as f32).collect();
            mean = m.iter().map(|&m| m as f32).collect();
            rstd = variance.iter().map(|v| (1.0 / (v + norm::EPS).sqrt()) as f32).collect();
            let tensor = |v: Vec<f32>| Tensor::from_vec(v, channels, &Device::Cpu);
            statistics = Some((tensor(mean.clone())?, tensor(unbiased)?));
            let tasks: Vec<_> = blocks(&mut xhat, &shape).zip(blocks(&mut out, &shape)).collect();
            tasks.into_par_iter().for_each(|((_, _, y), (_, _, out))| {
                norm::batch_rows(y, &mean, &rstd);
                norm::relu_rows(y, affine, out);
            });
        }
        Ok((Kept { shape, normed, taps, gain, xhat, rstd, out }, statistics))
    }

    /// Turns the gradient of `out` into that of the convolution's output, in place, and returns the sums for the vectors.
    fn backward_norm(&self, grad: &mut [f32]) -> Sums {
        let channels = self.shape.channels_out;
        let rows = block_rows(channels) / 4; // smaller: three buffers share the cache
        let parts: Vec<Sums> = grad
            .par_chunks_mut(rows * channels)
            .enumerate()
            .map(|(i, grad)| {
                let mut sums = Sums::zeros(channels);
                let at = i * rows * channels..i * rows * channels + grad.len();
                let (out, xhat) = (&self.out[at.clone()], &self.xhat[at]);
                norm::relu_rows_backward(grad, out, xhat, self.gain.as_deref(), &mut sums);
                match self.normed {
                    Normed::Channel => {
                        let rstd = &self.rstd[i * rows..i * rows + grad.len() / channels];
                        norm::channel_rows_backward(grad, xhat, channels, rstd);
                    }
                    Normed::Fixed => {
                        let zeros = vec![0.0; channels];
                        norm::batch_rows_backward(grad, xhat, &self.rstd, &zeros, &zeros);
                    }
                    _ => {}
                }
                if self.normed != Normed::Batch {
                    norm::add_columns(grad, &mut sums.bias);
                }
                sums
            })
            .collect();
        let mut sums = Sums::zeros(channels);
        parts.iter().for_each(|part| sums.add(part));
        if self.normed == Normed::Batch {
            // The sums of dxhat and of dxhat * xhat are those of shift and gain, times the gain.
            let n = (grad.len() / channels) as f32;
            let gain = self.gain.as_deref().unwrap_or(&[]);
            let scaled = |sums: &[f32]| -> Vec<f32> {
                sums.iter().enumerate().map(|(c, s)| s * gain.get(c).copied().unwrap_or(1.0) / n).collect()
            };
            let (mean, along) = (scaled(&sums.shift), scaled(&sums.gain));
            let parts: Vec<Sums> = grad
                .par_chunks_mut(rows * channels)
                .zip(self.xhat.par_chunks(rows * channels))
                .map(|(grad, xhat)| {
                    let mut sums = Sums::zeros(channels);
                    norm::batch_rows_backward(grad, xhat, &self.rstd, &mean, &along);
                    norm::add_columns(grad, &mut sums.bias);
                    sums
                })
                .collect();
            parts.iter().for_each(|part| sums.bias.iter_mut().zip(&part.bias).for_each(|(a, b)| *a += b));
        }
        sums
    }
}

/// Mean, biased variance and count over blocks with their own means (Chan, Golub and LeVeque 1983), in f64.
fn combine(parts: impl Iterator<Item = (usize, (Vec<f32>, Vec<f32>))>, channels: usize) -> (Vec<f64>, Vec<f64>, f64) {
    let (mut mean, mut squares, mut n) = (vec![0.0f64; channels], vec![0.0f64; channels], 0.0f64);
    for (rows, (m, s)) in parts {
        let rows = rows as f64;
        let total = n + rows;
        for c in 0..channels {
            let delta = f64::from(m[c]) - mean[c];
            mean[c] += delta * rows / total;
            squares[c] += f64::from(s[c]) + delta * delta * n * rows / total;
        }
        n = total;
    }
    (mean, squares.into_iter().map(|s| s / n).collect(), n)
}

/// The parameters as one tensor of weights and one of vectors, because a function has three inputs; without parameters that are trained, the
/// constant `x` stands for both.
pub(super) fn parameters(x: &Tensor, layers: &[Layer]) -> Result<[Tensor; 2]> {
    let (mut weights, mut vectors) = (Vec::new(), Vec::new());
    for layer in layers {
        weights.push(layer.weight.flatten_all()?);
        vectors.push(layer.bias.flatten_all()?);
        if let (Some((gain, shift)), false) = (&layer.affine, matches!(layer.norm, Norm::None)) {
            vectors.push(gain.flatten_all()?);
            vectors.push(shift.flatten_all()?);
        }
    }
    Ok(match weights.iter().chain(&vectors).any(Tensor::track_op) {
        true => [Tensor::cat(&weights, 0)?, Tensor::cat(&vectors, 0)?],
        false => [x.detach(), x.detach()],
    })
}

/// [`encode`] on the CPU in f32, one node of the graph.
pub fn fused(x: &Tensor, layers: &[Layer]) -> Result<(Tensor, Vec<BatchStatistics>)> {
    let x = x.contiguous()?;
    let (batch, time_in, _) = x.dims3()?;
    let [weights, vectors] = parameters(&x, layers)?;
    let trained = weights.track_op() || vectors.track_op();
    let training = x.track_op() || trained;

    let mut kept: Vec<Kept> = Vec::new();
    let mut statistics = Vec::new();
    {
        let input = Floats::of(&x)?;
        for layer in layers {
            let (from, time) = kept.last().map_or((&input[..], time_in), |k| (&k.out[..], k.shape.time_out()));
            let (layer, stats) = Kept::forward(from, time, layer)?;
            statistics.extend(stats);
            if !training {
                kept.clear();
            }
            kept.push(layer);
        }
    }
    let Some(last) = kept.last_mut() else { return Ok((x, statistics)) };
    let shape = (batch, last.shape.time_out(), last.shape.channels_out);
    let z = if training { last.out.clone() } else { std::mem::take(&mut last.out) };
    let z = Output::floats(z, shape);
    let (x_tracked, in_shape, input) = (x.track_op(), x.shape().clone(), x.detach());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let mut grad = floats(grad)?;
        let (mut weights, mut vectors) = (Vec::new(), Vec::new()); // last layer first
        let input = Floats::of(&input)?;
        for (i, layer) in kept.iter().enumerate().rev() {
            let from = if i > 0 { &kept[i - 1].out[..] } else { &input[..] };
            let sums = layer.backward_norm(&mut grad);
            weights.push(layer.shape.grad_weight(from, &grad)?);
            if layer.gain.is_some() {
                vectors.push([sums.bias, sums.gain, sums.shift].concat());
            } else {
                vectors.push(sums.bias);
            }
            if i > 0 || x_tracked {
                let mut below = vec![0.0; from.len()];
                layer.shape.grad_input(&layer.taps, &grad, &mut below)?;
                grad = below;
            }
        }
        let flat = |mut parts: Vec<Vec<f32>>| -> Result<Tensor> {
            parts.reverse();
            let flat = parts.concat();
            Ok(Tensor::from_slice(&flat, flat.len(), &Device::Cpu)?)
        };
        let dx = if x_tracked { Some(Tensor::from_vec(grad, in_shape.clone(), &Device::Cpu)?) } else { None };
        let of = |parts| trained.then(|| flat(parts)).transpose();
        Ok([dx, of(weights)?, of(vectors)?])
    };
    Ok((function([&x, &weights, &vectors], z, backward)?, statistics))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "cuda")]
    use crate::ops::check::device;
    use crate::ops::check::{close, finite_differences, random, same, single};

    /// (kernel, stride, padding) of two or three layers, batch, time, channels in.
    type Case = (&'static [(usize, usize, usize)], usize, usize, usize);

    const CASES: [Case; 6] = [
        (&[(10, 5, 3), (8, 4, 2)], 2, 203, 1), // the first two layers of CPC, odd length
        (&[(4, 2, 1), (4, 2, 1), (4, 2, 1)], 3, 41, 5),
        (&[(3, 2, 0), (5, 1, 2)], 2, 17, 3), // a kernel that is not twice its stride
        (&[(2, 3, 0), (7, 2, 4)], 2, 31, 2), // gaps between windows; padding longer than a stride
        (&[(10, 5, 3)], 1, 10, 1),           // almost every window reaches into the padding
        (&[(3, 1, 1)], 2, 1, 4),             // no window without padding
    ];

    fn inputs(case: &Case) -> Vec<Tensor> {
        let mut inputs = vec![random(&[case.1, case.2, case.3], 1)];
        let mut channels = case.3;
        for (i, (kernel, ..)) in case.0.iter().enumerate() {
            let (out, seed) = (channels + 2 + 13 * i, 10 * i as u64);
            inputs.push((random(&[out, channels, *kernel], seed + 2) * 0.5).unwrap());
            inputs.extend((3..6).map(|s| random(&[out], seed + s)));
            channels = out;
        }
        inputs
    }

    fn layers(case: &Case, inputs: &[Tensor], norm: impl Fn(&Tensor) -> Norm) -> Vec<Layer> {
        let of = |(i, &(_, stride, padding)): (usize, &(usize, usize, usize))| Layer {
            weight: inputs[1 + 4 * i].clone(),
            bias: inputs[2 + 4 * i].clone(),
            affine: Some((inputs[3 + 4 * i].clone(), inputs[4 + 4 * i].clone())),
            norm: norm(&inputs[2 + 4 * i]),
            stride,
            padding,
        };
        case.0.iter().enumerate().map(of).collect()
    }

    fn norms() -> [fn(&Tensor) -> Norm; 3] {
        [
            |_| Norm::Channel,
            |_| Norm::Batch,
            |t| {
                let ones = Tensor::ones(t.dims(), t.dtype(), t.device()).unwrap();
                Norm::Fixed((&ones * 0.3).unwrap(), (&ones * 1.7).unwrap())
            },
        ]
    }

    #[test]
    fn fused_equals_composed_for_every_norm_and_shape() {
        for case in &CASES {
            for norm in norms() {
                let f = |inputs: &[Tensor]| Ok(encode(&inputs[0], &layers(case, inputs, norm))?.0);
                let c = |inputs: &[Tensor]| Ok(composed(&inputs[0], &layers(case, inputs, norm))?.0);
                same(f, c, &inputs(case));
            }
        }
    }

    #[test]
    fn without_a_norm_fused_equals_composed() {
        for case in &CASES {
            let plain = |inputs: &[Tensor]| {
                let mut all = vec![inputs[0].clone()];
                for pair in inputs[1..].chunks(2) {
                    all.extend_from_slice(pair);
                    all.extend([pair[1].detach(), pair[1].detach()]);
                }
                layers(case, &all, |_| Norm::None)
            };
            let kept: Vec<Tensor> = inputs(case)
                .into_iter()
                .enumerate()
                .filter(|(i, _)| *i == 0 || (i - 1) % 4 < 2)
                .map(|(_, t)| t)
                .collect();
            same(|t| Ok(encode(&t[0], &plain(t))?.0), |t| Ok(composed(&t[0], &plain(t))?.0), &kept);
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for case in &CASES[..5] {
            for norm in norms() {
                finite_differences(|t| Ok(composed(&t[0], &layers(case, t, norm))?.0), &inputs(case));
            }
        }
    }

    #[test]
    fn a_non_contiguous_input_gives_what_its_copy_gives() {
        let case = &CASES[1];
        let all: Vec<Tensor> = inputs(case).iter().map(single).collect();
        let turned = all[0].transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
        assert!(!turned.is_contiguous());
        let layers = layers(case, &all, |_| Norm::Channel);
        close(&encode(&turned, &layers).unwrap().0, &encode(&all[0], &layers).unwrap().0, 0.0);
        close(&composed(&turned, &layers).unwrap().0, &composed(&all[0], &layers).unwrap().0, 0.0);
    }

    #[test]
    fn batch_statistics_of_both_forms_agree() {
        let case = &CASES[0];
        let all: Vec<Tensor> = inputs(case).iter().map(single).collect();
        let layers = layers(case, &all, |_| Norm::Batch);
        let (a, b) = (encode(&all[0], &layers).unwrap().1, composed(&all[0], &layers).unwrap().1);
        assert_eq!((a.len(), b.len()), (2, 2));
        for (a, b) in a.iter().zip(&b) {
            close(&a.0, &b.0, 1e-5);
            close(&a.1, &b.1, 1e-5);
        }
    }

    #[cfg(feature = "cuda")]
    #[test]
    fn in_bf16_values_and_gradients_are_those_of_f32_to_its_precision() {
        use candle_core::Var;
        if !device().is_cuda() {
            return;
        }
        for case in &CASES {
            for norm in norms() {
                let of = |half: bool| {
                    let vars: Vec<Var> = inputs(case).iter().map(|t| Var::from_tensor(&single(t)).unwrap()).collect();
                    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
                    let y = cuda::encode(&tensors[0], &layers(case, &tensors, norm), half).unwrap().0;
                    let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                    let grads = vars.iter().map(|v| grads.get(v).unwrap().clone());
                    [vec![y], grads.collect()].concat()
                };
                for (half, whole) in of(true).iter().zip(of(false)) {
                    let norm = |t: &Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
                    let (far, size) = (norm(&(half - &whole).unwrap()), norm(&whole));
                    // Rounding turns some of these few activations off or on.
                    assert!(far <= 0.2 * size.max(1.0), "{far} of {size}");
                    assert!(size < 1.0 || far > 0.0, "bf16 is not used");
                }
            }
        }
    }

    #[test]
    fn an_input_has_its_gradient_whether_or_not_the_parameters_are_trained() {
        for case in &CASES {
            let all = inputs(case);
            let constants: Vec<Tensor> = all.iter().map(single).collect();
            let with_x = |x: &Tensor, rest: &[Tensor]| [std::slice::from_ref(x), rest].concat();
            same(
                |t| Ok(encode(&t[0], &layers(case, &with_x(&t[0], &constants[1..]), |_| Norm::Channel))?.0),
                |t| Ok(composed(&t[0], &layers(case, &with_x(&t[0], &all[1..]), |_| Norm::Channel))?.0),
                &all[..1],
            );
        }
    }

    #[test]
    fn too_short_an_input_is_an_error() {
        let all: Vec<Tensor> = inputs(&CASES[2]).iter().map(single).collect();
        let short = all[0].narrow(1, 0, 2).unwrap();
        let layers = layers(&CASES[2], &all, |_| Norm::Channel);
        assert!(encode(&short, &layers).is_err() && composed(&short, &layers).is_err());
    }
}
