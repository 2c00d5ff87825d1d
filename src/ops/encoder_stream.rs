//! The encoder on a signal that arrives in pieces: g_enc without a batch, without a graph, and for a signal of unknown length.
//!
//! Each layer keeps the input rows that later outputs still need, at most kernel minus stride of them, and returns each output row as soon as
//! its window is complete. The zeros before the signal are there from the start; those after it are added by [`EncoderStream::finish`]. So all
//! pieces together give the rows that [`encode`](super::encoder::encode) gives for the whole signal.
//!
//! On the CPU in f32, layers are prepared for many pieces. Elsewhere a layer is [`encode`](super::encoder::encode) without padding, and what lies
//! between the layers stays on the device.

use crate::error::{Error, Result};
use crate::ops::conv_shape::ConvShape;
use crate::ops::encoder::{self, Layer, Norm};
use crate::ops::function;
use crate::ops::matrix::{FEW_ROWS, Packed, View, ViewMut};
use crate::ops::norm;
use crate::ops::taps::Taps;
use candle_core::Tensor;
use rayon::prelude::*;
use std::sync::Arc;

/// Output rows per unit of work for one thread: enough to make the cost of packing the weight small in comparison.
const BLOCK_ROWS: usize = 512;

/// An encoder that resumes where the last piece ended. Clones share the weights.
#[derive(Debug, Clone)]
pub struct EncoderStream(Form);

#[derive(Debug, Clone)]
enum Form {
    Prepared(Vec<Pending>),
    Tensors(Vec<OfTensors>),
}

/// A layer with the input rows that are still needed.
#[derive(Debug, Clone)]
struct Pending {
    layer: Arc<Ready>,
    rows: Vec<f32>, // (n, C_in)
    skip: usize,    // rows still to arrive that no window needs (strides longer than kernels)
}

/// A layer prepared for many pieces.
#[derive(Debug)]
struct Ready {
    channels_in: usize,
    channels_out: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    form: Fused,
}

#[derive(Debug)]
struct Fused {
    taps: Taps,
    packed: Packed, // the weight by tap, for few rows
    bias: Vec<f32>,
    norm: ReadyNorm,
}

/// The norm that follows the convolution; ReLU comes after it.
#[derive(Debug)]
enum ReadyNorm {
    None,
    Channel {
        gain: Vec<f32>,
        shift: Vec<f32>,
    },
    /// Statistics, gain and shift of each channel, folded into one scale and one shift.
    Fixed {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
}

/// A layer without padding, with the input rows that are still needed, on its device.
#[derive(Debug, Clone)]
struct OfTensors {
    layer: Arc<Layer>,
    padding: usize,
    begun: bool,
    rows: Option<Tensor>, // (1, n, C_in), n > 0
    skip: usize,
}

impl EncoderStream {
    /// A stream before its first sample.
    ///
    /// # Errors
    /// If a layer is normalized by the statistics of its batch: give it [`Norm::Fixed`] statistics.
    pub fn new(layers: &[Layer]) -> Result<Self> {
        if layers.iter().any(|layer| matches!(layer.norm, Norm::Batch)) {
            let what = "a stream has no batch to compute statistics over".to_string();
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        let prepared = layers.first().is_none_or(|layer| function::Form::of(&layer.weight) == function::Form::Fused);
        let pending = |layer: &Layer| -> Result<Pending> {
            let layer = Ready::new(layer)?;
            Ok(Pending { rows: layer.zeros(), skip: 0, layer: Arc::new(layer) })
        };
        Ok(EncoderStream(match prepared {
            true => Form::Prepared(layers.iter().map(pending).collect::<Result<_>>()?),
            false => Form::Tensors(layers.iter().map(OfTensors::new).collect::<Result<_>>()?),
        }))
    }

    /// Takes input rows (n, C_in) and returns the output rows (m, C) that they complete; on this thread if `alone`, else on all threads.
    pub fn push(&mut self, rows: &[f32], alone: bool) -> Result<Vec<f32>> {
        let channels = match &self.0 {
            Form::Prepared(layers) => layers.first().map(|first| first.layer.channels_in),
            Form::Tensors(layers) => layers.first().map(|first| first.layer.weight.dim(1)).transpose()?,
        };
        let Some(channels) = channels else { return Ok(rows.to_vec()) };
        if !rows.len().is_multiple_of(channels) {
            let what = format!("{} floats are not whole rows of {channels}", rows.len());
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        match &mut self.0 {
            Form::Prepared(layers) => {
                layers[0].rows.extend_from_slice(rows);
                advance(layers, alone)
            }
            Form::Tensors(layers) => {
                let n = rows.len() / channels;
                let rows = Tensor::from_slice(rows, (1, n, channels), layers[0].layer.weight.device())?;
                advance_tensors(layers, (n > 0).then_some(rows))
            }
        }
    }

    /// Ends the signal and returns the output rows whose windows reach into the zeros after it. The stream is then back at its start.
    pub fn finish(&mut self, alone: bool) -> Result<Vec<f32>> {
        let mut rows = Vec::new();
        match &mut self.0 {
            Form::Prepared(layers) => {
                for i in 0..layers.len() {
                    let zeros = layers[i].layer.zeros();
                    layers[i].rows.extend(zeros);
                    rows.extend(advance(&mut layers[i..], alone)?);
                }
            }
            Form::Tensors(layers) => {
                for i in 0..layers.len() {
                    let zeros = layers[i].zeros()?;
                    rows.extend(advance_tensors(&mut layers[i..], zeros)?);
                }
            }
        }
        self.reset();
        Ok(rows)
    }

    /// Discards all pending rows: the stream is back at its start.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Form::Prepared(layers) => layers.iter_mut().for_each(|layer| {
                layer.rows = layer.layer.zeros();
                layer.skip = 0;
            }),
            Form::Tensors(layers) => layers.iter_mut().for_each(|layer| {
                (layer.begun, layer.rows, layer.skip) = (false, None, 0);
            }),
        }
    }
}

