//! Means and sums over rows, and the first rows of each item.

use crate::error::Result;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use crate::ops::function::Form;
use candle_core::Tensor;

/// The mean over all but the last dimension of `x` (.., C): (C).
pub fn mean(x: &Tensor) -> Result<Tensor> {
    let rows = x.reshape(((), x.dims().last().copied().unwrap_or(1)))?;
    match Form::of(x) {
        #[cfg(feature = "cuda")]
        Form::Kernels => cuda::mean_rows(&rows, false),
        _ => Ok(rows.mean(0)?),
    }
}

/// The sum of all elements, a scalar.
pub fn sum(x: &Tensor) -> Result<Tensor> {
    match Form::of(x) {
        #[cfg(feature = "cuda")]
        Form::Kernels => Ok(cuda::mean_rows(&x.reshape(((), 1))?, true)?.reshape(())?),
        _ => Ok(x.sum_all()?),
    }
}

/// The first `n` steps of `x` (B, T, C): (B, n, C), contiguous.
///
/// # Errors
/// If there are fewer.
pub fn first(x: &Tensor, n: usize) -> Result<Tensor> {
    match Form::of(x) {
        #[cfg(feature = "cuda")]
        Form::Kernels if n <= x.dim(1)? => cuda::first(x, n),
        _ => Ok(x.narrow(1, 0, n)?.contiguous()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{random, same};

    #[test]
    fn means_sums_and_first_steps_are_candle_s() {
        for shape in [[2, 3, 4], [5, 40, 33], [1, 1, 1]] {
            let inputs = [random(&shape, 1)];
            same(|t| mean(&t[0]), |t| Ok(t[0].mean((0, 1))?), &inputs);
            same(|t| Ok(sum(&t[0])?.reshape(1)?), |t| Ok(t[0].sum_all()?.reshape(1)?), &inputs);
            let n = shape[1].div_ceil(2);
            same(|t| first(&t[0], n), |t| Ok(t[0].narrow(1, 0, n)?), &inputs);
        }
        assert!(first(&random(&[1, 2, 3], 1), 3).is_err());
    }
}
