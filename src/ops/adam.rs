//! One step of Adam (Kingma and Ba 2015, algorithm 1) with AdamW's decoupled decay (Loshchilov and Hutter 2019), in place.
//!
//! ```text
//! m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g^2
//! p = p - lr * decay * p - lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)
//! ```
//! The gradient is first scaled by `scale`, a tensor of one element, so that clipping needs no value on the host.
//!
//! [`AdamStep::apply_rows`] does this to some rows of a table and leaves the others, with their moments, bitwise unchanged: the lazy Adam of
//! PyTorch's `SparseAdam`. It differs from the dense step for a row whose token is in no batch: the moments of that row do not decay, they do
//! not move it, and AdamW does not shrink it. The bias correction uses the steps of the run, not those of the row, as in `SparseAdam`. Epsilon
//! is added as above, whereas `SparseAdam` adds it before the correction.

use crate::error::{Error, Result};
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::Form;
use crate::ops::simd::kernel;
use candle_core::{CpuStorage, DType, InplaceOp2, InplaceOp3, Layout, Tensor, Var};
use rayon::prelude::*;

/// The hyperparameters and the number of one step.
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

/// A parameter and its moments.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// The parameter.
    pub param: &'a Var,
    /// The first moment.
    pub m: &'a Var,
    /// The second moment.
    pub v: &'a Var,
}