/// Passes the pending rows of the first layer through all of them.
fn advance(layers: &mut [Pending], alone: bool) -> Result<Vec<f32>> {
    let mut last = Vec::new();
    for i in 0..layers.len() {
        let (layer, above) = layers[i..].split_at_mut(1);
        let out = above.first_mut().map_or(&mut last, |above| &mut above.rows);
        layer[0].advance(out, alone)?;
    }
    Ok(last)
}

/// Passes new rows of the first layer through all of them.
fn advance_tensors(layers: &mut [OfTensors], mut rows: Option<Tensor>) -> Result<Vec<f32>> {
    for layer in layers {
        let Some(new) = rows else { return Ok(Vec::new()) };
        rows = layer.advance(new)?;
    }
    rows.map_or(Ok(Vec::new()), |rows| Ok(rows.flatten_all()?.to_vec1::<f32>()?))
}

impl OfTensors {
    fn new(layer: &Layer) -> Result<Self> {
        let padding = layer.padding;
        Ok(OfTensors {
            layer: Arc::new(Layer { padding: 0, ..layer.clone() }),
            padding,
            begun: false,
            rows: None,
            skip: 0,
        })
    }

    /// The padding on one side.
    fn zeros(&self) -> Result<Option<Tensor>> {
        let w = &self.layer.weight;
        let zeros = || Tensor::zeros((1, self.padding, w.dim(1)?), w.dtype(), w.device());
        Ok((self.padding > 0).then(zeros).transpose()?)
    }

    /// Takes rows and returns the output rows whose windows they complete; keeps what later windows need.
    fn advance(&mut self, new: Tensor) -> Result<Option<Tensor>> {
        // The first rows come after the zeros before the signal.
        let before = if self.begun { self.rows.take() } else { self.zeros()? };
        self.begun = true;
        let mut rows = match before {
            Some(before) => Tensor::cat(&[before, new], 1)?,
            None => new,
        };
        let skipped = self.skip.min(rows.dim(1)?);
        self.skip -= skipped;
        let (kernel, stride) = (self.layer.weight.dim(2)?, self.layer.stride);
        let held = rows.dim(1)? - skipped;
        if held == 0 {
            return Ok(None);
        }
        rows = rows.narrow(1, skipped, held)?;
        let n = held.checked_sub(kernel).map_or(0, |room| room / stride + 1);
        let used = (n * stride).min(held);
        let out = match n {
            0 => None,
            _ => Some(encoder::encode(&rows.contiguous()?, std::slice::from_ref(&self.layer))?.0),
        };
        self.skip += n * stride - used;
        // A copy, so that the rows that are no longer needed are freed.
        let rest = || rows.narrow(1, used, held - used)?.force_contiguous();
        self.rows = (used < held).then(rest).transpose()?;
        Ok(out)
    }
}

