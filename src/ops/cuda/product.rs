//! Matrix products by cuBLAS, in the precision that [`set_precision`](crate::device::set_precision) chose.

use crate::error::Result;
use crate::ops::cuda::gpu::{Address, Gpu};
use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::cuda_backend::gemm_reduced_precision_f32;

/// A row-major matrix on the device, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub at: Address,
    /// Floats from one row to the next.
    pub stride: usize,
    pub transposed: bool,
}

impl Matrix {
    /// A matrix of which each row has `stride` floats.
    pub(super) fn new(at: Address, stride: usize) -> Matrix {
        Matrix { at, stride, transposed: false }
    }

    /// Its transpose.
    pub(super) fn t(self) -> Matrix {
        Matrix { transposed: !self.transposed, ..self }
    }
}

impl Gpu {
    /// `out (m, n) = a (m, k) b (k, n)`, added to what `out` holds if `add`. `out` has `stride` floats from row to row.
    pub(super) fn product(
        &self,
        [m, n, k]: [usize; 3],
        a: Matrix,
        b: Matrix,
        out: Address,
        stride: usize,
        add: bool,
    ) -> Result<()> {
        if m == 0 || n == 0 || k == 0 {
            return Ok(());
        }
        let op = |m: &Matrix| match m.transposed {
            true => sys::cublasOperation_t::CUBLAS_OP_T,
            false => sys::cublasOperation_t::CUBLAS_OP_N,
        };
        let compute = match gemm_reduced_precision_f32() {
            true => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            false => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        };
        let (alpha, beta, float) = (1.0f32, if add { 1.0f32 } else { 0.0 }, sys::cudaDataType::CUDA_R_32F);
        // cuBLAS has columns where we have rows: it computes the transpose of the product.
        // SAFETY: callers pass matrices of the sizes given, on the device of the handle.
        unsafe {
            result::gemm_strided_batched_ex(
                *self.device().cublas_handle().handle(),
                op(&b),
                op(&a),
                n as i32,
                m as i32,
                k as i32,
                (&raw const alpha).cast(),
                b.at.0 as *const _,
                float,
                b.stride as i32,
                0,
                a.at.0 as *const _,
                float,
                a.stride as i32,
                0,
                (&raw const beta).cast(),
                out.0 as *mut _,
                float,
                stride as i32,
                0,
                1,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT_TENSOR_OP,
            )
        }
        .map_err(candle_core::Error::wrap)?;
        Ok(())
    }
}