/// The global norm of `grads`, at least one, and the factor by which they are to be multiplied: `scale`, or less where the norm times `scale` is
/// above `clip`, if that is above 0. Both have one element and stay on the device.
///
/// # Errors
/// Only errors of the device.
pub fn norm(grads: &[&Tensor], scale: f64, clip: f64) -> Result<(Tensor, Tensor)> {
    let device = grads[0].device();
    match Form::of(grads[0]) {
        #[cfg(feature = "cuda")]
        Form::Kernels => {
            let grads = grads.iter().map(|g| g.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
            cuda::norm(&grads.iter().collect::<Vec<_>>(), device, scale, clip)
        }
        _ => {
            let squares = grads.iter().map(|g| g.sqr()?.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
            let norm = Tensor::stack(&squares, 0)?.sum_all()?.sqrt()?.reshape(1)?;
            let mut factor = Tensor::full(scale as f32, 1, device)?;
            if clip > 0.0 {
                let scaled = (norm.to_dtype(DType::F32)? * scale)?;
                factor = (factor * ((scaled + 1e-6)?.recip()? * clip)?.minimum(1.0)?)?;
            }
            Ok((norm, factor))
        }
    }
}

impl AdamStep {
    /// The learning rate and the second moment's factor with their bias corrections, and what is kept of a parameter.
    pub(super) fn factors(&self) -> [f32; 3] {
        let (c1, c2) = self.corrections();
        [(self.lr / c1) as f32, (1.0 / c2) as f32, (1.0 - self.lr * self.decay) as f32]
    }

    /// Updates all `slots` by one step, each for its gradient times `scale` (one element).
    ///
    /// # Errors
    /// If shapes differ.
    pub fn apply_all(&self, slots: &[(Slot, &Tensor)], scale: &Tensor) -> Result<()> {
        match slots.first().map(|(slot, _)| Form::of(slot.param)) {
            #[cfg(feature = "cuda")]
            Some(Form::Kernels) => {
                let grads = slots.iter().map(|(_, g)| g.contiguous()).collect::<candle_core::Result<Vec<_>>>()?;
                let slots: Vec<_> = slots.iter().map(|(slot, _)| *slot).zip(&grads).collect();
                cuda::step_all(self, &slots, scale)
            }
            _ => slots.iter().try_for_each(|(slot, grad)| self.apply(slot.param, slot.m, slot.v, grad, scale)),
        }
    }

    fn corrections(&self) -> (f64, f64) {
        let t = self.step as f64;
        (1.0 - self.beta1.powf(t), 1.0 - self.beta2.powf(t))
    }

    /// Updates `p` and its moments `m` and `v` by one step for the gradient `grad` (all of one shape) times `scale` (one element).
    pub fn apply(&self, p: &Var, m: &Var, v: &Var, grad: &Tensor, scale: &Tensor) -> Result<()> {
        match Form::of(p) {
            Form::Fused => self.fused(p, m, v, grad, scale),
            #[cfg(feature = "cuda")]
            Form::Kernels => self.apply_all(&[(Slot { param: p, m, v }, grad)], scale),
            Form::Composed => self.composed(p, m, v, grad, scale),
        }
    }

    /// Updates the rows `ids` (U, ascending) of the table `p` (V, M) and of its moments by one step for the gradient `grad` (U, M) times
    /// `scale`; touches no other row.
    ///
    /// # Errors
    /// If `ids` are not ascending rows of the table, or differ in number from the rows of `grad`.
    pub fn apply_rows(&self, p: &Var, m: &Var, v: &Var, ids: &[u32], grad: &Tensor, scale: &Tensor) -> Result<()> {
        let (rows, _) = p.dims2()?;
        let inside = ids.last().is_none_or(|&last| (last as usize) < rows);
        if !inside || ids.windows(2).any(|pair| pair[0] >= pair[1]) || grad.dim(0)? != ids.len() {
            let what = format!(
                "a gradient of {} rows does not match {} ascending rows of a table of {rows}",
                grad.dim(0)?,
                ids.len()
            );
            return Err(Error::Tensor(candle_core::Error::Msg(what)));
        }
        if ids.is_empty() {
            return Ok(());
        }
        match Form::of(p) {
            Form::Fused => self.step(p, m, v, grad, scale, Some(ids)),
            _ => self.composed_rows(p, m, v, ids, grad, scale),
        }
    }

    /// [`AdamStep::apply_rows`] built from candle operations: the rows are selected, updated, and written back.
    fn composed_rows(&self, p: &Var, m: &Var, v: &Var, ids: &[u32], grad: &Tensor, scale: &Tensor) -> Result<()> {
        let at = Tensor::from_slice(ids, (ids.len(), 1), p.device())?;
        let everywhere = at.broadcast_as((ids.len(), p.dim(1)?))?.contiguous()?;
        let at = at.squeeze(1)?;
        let taken = |table: &Var| Var::from_tensor(&table.as_tensor().detach().index_select(&at, 0)?);
        let rows = [taken(p)?, taken(m)?, taken(v)?];
        self.composed(&rows[0], &rows[1], &rows[2], grad, scale)?;
        for (table, rows) in [p, m, v].into_iter().zip(&rows) {
            table.as_tensor().scatter_set(&everywhere, &rows.as_tensor().detach(), 0)?;
        }
        Ok(())
    }

    /// [`AdamStep::apply`] built from candle operations.
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
        self.step(p, m, v, grad, scale, None)
    }

    fn step(&self, p: &Var, m: &Var, v: &Var, grad: &Tensor, scale: &Tensor, rows: Option<&[u32]>) -> Result<()> {
        let scale = scale.flatten_all()?.get(0)?.to_scalar::<f32>()?;
        let grad = grad.contiguous()?;
        m.inplace_op2(&grad, &Moment { decay: self.beta1 as f32, scale, square: false, rows })?;
        v.inplace_op2(&grad, &Moment { decay: self.beta2 as f32, scale, square: true, rows })?;
        let [lr, root, keep] = self.factors();
        let update = Update { lr, root, eps: self.eps as f32, keep, rows };
        p.inplace_op3(m, v, &update)?;
        Ok(())
    }
}

/// Floats per task.
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

/// Where to write: chunks of a whole table, or its given rows (ascending), each with the offset at which it begins.
fn pieces<'a>(table: &'a mut [f32], rows: Option<(&[u32], usize)>) -> Vec<(usize, &'a mut [f32])> {
    let Some((rows, width)) = rows else {
        return table.chunks_mut(CHUNK).enumerate().map(|(i, piece)| (i * CHUNK, piece)).collect();
    };
    let (mut rest, mut passed) = (table, 0);
    let mut out = Vec::with_capacity(rows.len());
    for &row in rows {
        let start = row as usize * width;
        let (piece, after) = rest.split_at_mut(start - passed).1.split_at_mut(width);
        out.push((start, piece));
        (rest, passed) = (after, start + width);
    }
    out
}

