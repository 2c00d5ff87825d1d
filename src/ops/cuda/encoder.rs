//! g_enc: a convolution whose kernel covers J = ceil(kernel / stride) strides is J plain products over rows of `stride` samples.
//!
//! Row i of the matrix A (B * Q, stride * C_in) is the i-th stride of the padded input, where every item has Q = T + J - 1 of them, and M_j
//! (up to stride * C_in, C_out) is the j-th stride of the kernel's taps:
//!
//! ```text
//! y_i = sum_j A_(i + j) M_j        dM_j = sum_i A_(i + j)' dy_i        dA_i = sum_j dy_(i - j) M_j'
//! ```
//! The J - 1 rows at the end of each item, whose windows would reach into the next one, are computed, ignored, and have a gradient of zero. Each
//! layer writes its output as the padded input of the next one, so nothing is copied. The first layer, of one input channel, is computed anew
//! wherever it is needed instead of being stored.
//!
//! In bf16, activations between layers, their gradients and the weights of the products are bf16; samples, z, its gradient, sums, statistics and
//! the gradients of parameters are f32.

use crate::error::{Error, Result};
use crate::ops::conv_shape::ConvShape;
use crate::ops::cuda::gpu::{Address, BUSY, Float, Gpu, Module, address, address_of, blocks, launch, module};
use crate::ops::cuda::product::Matrix;
use crate::ops::cuda::reduce::chunk;
use crate::ops::encoder::{BatchStatistics, Layer, Norm, parameters};
use crate::ops::function::function;
use crate::ops::norm::EPS;
use candle_core::cuda_backend::cudarc::driver::DeviceRepr;
use candle_core::{DType, Tensor};

const ENCODER: Module = module!("encoder");

/// The longest kernel of a first layer that is computed anew.
const MAX_TAPS: usize = 16;
/// Threads of a block, and the most channels of a block.
const THREADS: usize = 256;
const WIDE: usize = 64;

/// `Source` of encoder.cu.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Source {
    y: Address,
    bias: Address,
    samples: Address,
    weight: Address,
    rows: u32,
    time: u32,
    channels: u32,
    time_in: u32,
    taps: u32,
    stride: u32,
    padding: u32,
}

// SAFETY: the same fields in the same order as in encoder.cu.
unsafe impl DeviceRepr for Source {}

/// `NONE`, `CHANNEL` and `COLUMN` of encoder.cu.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Normed {
    None = 0,
    Channel = 1,
    Column = 2,
}

/// The rows of an activation that is kept as the padded input of the layer that reads it.
#[derive(Debug, Clone, Copy)]
struct Segments {
    /// Rows of zeros before it.
    pad: usize,
    /// Rows of an item.
    rows: usize,
}

/// The sizes of a layer's matrices.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    shape: ConvShape,
    batch: usize,
    time: usize,
    /// J.
    strides: usize,
    /// Q.
    rows: usize,
    /// Whether products compute it even if it could be computed anew.
    stored: bool,
}

