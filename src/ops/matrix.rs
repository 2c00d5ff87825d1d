//! Products of strided matrices: the only place where the `gemm` crate is called.
//!
//! A strided convolution, a recurrent layer's projections and their gradients are all products of *views*: matrices whose rows may overlap in
//! memory (the windows of a convolution) or be far apart. [`View`] and [`ViewMut`] check their bounds when they are created, so that
//! [`multiply`] is safe.

use crate::error::{Error, Result};
use crate::ops::simd::arch;
use gemm::Parallelism;
use pulp::{Simd, WithSimd};

/// The element type of a matrix: f32 or f64.
pub trait Element: Copy + Send + Sync + 'static {
    /// 1.
    const ONE: Self;
}

impl Element for f32 {
    const ONE: f32 = 1.0;
}

impl Element for f64 {
    const ONE: f64 = 1.0;
}

/// A matrix to read: element (r, c) is `data[r * row_stride + c * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a, T = f32> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// A matrix to write, with rows of contiguous elements that do not overlap.
#[derive(Debug)]
pub struct ViewMut<'a, T = f32> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

fn check(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Result<()> {
    if rows > 0 && cols > 0 && (rows - 1) * row_stride + (cols - 1) * col_stride >= len {
        let what =
            format!("a {rows} x {cols} view with strides {row_stride} and {col_stride} exceeds its {len} elements");
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    Ok(())
}

impl<'a, T: Element> View<'a, T> {
    /// Rows of `cols` contiguous elements, `row_stride` apart (they may overlap).
    pub fn new(data: &'a [T], rows: usize, cols: usize, row_stride: usize) -> Result<Self> {
        check(data.len(), rows, cols, row_stride, 1)?;
        Ok(View { data, rows, cols, row_stride, col_stride: 1 })
    }

    /// The transpose: no element moves.
    pub fn t(self) -> Self {
        View {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            data: self.data,
        }
    }

    /// Columns `from..from + n`.
    pub fn columns(self, from: usize, n: usize) -> Result<Self> {
        let data = self.data.get(from * self.col_stride..).unwrap_or_default();
        check(data.len(), self.rows, n, self.row_stride, self.col_stride)?;
        Ok(View { data, cols: n, ..self })
    }
}

impl<'a, T: Element> ViewMut<'a, T> {
    /// Rows of `cols` contiguous elements, `row_stride >= cols` apart.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize, row_stride: usize) -> Result<Self> {
        check(data.len(), rows, cols, row_stride.max(cols), 1)?;
        Ok(ViewMut { data, rows, cols, row_stride: row_stride.max(cols) })
    }
}

/// `dst = lhs * rhs`, or `dst += lhs * rhs` if `accumulate`; on one thread if `alone`, else on rayon's pool.
///
/// # Errors
/// If the shapes do not match.
pub fn multiply<T: Element>(dst: ViewMut<T>, accumulate: bool, lhs: View<T>, rhs: View<T>, alone: bool) -> Result<()> {
    if lhs.cols != rhs.rows || dst.rows != lhs.rows || dst.cols != rhs.cols {
        let what = format!(
            "({} x {}) times ({} x {}) into ({} x {})",
            lhs.rows, lhs.cols, rhs.rows, rhs.cols, dst.rows, dst.cols
        );
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    if dst.rows == 0 || dst.cols == 0 {
        return Ok(());
    }
    let threads = if alone { 1 } else { rayon::current_num_threads() };
    let parallelizm = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: every view checked when it was created that its last element lies inside its slice; the slices outlive the call, `dst` is
    // borrowed mutably and so does not alias the others, and its rows do not overlap (row_stride >= cols).
    unsafe {
        gemm::gemm(
            dst.rows,
            dst.cols,
            lhs.cols,
            dst.data.as_mut_ptr(),
            1,
            dst.row_stride as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.col_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.col_stride as isize,
            rhs.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            parallelizm,
        );
    }
    Ok(())
}

/// Up to this number of rows, a product with a [`Packed`] matrix is faster than [`multiply`], which packs the matrix again.
pub(super) const FEW_ROWS: usize = 16;

/// Columns per panel of [`Packed`].
const PANEL: usize = 32;

/// A matrix packed for products with a few rows at a time: the recurrent weight of a layer, used at every step.
///
/// Panels of 32 columns, each stored row by row; the last is padded with zeros. [`multiply`] would pack the matrix again at each call.
#[derive(Debug, Clone)]
pub struct Packed {
    panels: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl Packed {
    /// Packs a matrix.
    pub fn new(matrix: View) -> Self {
        let View { data, rows, cols, row_stride, col_stride } = matrix;
        let mut panels = vec![0.0; rows * cols.next_multiple_of(PANEL)];
        for (p, panel) in panels.chunks_exact_mut((rows * PANEL).max(1)).enumerate() {
            let n = PANEL.min(cols - p * PANEL);
            for (r, row) in panel.chunks_exact_mut(PANEL).enumerate() {
                let at = r * row_stride + p * PANEL * col_stride;
                row[..n].iter_mut().enumerate().for_each(|(c, v)| *v = data[at + c * col_stride]);
            }
        }
        Packed { panels, rows, cols }
    }

    /// `dst += lhs * self`, on one thread.
    ///
    /// # Errors
    /// If the shapes do not match, or `lhs` is transposed.
    pub fn multiply_add(&self, dst: ViewMut, lhs: View) -> Result<()> {
        if lhs.cols != self.rows || dst.rows != lhs.rows || dst.cols != self.cols || lhs.col_stride != 1 {
            return Err(Error::Tensor(candle_core::Error::Msg(
                "shapes do not match in a product with a packed matrix".into(),
            )));
        }
        if self.rows > 0 {
            arch().dispatch(Panels { packed: self, dst, lhs });
        }
        Ok(())
    }
}

struct Panels<'a, 'b> {
    packed: &'a Packed,
    dst: ViewMut<'b>,
    lhs: View<'a>,
}

impl WithSimd for Panels<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Panels { packed, mut dst, lhs } = self;
        // A panel's row is 2, 4 or 8 registers wide.
        match PANEL / S::F32_LANES {
            2 => packed.rows_at_once::<S, 12, 2>(simd, &mut dst, lhs),
            4 => packed.rows_at_once::<S, 3, 4>(simd, &mut dst, lhs),
            8 => packed.rows_at_once::<S, 1, 8>(simd, &mut dst, lhs),
            _ => {
                for r in 0..lhs.rows {
                    for (p, panel) in packed.panels.chunks_exact(packed.rows * PANEL).enumerate() {
                        let n = PANEL.min(packed.cols - p * PANEL);
                        let out = &mut dst.data[r * dst.row_stride + p * PANEL..][..n];
                        for (w, &x) in panel.chunks_exact(PANEL).zip(&lhs.data[r * lhs.row_stride..]) {
                            out.iter_mut().zip(w).for_each(|(o, w)| *o += x * w);
                        }
                    }
                }
            }
        }
    }
}

impl Packed {
    /// `N` rows at once while that many remain, with the sums (`V` registers per row) kept in registers; then 4, 2, 1.
    #[inline(always)]
    fn rows_at_once<S: Simd, const N: usize, const V: usize>(&self, simd: S, dst: &mut ViewMut, lhs: View) {
        let mut r = 0;
        while r < lhs.rows {
            let n = match lhs.rows - r {
                left if left >= N => N,
                left if left >= 4 && N > 4 => 4,
                left if left >= 2 && N > 2 => 2,
                _ => 1,
            };
            let lhs = &lhs.data[r * lhs.row_stride..][..(n - 1) * lhs.row_stride + lhs.cols];
            for (p, panel) in self.panels.chunks_exact(self.rows * PANEL).enumerate() {
                let columns = p * PANEL..self.cols.min((p + 1) * PANEL);
                let at = r * dst.row_stride;
                let to = &mut dst.data[at + columns.start..at + (n - 1) * dst.row_stride + columns.end];
                let to = ViewMut { data: to, rows: n, cols: columns.len(), row_stride: dst.row_stride };
                let stride = lhs_stride(lhs.len(), self.rows, n);
                match n {
                    4 => panel_sums::<S, 4, V>(simd, panel, lhs, stride, to),
                    2 => panel_sums::<S, 2, V>(simd, panel, lhs, stride, to),
                    1 => panel_sums::<S, 1, V>(simd, panel, lhs, stride, to),
                    _ => panel_sums::<S, N, V>(simd, panel, lhs, stride, to),
                }
            }
            r += n;
        }
    }
}

/// The stride of `n` rows of `k` floats that end where a slice of length `len` ends.
#[inline(always)]
fn lhs_stride(len: usize, k: usize, n: usize) -> usize {
    if n > 1 { (len - k) / (n - 1) } else { 0 }
}

/// Adds the products of `N` rows, `stride` apart in `lhs`, with a panel to `dst`.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // registers are arrays
fn panel_sums<S: Simd, const N: usize, const V: usize>(
    simd: S,
    panel: &[f32],
    lhs: &[f32],
    stride: usize,
    dst: ViewMut,
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; N];
    let k = panel.len() / PANEL;
    let panel = &S::as_simd_f32s(panel).0[..k * V];
    assert!(lhs.len() >= (N - 1) * stride + k);
    // Plain loops throughout: a closure would be compiled without the vector instructions of this function.
    for i in 0..k {
        for n in 0..N {
            // SAFETY: n < N and i < k, so the index is less than (N - 1) * stride + k, which was checked above.
            let x = simd.splat_f32s(unsafe { *lhs.get_unchecked(n * stride + i) });
            for v in 0..V {
                sums[n][v] = simd.mul_add_e_f32s(x, panel[i * V + v], sums[n][v]);
            }
        }
    }
    for n in 0..N {
        let row = &mut dst.data[n * dst.row_stride..][..dst.cols];
        if dst.cols == PANEL {
            let row = S::as_mut_simd_f32s(row).0;
            for v in 0..V {
                row[v] = simd.add_f32s(row[v], sums[n][v]);
            }
        } else {
            let mut out = [0.0; PANEL];
            S::as_mut_simd_f32s(&mut out).0[..V].copy_from_slice(&sums[n]);
            for (d, o) in row.iter_mut().zip(&out) {
                *d += o;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_overlapping_rows_and_transposes() {
        let x: Vec<f32> = (0..10).map(|i| i as f32).collect();
        let windows = View::new(&x, 4, 4, 2).unwrap(); // rows 0..4, 2..6, 4..8, 6..10
        let w = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
        let w = View::new(&w, 2, 4, 4).unwrap();
        let mut y = vec![9.0; 8];
        multiply(ViewMut::new(&mut y, 4, 2, 2).unwrap(), false, windows, w.t(), true).unwrap();
        assert_eq!(y, [3.0, 1.0, 7.0, 3.0, 11.0, 5.0, 15.0, 7.0]);
        multiply(ViewMut::new(&mut y, 4, 2, 2).unwrap(), true, windows, w.t(), false).unwrap();
        assert_eq!(y, [6.0, 2.0, 14.0, 6.0, 22.0, 10.0, 30.0, 14.0]);
    }

    #[test]
    fn a_packed_matrix_multiplies_as_the_plain_one() {
        let numbers = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
        for (m, k, n) in [(1, 3, 5), (4, 16, 32), (7, 20, 70), (8, 256, 96)] {
            let (a, b) = (numbers(m * (k + 3)), numbers(k * n));
            let lhs = View::new(&a, m, k, k + 3).unwrap();
            for rhs in [View::new(&b, k, n, n).unwrap(), View::new(&b, n, k, k).unwrap().t()] {
                let (mut got, mut want) = (vec![1.0; m * n], vec![1.0; m * n]);
                Packed::new(rhs).multiply_add(ViewMut::new(&mut got, m, n, n).unwrap(), lhs).unwrap();
                multiply(ViewMut::new(&mut want, m, n, n).unwrap(), true, lhs, rhs, true).unwrap();
                assert!(got.iter().zip(&want).all(|(g, w)| (g - w).abs() < 1e-4), "{got:?} {want:?}");
            }
        }
    }

    #[test]
    fn refuses_views_that_leave_their_data_and_shapes_that_do_not_fit() {
        let x = vec![0.0; 10];
        assert!(View::new(&x, 5, 4, 2).is_err());
        let (a, b) = (View::new(&x, 2, 3, 3).unwrap(), View::new(&x, 2, 2, 2).unwrap());
        let mut y = vec![0.0; 4];
        assert!(multiply(ViewMut::new(&mut y, 2, 2, 2).unwrap(), false, a, b, true).is_err());
        assert!(a.columns(8, 3).is_err());
    }
}
