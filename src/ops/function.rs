//! A differentiable function with a custom backward pass.
//!
//! The output is computed first, by any means (slices, detached tensors, any device); [`function`] then inserts it into candle's graph with a
//! closure that computes the gradients of the inputs from that of the output. The closure captures everything that backward needs.

use crate::error::{Error, Result};
use candle_core::backend::BackendStorage;
use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, DType, Device, Layout, MetalStorage, Shape, Storage, Tensor};
use parking_lot::{Mutex, RwLockReadGuard};

/// Maps the gradient of the output to the gradients of the three inputs; `None` for a constant.
type Backward = Box<dyn Fn(&Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync>;

/// The output of a function, before it is part of a graph.
#[derive(Debug)]
pub enum Output {
    /// Of a tensor, its elements are copied.
    Tensor(Tensor),
    /// Of memory that nobody else has, nothing is copied. The storage has the elements of the shape, and no more.
    Storage(Storage, Shape),
}

impl Output {
    /// Floats on the CPU.
    pub fn floats(values: Vec<f32>, shape: impl Into<Shape>) -> Output {
        Output::Storage(Storage::Cpu(CpuStorage::F32(values)), shape.into())
    }

    fn tensor(self) -> Tensor {
        match self {
            Output::Tensor(t) => t,
            Output::Storage(s, shape) => Tensor::from_storage(s, shape, BackpropOp::none(), false),
        }
    }

    /// The storage of the elements.
    fn storage(self) -> candle_core::Result<(Storage, Shape)> {
        let t = match self {
            Output::Storage(s, shape) => return Ok((s, shape)),
            Output::Tensor(t) => t,
        };
        // A part of a storage, such as a narrowed tensor, is copied on its own.
        let whole = |t: &Tensor| {
            let (storage, layout) = t.storage_and_layout();
            match &*storage {
                Storage::Cpu(CpuStorage::F32(v)) => v.len() == t.elem_count(),
                Storage::Cpu(CpuStorage::F64(v)) => v.len() == t.elem_count(),
                _ => layout.start_offset() == 0,
            }
        };
        let t = if whole(&t) { t } else { t.force_contiguous()? };
        let (storage, layout) = t.storage_and_layout();
        let copy = match &*storage {
            Storage::Cpu(s) => Storage::Cpu(s.clone()),
            Storage::Cuda(s) => Storage::Cuda(s.try_clone(layout)?),
            Storage::Metal(s) => Storage::Metal(s.try_clone(layout)?),
        };
        Ok((copy, t.shape().clone()))
    }
}

impl From<Tensor> for Output {
    fn from(t: Tensor) -> Output {
        Output::Tensor(t)
    }
}

struct Function {
    output: Mutex<Option<Output>>,
    backward: Backward,
}

impl Function {
    fn take(&self) -> candle_core::Result<(Storage, Shape)> {
        match self.output.lock().take() {
            Some(output) => output.storage(),
            None => candle_core::bail!("the output of a function can be taken only once"),
        }
    }
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
        match self.take()? {
            (Storage::Cpu(s), shape) => Ok((s, shape)),
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
        match self.take()? {
            (Storage::Cuda(s), shape) => Ok((s, shape)),
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
        match self.take()? {
            (Storage::Metal(s), shape) => Ok((s, shape)),
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

/// `output` as a function of `inputs` whose gradients `backward` computes from that of the output. A tensor is detached and made contiguous.
///
/// `backward` must return a gradient of the same shape for each tracked input; `None` is for constants.
pub fn function(
    inputs: [&Tensor; 3],
    output: impl Into<Output>,
    backward: impl Fn(&Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync + 'static,
) -> Result<Tensor> {
    let output = match output.into() {
        Output::Tensor(t) => Output::Tensor(t.contiguous()?.detach()),
        made => made,
    };
    if !inputs.iter().any(|t| t.track_op()) {
        return Ok(output.tensor());
    }
    let output = Mutex::new(Some(output));
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

/// Which of its forms an op uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Written for the CPU, with its own backward pass; fast.
    Fused,
    /// Kernels for NVIDIA GPUs. Ops that have none are composed there.
    #[cfg(feature = "cuda")]
    Kernels,
    /// Built from candle operations; runs on every device, and in f64.
    Composed,
}

impl Form {
    /// The form for a tensor: see [`Form::on`].
    pub fn of(t: &Tensor) -> Form {
        Form::on(t.device(), t.dtype())
    }

    /// Fused or kernels for f32 on the CPU or an NVIDIA GPU, unless the environment sets `CPC_OPS=composed`.
    pub fn on(device: &Device, dtype: DType) -> Form {
        static COMPOSED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        let composed = *COMPOSED.get_or_init(|| std::env::var("CPC_OPS").is_ok_and(|v| v == "composed"));
        match device {
            _ if composed || dtype != DType::F32 => Form::Composed,
            Device::Cpu => Form::Fused,
            #[cfg(feature = "cuda")]
            Device::Cuda(_) => Form::Kernels,
            _ => Form::Composed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    /// 2 x, of which only a part of the storage is the output.
    #[test]
    fn an_output_that_is_part_of_a_storage_is_that_part() {
        let x = Var::new(&[1.0f32, 2.0, 3.0], &Device::Cpu).unwrap();
        let twice = Tensor::new(&[[9.0f32, 9.0, 9.0], [2.0, 4.0, 6.0], [9.0, 9.0, 9.0]], &Device::Cpu).unwrap();
        let part = twice.narrow(0, 1, 1).unwrap().squeeze(0).unwrap();
        let y = function([&x, &x, &x], part, |grad| Ok([Some((grad * 2.0)?), None, None])).unwrap();
        assert_eq!(y.to_vec1::<f32>().unwrap(), [2.0, 4.0, 6.0]);
        match &*y.storage_and_layout().0 {
            Storage::Cpu(CpuStorage::F32(v)) => assert_eq!(v.len(), 3, "only the part is kept"),
            other => panic!("{other:?}"),
        }
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(grads.get(&x).unwrap().to_vec1::<f32>().unwrap(), [2.0; 3]);
    }
}