impl Sizes {
    fn of(layer: &Layer, batch: usize, time_in: usize) -> Result<Sizes> {
        let (channels_out, channels_in, kernel) = layer.weight.dims3()?;
        let shape =
            ConvShape { time_in, channels_in, channels_out, kernel, stride: layer.stride, padding: layer.padding };
        let (time, strides) = (shape.time_out(), kernel.div_ceil(layer.stride));
        if time == 0 || batch == 0 {
            let what = format!("{batch} x {time_in} steps are not a valid input for {shape:?}");
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        Ok(Sizes { shape, batch, time, strides, rows: time + strides - 1, stored: false })
    }

    /// What this layer reads.
    fn input(&self) -> Segments {
        Segments { pad: self.shape.padding, rows: self.rows * self.shape.stride }
    }

    /// Floats of a row of A.
    fn step(&self) -> usize {
        self.shape.stride * self.shape.channels_in
    }

    /// Rows of M_j.
    fn block(&self, j: usize) -> usize {
        (self.shape.kernel - j * self.shape.stride).min(self.shape.stride) * self.shape.channels_in
    }

    /// Rows that products have.
    fn product_rows(&self) -> usize {
        self.batch * self.rows - (self.strides - 1)
    }

    /// Whether the layer is computed anew wherever it is needed.
    fn anew(&self) -> bool {
        !self.stored && self.shape.channels_in == 1 && self.shape.kernel <= MAX_TAPS
    }
}

/// How numbers are stored in a layer and in its output.
#[derive(Debug, Clone, Copy)]
struct Stored {
    inside: Float,
    out: Float,
}

impl Stored {
    /// The kernel of this name for these numbers.
    fn kernel(self, name: &str) -> String {
        let letter = |float| if float == Float::F32 { "f" } else { "b" };
        format!("{name}_{}_{}", letter(self.inside), letter(self.out))
    }
}

/// What a layer keeps for backward.
struct Kept {
    sizes: Sizes,
    stored: Stored,
    normed: Normed,
    batch_norm: bool,
    /// The samples, or the padded output of the layer below.
    input: Tensor,
    /// M, (kernel * C_in, C_out).
    taps: Tensor,
    bias: Tensor,
    affine: Option<(Tensor, Tensor)>,
    /// What the products wrote; none if it is computed anew.
    y: Option<Tensor>,
    /// Mean and 1 / standard deviation by channel.
    columns: Option<Tensor>,
    /// Where its output is.
    out: Segments,
}

impl Kept {
    fn source(&self) -> Result<Source> {
        let ConvShape { channels_out, kernel, stride, padding, time_in, .. } = self.sizes.shape;
        let anew = self.y.is_none();
        Ok(Source {
            y: address_of(self.y.as_ref())?,
            bias: address(&self.bias)?,
            samples: if anew { address(&self.input)? } else { Address::NULL },
            weight: address(&self.taps)?,
            rows: self.sizes.rows as u32,
            time: self.sizes.time as u32,
            channels: channels_out as u32,
            time_in: time_in as u32,
            taps: kernel as u32,
            stride: stride as u32,
            padding: padding as u32,
        })
    }

    /// (mean, 1 / standard deviation) by channel, (gain, shift).
    fn vectors(&self) -> Result<[Address; 4]> {
        let columns = address_of(self.columns.as_ref())?;
        let second = if self.columns.is_some() { columns.plus(self.channels()) } else { Address::NULL };
        let (gain, shift) = (self.affine.as_ref().map(|a| &a.0), self.affine.as_ref().map(|a| &a.1));
        Ok([columns, second, address_of(gain)?, address_of(shift)?])
    }

    fn channels(&self) -> usize {
        self.sizes.shape.channels_out
    }

    /// Bytes of what the convolution gives, as far as it is read from memory.
    fn traffic(&self) -> usize {
        match &self.y {
            Some(y) => self.stored.inside.bytes() * y.elem_count(),
            None => 4 * self.input.elem_count(),
        }
    }

