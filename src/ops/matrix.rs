//! Products of strided matrices: the one place where the `gemm` crate is called.
//!
//! A strided convolution, a recurrent layer's projections and their gradients are all products of *views*: matrices
//! whose rows may overlap in memory (the windows of a convolution) or be far apart. [`View`] and [`ViewMut`] check
//! their bounds when they are made, so that [`multiply`] is safe.

use crate::error::{Error, Result};
use gemm::Parallelism;

/// A matrix to read: element (r, c) is `data[r * row_stride + c * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

/// A matrix to write, with rows of contiguous elements that do not overlap.
#[derive(Debug)]
pub struct ViewMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

fn check(len: usize, rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Result<()> {
    if rows > 0 && cols > 0 && (rows - 1) * row_stride + (cols - 1) * col_stride >= len {
        let what =
            format!("a {rows} x {cols} view with strides {row_stride} and {col_stride} leaves its {len} elements");
        return Err(Error::Tensor(candle_core::Error::Msg(what)));
    }
    Ok(())
}

impl<'a> View<'a> {
    /// Rows of `cols` contiguous elements, `row_stride` apart (they may overlap).
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Result<Self> {
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

impl<'a> ViewMut<'a> {
    /// Rows of `cols` contiguous elements, `row_stride >= cols` apart.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Result<Self> {
        check(data.len(), rows, cols, row_stride.max(cols), 1)?;
        Ok(ViewMut { data, rows, cols, row_stride: row_stride.max(cols) })
    }
}

/// `dst = lhs * rhs`, or `dst += lhs * rhs` if `accumulate`; on one thread if `alone`, else on rayon's pool.
///
/// # Errors
/// If the shapes do not fit.
pub fn multiply(dst: ViewMut, accumulate: bool, lhs: View, rhs: View, alone: bool) -> Result<()> {
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
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: every view checked at its making that its last element lies inside its slice; the slices live through the
    // call, `dst` is borrowed mutably and so apart from the others, and its rows do not overlap (row_stride >= cols).
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
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
    Ok(())
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
    fn refuses_views_that_leave_their_data_and_shapes_that_do_not_fit() {
        let x = vec![0.0; 10];
        assert!(View::new(&x, 5, 4, 2).is_err());
        let (a, b) = (View::new(&x, 2, 3, 3).unwrap(), View::new(&x, 2, 2, 2).unwrap());
        let mut y = vec![0.0; 4];
        assert!(multiply(ViewMut::new(&mut y, 2, 2, 2).unwrap(), false, a, b, true).is_err());
        assert!(a.columns(8, 3).is_err());
    }
}
