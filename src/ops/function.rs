//! A differentiable function with a custom backward pass.
//!
//! The output is computed first, by any means (slices, detached tensors, any device); [`function`] then inserts it into candle's graph with a
//! closure that computes the gradients of the inputs from that of the output. The closure captures everything that backward needs.

use crate::error::{Error, Result};
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, DType, Layout, MetalStorage, Shape, Storage, Tensor};
use parking_lot::RwLockReadGuard;

/// Maps the gradient of the output to the gradients of the three inputs; `None` for a constant.
type Backward = Box<dyn Fn(&Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync>;

struct Function {
    output: Tensor,
    backward: Backward,
}

type Computed<T> = candle_core::Result<(T, Shape)>;

impl CustomOp3 for Function {
    fn name(&self) -> &'static str {
        "function"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Computed<CpuStorage> {
        match &*self.output.storage_and_layout().0 {
            Storage::Cpu(s) => Ok((s.clone(), self.output.shape().clone())),
            _ => candle_core::bail!("the output is not on the device of the inputs"),
        }
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Computed<CudaStorage> {
        let (storage, layout) = self.output.storage_and_layout();
        match &*storage {
            Storage::Cuda(s) => Ok((s.try_clone(layout)?, self.output.shape().clone())),
            _ => candle_core::bail!("the output is not on the device of the inputs"),
        }
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Computed<MetalStorage> {
        let (storage, layout) = self.output.storage_and_layout();
        match &*storage {
            Storage::Metal(s) => Ok((s.try_clone(layout)?, self.output.shape().clone())),
            _ => candle_core::bail!("the output is not on the device of the inputs"),
        }
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = (self.backward)(grad).map_err(|e| match e {
            Error::Tensor(e) => e,
            e => candle_core::Error::Msg(e.to_string()),
        })?;
        Ok((a, b, c))
    }
}

/// `output`, detached and contiguous, as a function of `inputs` whose gradients `backward` computes from that of the output.
///
/// `backward` must return a gradient of the same shape for each tracked input; `None` is for constants.
pub fn function(
    inputs: [&Tensor; 3],
    output: Tensor,
    backward: impl Fn(&Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync + 'static,
) -> Result<Tensor> {
    let output = output.contiguous()?.detach();
    if !inputs.iter().any(|t| t.track_op()) {
        return Ok(output);
    }
    Ok(inputs[0].apply_op3(inputs[1], inputs[2], Function { output, backward: Box::new(backward) })?)
}

/// The elements of a contiguous f32 tensor on the CPU.
pub struct Floats<'a>(RwLockReadGuard<'a, Storage>, usize, usize);

impl<'a> Floats<'a> {
    /// Borrows the elements of `t`.
    ///
    /// # Errors
    /// If `t` is not contiguous, not f32, or not on the CPU.
    pub fn of(t: &'a Tensor) -> Result<Self> {
        let (storage, layout) = t.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(_)), Some((from, to))) => Ok(Floats(storage, from, to)),
            _ => Err(Error::Tensor(candle_core::Error::Msg("not a contiguous f32 tensor on the CPU".into()))),
        }
    }
}

impl std::ops::Deref for Floats<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.0 {
            Storage::Cpu(CpuStorage::F32(v)) => v.get(self.1..self.2).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Which of its two forms an op uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Written for the CPU, with its own backward pass; fast.
    Fused,
    /// Built from candle operations; runs on every device, and in f64.
    Composed,
}

impl Form {
    /// Fused for f32 on the CPU, unless the environment sets `CPC_OPS=composed`.
    pub fn of(t: &Tensor) -> Form {
        static COMPOSED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        let composed = *COMPOSED.get_or_init(|| std::env::var("CPC_OPS").is_ok_and(|v| v == "composed"));
        if t.device().is_cpu() && t.dtype() == DType::F32 && !composed { Form::Fused } else { Form::Composed }
    }
}