    /// Runs a layer on `input`, and writes its output to `out`.
    fn forward(
        gpu: &Gpu,
        layer: &Layer,
        sizes: Sizes,
        input: Tensor,
        out: Segments,
        stored: Stored,
    ) -> Result<(Kept, Tensor, Option<BatchStatistics>)> {
        let Sizes { shape, batch, time, .. } = sizes;
        let channels = shape.channels_out;
        let inside = stored.inside;
        let taps = gpu.taps(&layer.weight, sizes, if sizes.anew() { Float::F32 } else { inside })?;
        let y = if sizes.anew() {
            None
        } else {
            let y = gpu.numbers(batch * sizes.rows * channels, inside)?;
            let (a, m, to) = (address(&input)?, address(&taps)?, Matrix::of(address(&y)?, channels, inside));
            for j in 0..sizes.strides {
                let rows = Matrix::of(a.after(j * sizes.step(), inside), sizes.step(), inside);
                let m = Matrix::of(m.after(j * sizes.step() * channels, inside), channels, inside);
                gpu.product_to([sizes.product_rows(), channels, sizes.block(j)], rows, m, to, j > 0)?;
            }
            Some(y)
        };
        let constant = |t: &Tensor| -> Result<Tensor> { Ok(t.detach().contiguous()?) };
        let affine = match (&layer.norm, &layer.affine) {
            (Norm::None, _) | (_, None) => None,
            (_, Some((gain, shift))) => Some((constant(gain)?, constant(shift)?)),
        };
        let normed = match layer.norm {
            Norm::None => Normed::None,
            Norm::Channel => Normed::Channel,
            Norm::Batch | Norm::Fixed(..) => Normed::Column,
        };
        let batch_norm = matches!(layer.norm, Norm::Batch);
        let bias = constant(&layer.bias)?;
        let mut kept = Kept { sizes, stored, normed, batch_norm, input, taps, bias, affine, y, columns: None, out };
        let mut statistics = None;
        match &layer.norm {
            Norm::Fixed(mean, variance) => {
                let rstd = (variance.detach() + EPS)?.sqrt()?.recip()?;
                kept.columns = Some(Tensor::cat(&[mean.detach().contiguous()?, rstd], 0)?);
            }
            Norm::Batch => {
                let rows = batch * time;
                let chunk = chunk(rows);
                let (chunks, columns) = (rows.div_ceil(chunk), gpu.floats(3 * channels)?);
                let parts = gpu.floats(chunks * 2 * channels)?;
                let kernel = if inside == Float::F32 { "encoder_moments_f" } else { "encoder_moments_b" };
                launch!(gpu, ENCODER kernel, [chunks, channels.div_ceil(WIDE)], WIDE, 0, kept.traffic();
                    kept.source()?, parts.at(), batch as u32, chunk as u32);
                launch!(gpu, ENCODER "encoder_moments_join", [blocks(channels, 64, BUSY), 1], 64, 0, 8 * chunks * channels;
                    parts.at(), columns.at(), chunks as u32, chunk as u32, rows as u32, channels as u32);
                let columns = columns.tensor(3 * channels);
                let part = |i: usize| columns.narrow(0, i * channels, channels);
                statistics = Some((part(0)?, part(2)?));
                kept.columns = Some(columns);
            }
            _ => {}
        }
        let n = batch * out.rows * channels;
        let to = gpu.numbers(n, stored.out)?;
        let [mean, rstd, gain, shift] = kept.vectors()?;
        let traffic = kept.traffic() + stored.out.bytes() * n;
        launch!(gpu, ENCODER &stored.kernel("encoder_forward"), [blocks(batch * out.rows, THREADS / 32, BUSY), 1], THREADS, 0, traffic;
            kept.source()?, normed as u32, mean, rstd, gain, shift, address(&to)?, batch as u32, out.pad as u32, out.rows as u32);
        Ok((kept, to.reshape((batch, out.rows, channels))?, statistics))
    }