/// The given rows, with the row width of a table with this layout.
fn of_width<'a>(rows: Option<&'a [u32]>, table: &Layout) -> Option<(&'a [u32], usize)> {
    rows.map(|rows| (rows, table.dims().last().copied().unwrap_or(1)))
}

/// `m = decay * m + (1 - decay) * (scale * g)`, or with the square of `scale * g`.
struct Moment<'a> {
    decay: f32,
    scale: f32,
    square: bool,
    rows: Option<&'a [u32]>,
}

impl InplaceOp2 for Moment<'_> {
    fn name(&self) -> &'static str {
        "adam-moment"
    }

    fn cpu_fwd(&self, m: &mut CpuStorage, ml: &Layout, g: &CpuStorage, gl: &Layout) -> candle_core::Result<()> {
        let (m, g) = (slices_mut(m, ml)?, slices(g, gl)?);
        let (b, a, scale) = (self.decay, 1.0 - self.decay, self.scale);
        let rows = of_width(self.rows, ml);
        let length = rows.map_or(CHUNK, |(_, width)| width.max(1));
        pieces(m, rows).into_par_iter().zip(g.par_chunks(length)).for_each(|((_, m), g)| {
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
struct Update<'a> {
    lr: f32,
    root: f32,
    eps: f32,
    keep: f32,
    rows: Option<&'a [u32]>,
}

impl InplaceOp3 for Update<'_> {
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
        let Update { lr, root, eps, keep, rows } = *self;
        pieces(p, of_width(rows, pl)).into_par_iter().for_each(|(start, p)| {
            let here = start..start + p.len();
            update(p, &m[here.clone()], &v[here], lr, root, eps, keep);
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
    use crate::ops::check::{close, device, random, single};
    use candle_core::{DType, Device};

    #[test]
    fn fused_equals_composed_over_several_steps() {
        let cpu = Device::Cpu;
        let vars = |device: &Device| -> [Var; 3] {
            let p = random(&[7, 33], 1).to_dtype(DType::F32).unwrap().to_device(device).unwrap();
            let zeros = || Var::zeros((7, 33), DType::F32, device).unwrap();
            [Var::from_tensor(&p).unwrap(), zeros(), zeros()]
        };
        let (a, b) = (vars(&device()), vars(&cpu));
        let scale = Tensor::new(&[0.7f32], &cpu).unwrap();
        for step in 1..=5 {
            let adam = AdamStep { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.1, step };
            let grad = random(&[7, 33], step).to_dtype(DType::F32).unwrap();
            adam.apply(&a[0], &a[1], &a[2], &single(&grad), &single(&scale)).unwrap();
            adam.composed(&b[0], &b[1], &b[2], &grad, &scale).unwrap();
        }
        for (a, b) in a.iter().zip(&b) {
            close(a, b, 1e-6);
        }
    }

    #[test]
    fn norms_and_steps_of_many_parameters_are_those_of_each() {
        // More parameters than a launch has, of all sizes.
        let sizes: Vec<usize> = (0..60).map(|i| 1 + i * i * 3).collect();
        let of = |seed: u64, n: usize| single(&random(&[n], seed));
        let grads: Vec<Tensor> = sizes.iter().map(|&n| of(n as u64, n)).collect();
        let squares: f64 = grads.iter().flat_map(|g| g.to_vec1::<f32>().unwrap()).map(|g| f64::from(g).powi(2)).sum();
        let all: Vec<&Tensor> = grads.iter().collect();
        let (found, factor) = norm(&all, 0.5, 2.0).unwrap();
        let scalar = |t: &Tensor| f64::from(t.to_vec1::<f32>().unwrap()[0]);
        assert!((scalar(&found) / squares.sqrt() - 1.0).abs() < 1e-5);
        assert!((scalar(&factor) / (0.5 * 2.0 / (0.5 * squares.sqrt())) - 1.0).abs() < 1e-5);
        assert_eq!(scalar(&norm(&all, 0.5, 1e9).unwrap().1), 0.5);
        let vars = |seed: u64| -> Vec<Var> {
            sizes.iter().map(|&n| Var::from_tensor(&of(seed + n as u64, n).sqr().unwrap()).unwrap()).collect()
        };
        let [(p, m, v), (q, n, w)] = [(vars(1), vars(2), vars(3)), (vars(1), vars(2), vars(3))];
        let slots: Vec<_> = (0..60).map(|i| (Slot { param: &p[i], m: &m[i], v: &v[i] }, &grads[i])).collect();
        ADAM.apply_all(&slots, &factor).unwrap();
        for i in 0..60 {
            ADAM.composed(&q[i], &n[i], &w[i], &grads[i], &factor).unwrap();
            for (a, b) in [(&p, &q), (&m, &n), (&v, &w)] {
                close(&a[i], &b[i], 1e-5);
            }
        }
    }

    /// A table and its moments, (9, 5), all nonzero.
    fn table() -> [Var; 3] {
        let var = |seed| Var::from_tensor(&random(&[9, 5], seed).to_dtype(DType::F32).unwrap()).unwrap();
        let v = var(3);
        v.set(&v.sqr().unwrap().detach()).unwrap();
        [var(1), var(2), v]
    }

    const ADAM: AdamStep = AdamStep { lr: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.1, step: 3 };

    #[test]
    fn every_row_touched_is_the_dense_step_to_the_bit() {
        let (dense, sparse) = (table(), table());
        let (scale, all) = (Tensor::new(&[0.7f32], &Device::Cpu).unwrap(), (0..9).collect::<Vec<u32>>());
        for step in 3..6 {
            let adam = AdamStep { step, ..ADAM };
            let grad = random(&[9, 5], step).to_dtype(DType::F32).unwrap();
            adam.apply(&dense[0], &dense[1], &dense[2], &grad, &scale).unwrap();
            adam.apply_rows(&sparse[0], &sparse[1], &sparse[2], &all, &grad, &scale).unwrap();
        }
        for (a, b) in dense.iter().zip(&sparse) {
            assert_eq!(a.to_vec2::<f32>().unwrap(), b.to_vec2::<f32>().unwrap());
        }
    }

    #[test]
    fn other_rows_stay_to_the_bit_and_touched_ones_move_as_the_dense_step_moves_them() {
        let ids = [0u32, 2, 3, 8];
        let grad = random(&[9, 5], 7).to_dtype(DType::F32).unwrap();
        let some = grad.index_select(&Tensor::new(&ids, &Device::Cpu).unwrap(), 0).unwrap();
        let scale = Tensor::new(&[0.7f32], &Device::Cpu).unwrap();
        let (before, dense) = (table(), table());
        ADAM.apply(&dense[0], &dense[1], &dense[2], &grad, &scale).unwrap();
        let composed = |[p, m, v]: &[Var; 3]| ADAM.composed_rows(p, m, v, &ids, &some, &scale).unwrap();
        let fused = |[p, m, v]: &[Var; 3]| ADAM.apply_rows(p, m, v, &ids, &some, &scale).unwrap();
        for (exact, form) in [(true, &fused as &dyn Fn(&[Var; 3])), (false, &composed)] {
            let moved = table();
            form(&moved);
            for ((moved, before), dense) in moved.iter().zip(&before).zip(&dense) {
                let rows = |t: &Var| t.to_vec2::<f32>().unwrap();
                for (i, ((moved, before), dense)) in rows(moved).iter().zip(rows(before)).zip(rows(dense)).enumerate() {
                    let touched = ids.contains(&(i as u32));
                    let want = if touched { dense } else { before };
                    let near = moved.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-6);
                    assert!(if touched && !exact { near } else { *moved == want }, "row {i}: {moved:?}, not {want:?}");
                }
            }
        }
    }

    #[test]
    fn rows_out_of_order_or_outside_the_table_are_refused() {
        let [p, m, v] = table();
        let (grad, one) = (
            Tensor::zeros((2, 5), DType::F32, &Device::Cpu).unwrap(),
            Tensor::ones(1, DType::F32, &Device::Cpu).unwrap(),
        );
        for ids in [&[3u32, 3][..], &[4, 3], &[3, 9], &[3]] {
            assert!(ADAM.apply_rows(&p, &m, &v, ids, &grad, &one).is_err(), "{ids:?}");
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
