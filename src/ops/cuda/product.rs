//! Matrix products by cuBLAS, in the precision that [`set_precision`](crate::device::set_precision) chose.

use crate::error::Result;
use crate::ops::cuda::gpu::{Address, Float, Gpu};
use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::cuda_backend::gemm_reduced_precision_f32;

/// A row-major matrix on the device, or its transpose.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub at: Address,
    /// Numbers from one row to the next.
    pub stride: usize,
    pub transposed: bool,
    pub float: Float,
}

impl Matrix {
    /// A matrix of which each row has `stride` floats.
    pub(super) fn new(at: Address, stride: usize) -> Matrix {
        Matrix::of(at, stride, Float::F32)
    }

    /// A matrix of other numbers.
    pub(super) fn of(at: Address, stride: usize, float: Float) -> Matrix {
        Matrix { at, stride, transposed: false, float }
    }

    /// Its transpose.
    pub(super) fn t(self) -> Matrix {
        Matrix { transposed: !self.transposed, ..self }
    }
}

impl Gpu {
    /// `out (m, n) = a (m, k) b (k, n)`, added to what `out` holds if `add`. `out` is f32 and has `stride` floats from row to row.
    pub(super) fn product(
        &self,
        sizes: [usize; 3],
        a: Matrix,
        b: Matrix,
        out: Address,
        stride: usize,
        add: bool,
    ) -> Result<()> {
        self.product_to(sizes, a, b, Matrix::new(out, stride), add)
    }

    /// As [`Gpu::product`], to any numbers. Both factors have the same; sums are in f32.
    pub(super) fn product_to(&self, [m, n, k]: [usize; 3], a: Matrix, b: Matrix, out: Matrix, add: bool) -> Result<()> {
        if m == 0 || n == 0 || k == 0 {
            return Ok(());
        }
        let op = |m: &Matrix| match m.transposed {
            true => sys::cublasOperation_t::CUBLAS_OP_T,
            false => sys::cublasOperation_t::CUBLAS_OP_N,
        };
        let compute = match a.float == Float::F32 && gemm_reduced_precision_f32() {
            true => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
            false => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        };
        let (alpha, beta) = (1.0f32, if add { 1.0f32 } else { 0.0 });
        let stored = |m: &Matrix| match m.float {
            Float::F32 => sys::cudaDataType::CUDA_R_32F,
            Float::Bf16 => sys::cudaDataType::CUDA_R_16BF,
        };
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
                stored(&b),
                b.stride as i32,
                0,
                a.at.0 as *const _,
                stored(&a),
                a.stride as i32,
                0,
                (&raw const beta).cast(),
                out.at.0 as *mut _,
                stored(&out),
                out.stride as i32,
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