    /// The gradients of the weight and of the vectors (bias, then gain and shift), and, if `below`, of the padded input.
    fn backward(&self, gpu: &Gpu, dout: Tensor, below: bool) -> Result<(Tensor, Tensor, Option<Tensor>)> {
        let Sizes { shape, batch, time, strides, rows, .. } = self.sizes;
        let (channels, count) = (self.channels(), batch * time);
        let [mean, rstd, gain, shift] = self.vectors()?;
        let (source, pad, out_rows) = (self.source()?, self.out.pad as u32, self.out.rows as u32);
        let stored = self.stored;
        let both = self.traffic() + stored.out.bytes() * count * channels;
        let sums = match self.normed {
            Normed::Channel => {
                let sums = gpu.floats(count * 4)?;
                launch!(gpu, ENCODER &stored.kernel("encoder_row_sums"), [blocks(count, THREADS / 32, BUSY), 1], THREADS, 0, both + 16 * count;
                    source, gain, shift, address(&dout)?, sums.at(), batch as u32, pad, out_rows);
                Some(sums.tensor((count, 4)))
            }
            _ => None,
        };
        let (chunk, lead) = (chunk(count), strides - 1);
        let chunks = count.div_ceil(chunk);
        let taps = if self.y.is_none() { shape.kernel } else { 0 };
        let columns = (3 + taps) * channels;
        let parts = gpu.floats(chunks * columns)?;
        let total = gpu.floats(columns)?;
        let dy = match self.y {
            Some(_) => Some(gpu.numbers((lead + batch * rows) * channels, stored.inside)?),
            None => None,
        };
        // Batch norm needs the sums of all rows before the gradient of any.
        let passes: &[bool] = if self.batch_norm { &[false, true] } else { &[true] };
        let totals = gpu.floats(2 * channels)?;
        for &last in passes {
            let to = if last { address_of(dy.as_ref())? } else { Address::NULL };
            let of_all = if self.batch_norm { totals.at() } else { Address::NULL };
            let traffic = both
                + 4 * chunks * columns
                + if last && dy.is_some() { stored.inside.bytes() * count * channels } else { 0 };
            launch!(gpu, ENCODER &stored.kernel("encoder_backward"), [chunks, channels.div_ceil(WIDE)], WIDE, 0, traffic;
                source, self.normed as u32, mean, rstd, gain, shift, address(&dout)?, address_of(sums.as_ref())?,
                if last { of_all } else { Address::NULL }, to, parts.at(), batch as u32, pad, out_rows, lead as u32, chunk as u32);
            gpu.sum_parts(parts.at(), total.at(), chunks, columns, 1.0)?;
            if !last {
                // Gain and shift follow the bias.
                gpu.sum_parts(total.at().plus(channels), totals.at(), 1, 2 * channels, 1.0)?;
            }
        }
        drop(dout);
        let total = total.tensor(columns);
        let vectors = total.narrow(0, 0, if self.affine.is_some() { 3 * channels } else { channels })?;
        let Some(dy) = dy else {
            let taps = total.narrow(0, 3 * channels, taps * channels)?;
            return Ok((gpu.weight_of_taps(&taps, self.sizes)?, vectors, None));
        };
        let (step, n) = (self.sizes.step(), self.sizes.product_rows());
        let width = shape.kernel * shape.channels_in;
        let (dm, a, inside) = (gpu.floats(width * channels)?, address(&self.input)?, stored.inside);
        let dy_at = address(&dy)?;
        for j in 0..strides {
            let rows = Matrix::of(a.after(j * step, inside), step, inside);
            let dy = Matrix::of(dy_at.after(lead * channels, inside), channels, inside);
            let to = Matrix::new(dm.at().plus(j * step * channels), channels);
            gpu.product_to([self.sizes.block(j), channels, n], rows.t(), dy, to, false)?;
        }
        let dweight = gpu.weight_of_taps(&dm.tensor(width * channels), self.sizes)?;
        if !below {
            return Ok((dweight, vectors, None));
        }
        let floats = batch * rows * step;
        let mut da = gpu.numbers(floats, inside)?;
        if shape.kernel < shape.stride {
            da = da.zeros_like()?; // a kernel shorter than a stride leaves samples without a gradient
        }
        let (m, to) = (address(&self.taps)?, Matrix::of(address(&da)?, step, inside));
        for j in 0..strides {
            let dy = Matrix::of(dy_at.after((lead - j) * channels, inside), channels, inside);
            let m = Matrix::of(m.after(j * step * channels, inside), channels, inside);
            gpu.product_to([batch * rows, self.sizes.block(j), channels], dy, m.t(), to, j > 0)?;
        }
        Ok((dweight, vectors, Some(da.reshape((batch, rows * shape.stride, shape.channels_in))?)))
    }
}

impl Gpu {
    /// A weight as the products need it, (kernel * C_in, C_out).
    fn taps(&self, weight: &Tensor, sizes: Sizes, float: Float) -> Result<Tensor> {
        let to = self.numbers(weight.elem_count(), float)?;
        self.transpose(
            weight,
            &to,
            sizes,
            false,
            if float == Float::F32 { "encoder_taps_f" } else { "encoder_taps_b" },
        )?;
        Ok(to)
    }

    /// The gradient of a weight, flat, from that of its taps.
    fn weight_of_taps(&self, taps: &Tensor, sizes: Sizes) -> Result<Tensor> {
        let to = self.numbers(taps.elem_count(), Float::F32)?;
        self.transpose(taps, &to, sizes, true, "encoder_taps_f")?;
        Ok(to)
    }

    fn transpose(&self, from: &Tensor, to: &Tensor, sizes: Sizes, back: bool, kernel: &str) -> Result<()> {
        let ConvShape { channels_out, channels_in, kernel: taps, .. } = sizes.shape;
        let (from, n) = (from.detach().contiguous()?, to.elem_count());
        launch!(self, ENCODER kernel, [blocks(n, THREADS, BUSY), 1], THREADS, 0, 8 * n;
            address(&from)?, address(to)?, channels_out as u32, channels_in as u32, taps as u32, u32::from(back));
        Ok(())
    }