impl Pending {
    /// Appends the output rows whose windows are complete to `out`, and drops the input rows that no later window needs.
    fn advance(&mut self, out: &mut Vec<f32>, alone: bool) -> Result<()> {
        let Pending { layer, rows, skip } = self;
        let c = layer.channels_in;
        let skipped = (*skip).min(rows.len() / c);
        *skip -= skipped;
        rows.drain(..skipped * c);
        let held = rows.len() / c;
        let n = held.checked_sub(layer.kernel).map_or(0, |room| room / layer.stride + 1);
        if n == 0 {
            return Ok(());
        }
        layer.form.forward(layer, rows, n, out, alone)?;
        let used = (n * layer.stride).min(held);
        *skip = n * layer.stride - used;
        rows.drain(..used * c);
        Ok(())
    }
}

impl Ready {
    fn new(layer: &Layer) -> Result<Self> {
        let (channels_out, channels_in, kernel) = layer.weight.dims3()?;
        let form = Fused::new(layer)?;
        Ok(Ready { channels_in, channels_out, kernel, stride: layer.stride, padding: layer.padding, form })
    }

    /// The padding on one side.
    fn zeros(&self) -> Vec<f32> {
        vec![0.0; self.padding * self.channels_in]
    }
}

impl Fused {
    fn new(layer: &Layer) -> Result<Self> {
        let (channels_out, channels_in, kernel) = layer.weight.dims3()?;
        let floats = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_all()?.to_vec1::<f32>()?) };
        let (stride, padding) = (layer.stride, 0);
        let shape = ConvShape { time_in: 0, channels_in, channels_out, kernel, stride, padding };
        let taps = Taps::new(&shape, &floats(&layer.weight)?);
        let affine = match &layer.affine {
            Some((gain, shift)) => (floats(gain)?, floats(shift)?),
            None => (vec![1.0; channels_out], vec![0.0; channels_out]),
        };
        let norm = match &layer.norm {
            Norm::None | Norm::Batch => ReadyNorm::None,
            Norm::Channel => ReadyNorm::Channel { gain: affine.0, shift: affine.1 },
            Norm::Fixed(mean, variance) => {
                let rstd = floats(variance)?.into_iter().map(|v| 1.0 / (v + norm::EPS as f32).sqrt());
                let scale: Vec<f32> = affine.0.iter().zip(rstd).map(|(gain, r)| gain * r).collect();
                let mean = floats(mean)?;
                let shift = affine.1.iter().zip(&scale).zip(mean).map(|((shift, scale), m)| shift - scale * m);
                ReadyNorm::Fixed { shift: shift.collect(), scale }
            }
        };
        let packed = Packed::new(taps.by_tap()?);
        Ok(Fused { packed, bias: floats(&layer.bias)?, norm, taps })
    }

    /// Appends the `n` output rows of the windows in `x` to `out`.
    fn forward(&self, layer: &Ready, x: &[f32], n: usize, out: &mut Vec<f32>, alone: bool) -> Result<()> {
        let c = layer.channels_out;
        let step = layer.stride * layer.channels_in;
        let held = out.len();
        out.reserve(n * c);
        (0..n).for_each(|_| out.extend_from_slice(&self.bias));
        let y = &mut out[held..];
        let block = |(i, y): (usize, &mut [f32])| self.block(layer, &x[i * BLOCK_ROWS * step..], y);
        if alone || n <= BLOCK_ROWS {
            y.chunks_mut(BLOCK_ROWS * c).enumerate().try_for_each(block)
        } else {
            y.par_chunks_mut(BLOCK_ROWS * c).enumerate().try_for_each(block)
        }
    }

    /// Turns rows `y`, which hold the bias, into the output for the windows that begin at the start of `x`.
    fn block(&self, layer: &Ready, x: &[f32], y: &mut [f32]) -> Result<()> {
        let (c, step, width) = (layer.channels_out, layer.stride * layer.channels_in, layer.kernel * layer.channels_in);
        let n = y.len() / c;
        if n <= FEW_ROWS {
            self.packed.multiply_add(ViewMut::new(y, n, c, c)?, View::new(x, n, width, step)?)?;
        } else {
            self.taps.add_windows(x, step, y)?;
        }
        match &self.norm {
            ReadyNorm::None => norm::relu_in_place(y),
            ReadyNorm::Channel { gain, shift } => norm::channel_relu_in_place(y, gain, shift),
            ReadyNorm::Fixed { scale, shift } => norm::scale_relu_in_place(y, scale, shift),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{device, random, single};
    use candle_core::DType;
    use proptest::prelude::*;

    fn layer(channels_in: usize, channels: usize, kernel: usize, stride: usize, padding: usize, norm: Norm) -> Layer {
        let t = |shape: &[usize], seed| single(&random(shape, seed));
        let norm = match norm {
            Norm::Fixed(..) => Norm::Fixed(t(&[channels], 1), (t(&[channels], 2).sqr().unwrap() + 0.5).unwrap()),
            norm => norm,
        };
        let affine = (!matches!(norm, Norm::None)).then(|| (t(&[channels], 3), t(&[channels], 4)));
        Layer {
            weight: (t(&[channels, channels_in, kernel], 5) / ((channels_in * kernel) as f64).sqrt()).unwrap(),
            bias: t(&[channels], 6),
            affine,
            norm,
            stride,
            padding,
        }
    }

    fn stacks() -> Vec<Vec<Layer>> {
        let unit = || Tensor::zeros(1, DType::F32, &device()).unwrap();
        vec![
            // CPC's shapes with every norm, and unusual ones: kernels shorter than strides, or not a multiple of them.
            vec![
                layer(1, 16, 10, 5, 3, Norm::Channel),
                layer(16, 16, 8, 4, 2, Norm::Channel),
                layer(16, 6, 4, 2, 1, Norm::None),
            ],
            vec![
                layer(1, 35, 10, 5, 3, Norm::Fixed(unit(), unit())),
                layer(35, 33, 4, 2, 1, Norm::Fixed(unit(), unit())),
            ],
            vec![
                layer(2, 9, 2, 3, 1, Norm::None),
                layer(9, 16, 5, 2, 0, Norm::Channel),
                layer(16, 2, 1, 4, 0, Norm::None),
            ],
        ]
    }

    /// The output for the rows of `x` (T, C_in), cut into pieces of these lengths in rotation.
    fn in_pieces(stream: &mut EncoderStream, x: &[f32], channels: usize, pieces: &[usize], alone: bool) -> Vec<f32> {
        let (mut rows, mut at) = (Vec::new(), 0);
        for piece in pieces.iter().cycle() {
            let to = (at + piece * channels).min(x.len());
            rows.extend(stream.push(&x[at..to], alone).unwrap());
            at = to;
            if at == x.len() {
                break;
            }
        }
        rows.extend(stream.finish(alone).unwrap());
        rows
    }

    fn check(layers: &[Layer], time: usize, pieces: &[usize], alone: bool) {
        let channels = layers[0].weight.dim(1).unwrap();
        let x = single(&random(&[1, time, channels], 7));
        let want = encoder::composed(&x, layers).unwrap().0.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let x = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut stream = EncoderStream::new(layers).unwrap();
        stream.push(&x[..time / 2 * channels], true).unwrap();
        stream.reset();
        for _ in 0..2 {
            let got = in_pieces(&mut stream, &x, channels, pieces, alone);
            assert_eq!(got.len(), want.len());
            let far = got.iter().zip(&want).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max);
            assert!(far < 1e-5, "{far}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_pieces_make_the_whole(time in 60usize..3000, pieces in prop::collection::vec(1usize..700, 1..6)) {
            stacks().iter().for_each(|layers| check(layers, time, &pieces, true));
        }
    }

    #[test]
    fn long_pieces_on_all_threads_make_the_whole() {
        stacks().iter().for_each(|layers| check(layers, 20_000, &[19_000], false));
    }

    #[test]
    fn single_samples_make_the_whole() {
        stacks().iter().for_each(|layers| check(layers, 300, &[1], true));
    }

    #[test]
    fn a_norm_over_the_batch_is_refused() {
        assert!(EncoderStream::new(&[layer(1, 4, 4, 2, 1, Norm::Batch)]).is_err());
    }
}