    /// `rows` rows of each item of `from` (B, R, C), from row `first` on, at row `at` of an item of `to_rows` rows.
    fn place(&self, from: &Tensor, first: usize, to_rows: usize, at: usize, float: Float) -> Result<Tensor> {
        let (batch, rows, channels) = from.dims3()?;
        let n = batch * to_rows * channels;
        let to = self.numbers(n, float)?;
        let inside = if from.dtype() == DType::BF16 { Float::Bf16 } else { Float::F32 };
        launch!(self, ENCODER &Stored { inside, out: float }.kernel("encoder_place"), [blocks(n, THREADS, BUSY), 1], THREADS, 0, 8 * n;
            address(from)?, address(&to)?, batch as u32, rows as u32, to_rows as u32, channels as u32, first as u32, at as u32);
        Ok(to.reshape((batch, to_rows, channels))?)
    }
}

/// [`encode`](crate::ops::encoder::encode) on a GPU, one node of the graph; in bf16 if `half`.
pub(in crate::ops) fn encode(x: &Tensor, layers: &[Layer], half: bool) -> Result<(Tensor, Vec<BatchStatistics>)> {
    let x = x.contiguous()?;
    let gpu = Gpu::of(&x)?;
    let (batch, time_in, channels_in) = x.dims3()?;
    let mut sizes: Vec<Sizes> = Vec::new();
    for layer in layers {
        let time_in = sizes.last().map_or(time_in, |last| last.time);
        sizes.push(Sizes { stored: !sizes.is_empty(), ..Sizes::of(layer, batch, time_in)? });
    }
    let Some(first) = sizes.first() else { return Ok((x, Vec::new())) };
    if first.shape.channels_in != channels_in {
        let what = format!("{channels_in} channels are not a valid input for {:?}", first.shape);
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    let [weights, vectors] = parameters(&x, layers)?;
    let trained = weights.track_op() || vectors.track_op();
    let training = x.track_op() || trained;
    // The first layer reads samples as they are, if it is computed anew and they need no gradient.
    let anew = first.anew() && !x.track_op();
    let inside = if half { Float::Bf16 } else { Float::F32 };
    let mut input = x.detach();
    if !anew {
        let Segments { pad, rows } = sizes[0].input();
        input = gpu.place(&input, 0, rows, pad, inside)?;
        sizes[0].stored = true;
    }
    let (mut kept, mut statistics) = (Vec::new(), Vec::new());
    for (i, layer) in layers.iter().enumerate() {
        let out = sizes.get(i + 1).map_or(Segments { pad: 0, rows: sizes[i].time }, Sizes::input);
        let stored = Stored { inside, out: if i + 1 < sizes.len() { inside } else { Float::F32 } };
        let (layer, next, of_batch) = Kept::forward(&gpu, layer, sizes[i], input, out, stored)?;
        statistics.extend(of_batch);
        if training {
            kept.push(layer);
        }
        input = next;
    }
    let (x_tracked, shape) = (x.track_op(), x.shape().clone());
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        let mut grad = Some(grad.contiguous()?);
        let (mut weights, mut vectors) = (Vec::new(), Vec::new()); // last layer first
        for (i, layer) in kept.iter().enumerate().rev() {
            let Some(above) = grad.take() else { break };
            let (dweight, dvectors, below) = layer.backward(&gpu, above, i > 0 || x_tracked)?;
            weights.push(dweight);
            vectors.push(dvectors);
            grad = below;
        }
        weights.reverse();
        vectors.reverse();
        let dx = match grad {
            Some(grad) => Some(gpu.place(&grad, sizes[0].shape.padding, shape.dims()[1], 0, Float::F32)?),
            None => None,
        };
        let of = |parts: &[Tensor]| trained.then(|| Tensor::cat(parts, 0)).transpose();
        Ok([dx, of(&weights)?, of(&vectors)?])
    };
    Ok((function([&x, &weights, &vectors], input, backward)?, statistics))
}

/// [`first`](crate::ops::rows::first).
pub(in crate::ops) fn first(x: &Tensor, n: usize) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (gpu, time) = (Gpu::of(&x)?, x.dim(1)?);
    let out = gpu.place(&x, 0, n, 0, Float::F32)?;
    let constant = x.detach();
    let backward = move |grad: &Tensor| -> Result<[Option<Tensor>; 3]> {
        Ok([Some(gpu.place(&grad.contiguous()?, 0, time, 0, Float::F32)?), None, None])
    };
    function([&x, &constant, &constant], out, backward)
}
