//! Memory and launches.

use crate::error::{Error, Result};
use crate::ops::function::Output;
use candle_core::cuda_backend::cudarc::driver::sys::CUfunction_attribute_enum;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, DevicePtr, DeviceRepr, LaunchArgs, LaunchConfig,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{DType, Device, Shape, Storage, Tensor};

/// One file of kernels: its name and PTX.
pub(super) struct Module(pub &'static str, pub &'static str);

macro_rules! module {
    ($name:literal) => {
        $crate::ops::cuda::gpu::Module($name, include_str!(concat!(env!("OUT_DIR"), "/", $name, ".ptx")))
    };
}
pub(super) use module;

/// Launches a kernel: `launch!(gpu, MODULE "name", grid [x, y], threads, shared bytes, traffic; arguments)`.
///
/// The traffic is the number of bytes that the kernel reads and writes. It follows the last argument, where a driver never looks, for those
/// who count (tests/cuda).
macro_rules! launch {
    ($gpu:expr, $module:ident $name:expr, [$x:expr, $y:expr], $threads:expr, $shared:expr, $traffic:expr; $($arg:expr),* $(,)?) => {{
        let function = $gpu.function(&$module, $name, $shared)?;
        let stream = $gpu.device().cuda_stream();
        let mut builder = stream.launch_builder(&function);
        $(
            let arg = $arg;
            candle_core::cuda_backend::cudarc::driver::PushKernelArg::arg(&mut builder, &arg);
        )*
        let traffic = $traffic as u64;
        candle_core::cuda_backend::cudarc::driver::PushKernelArg::arg(&mut builder, &traffic);
        $crate::ops::cuda::gpu::go(&mut builder, [$x as u32, $y as u32], $threads as u32, $shared as u32)?;
    }};
}
pub(super) use launch;

/// An address on the device.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub(super) struct Address(pub u64);

// SAFETY: a pointer of the device is 64 bits wide.
unsafe impl DeviceRepr for Address {}

impl Address {
    /// No address.
    pub(super) const NULL: Address = Address(0);

    /// The address `floats` further on.
    pub(super) fn plus(self, floats: usize) -> Address {
        self.after(floats, Float::F32)
    }

    /// The address `n` numbers further on.
    pub(super) fn after(self, n: usize, float: Float) -> Address {
        Address(self.0 + (float.bytes() * n) as u64)
    }
}

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Float {
    F32,
    Bf16,
}

impl Float {
    /// The size of a number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Float::F32 => 4,
            Float::Bf16 => 2,
        }
    }
}

/// Memory that is not a tensor yet.
pub(super) struct Buffer<T: DeviceRepr> {
    slice: CudaSlice<T>,
    gpu: Gpu,
}

impl<T: CudaDType + DeviceRepr> Buffer<T> {
    pub(super) fn at(&self) -> Address {
        Address(self.slice.device_ptr(self.slice.stream()).0)
    }

    fn storage(self) -> Storage {
        Storage::Cuda(CudaStorage::wrap_cuda_slice(self.slice, self.gpu.0))
    }

    /// As a tensor that is a constant.
    pub(super) fn tensor(self, shape: impl Into<Shape>) -> Tensor {
        Tensor::from_storage(self.storage(), shape, BackpropOp::none(), false)
    }

    /// As the output of an op.
    pub(super) fn output(self, shape: impl Into<Shape>) -> Output {
        Output::Storage(self.storage(), shape.into())
    }
}

/// A GPU.
#[derive(Debug, Clone)]
pub(super) struct Gpu(CudaDevice);

impl Gpu {
    /// The one that a tensor is on.
    pub(super) fn of(t: &Tensor) -> Result<Gpu> {
        Gpu::on(t.device())
    }

    /// A device that is one.
    pub(super) fn on(device: &Device) -> Result<Gpu> {
        Ok(Gpu(device.as_cuda_device()?.clone()))
    }

    pub(super) fn device(&self) -> &CudaDevice {
        &self.0
    }

    /// Memory with nothing in it.
    pub(super) fn alloc<T: CudaDType + DeviceRepr>(&self, n: usize) -> Result<Buffer<T>> {
        // SAFETY: kernels write all of it before it is read.
        let slice = unsafe { self.0.alloc::<T>(n.max(1))? };
        Ok(Buffer { slice, gpu: self.clone() })
    }

    /// Memory for floats.
    pub(super) fn floats(&self, n: usize) -> Result<Buffer<f32>> {
        self.alloc(n)
    }

    /// Memory for `n` numbers, as a constant tensor.
    pub(super) fn numbers(&self, n: usize, float: Float) -> Result<Tensor> {
        Ok(match float {
            Float::F32 => self.alloc::<f32>(n)?.tensor(n),
            Float::Bf16 => self.alloc::<half::bf16>(n)?.tensor(n),
        })
    }

    /// Memory of zeros.
    pub(super) fn zeros<T>(&self, n: usize) -> Result<Buffer<T>>
    where
        T: CudaDType + DeviceRepr + candle_core::cuda_backend::cudarc::driver::ValidAsZeroBits,
    {
        Ok(Buffer { slice: self.0.alloc_zeros::<T>(n.max(1))?, gpu: self.clone() })
    }

    /// A kernel.
    pub(super) fn function(&self, module: &Module, name: &str, shared: usize) -> Result<CudaFunction> {
        let function = self.0.get_or_load_custom_func(name, module.0, module.1)?.into_cuda_function();
        // More than 48 KiB have to be asked for.
        if shared > 48 << 10 {
            let most = CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(most, shared as i32).map_err(candle_core::Error::wrap)?;
        }
        Ok(function)
    }
}

/// Launches what a [`launch!`] has put together.
pub(super) fn go(builder: &mut LaunchArgs, grid: [u32; 2], threads: u32, shared: u32) -> Result<()> {
    if grid.contains(&0) {
        return Ok(());
    }
    let config = LaunchConfig { grid_dim: (grid[0], grid[1], 1), block_dim: (threads, 1, 1), shared_mem_bytes: shared };
    // SAFETY: every caller passes the arguments that the kernel declares, with buffers of the sizes that it documents.
    unsafe { builder.launch(config) }.map_err(candle_core::Error::wrap)?;
    Ok(())
}

/// The address of the first element of a contiguous tensor on a GPU.
pub(super) fn address(t: &Tensor) -> Result<Address> {
    let (storage, layout) = t.storage_and_layout();
    let (Storage::Cuda(s), Some((from, _))) = (&*storage, layout.contiguous_offsets()) else {
        return Err(Error::Tensor(candle_core::Error::Msg("not a contiguous tensor on a GPU".into())));
    };
    let stream = s.device.cuda_stream();
    let at = match t.dtype() {
        DType::F32 => s.as_cuda_slice::<f32>()?.device_ptr(&stream).0 + 4 * from as u64,
        DType::BF16 => s.as_cuda_slice::<half::bf16>()?.device_ptr(&stream).0 + 2 * from as u64,
        DType::U32 => s.as_cuda_slice::<u32>()?.device_ptr(&stream).0 + 4 * from as u64,
        other => return Err(Error::Tensor(candle_core::Error::Msg(format!("no kernels for {other:?}")))),
    };
    Ok(Address(at))
}

/// As [`address`], or none.
pub(super) fn address_of(t: Option<&Tensor>) -> Result<Address> {
    t.map_or(Ok(Address::NULL), address)
}

/// The number of blocks of `threads` that have `all` items, but at most `most`, where a kernel goes on by itself.
pub(super) fn blocks(all: usize, threads: usize, most: usize) -> usize {
    all.div_ceil(threads).clamp(1, most)
}

/// Blocks that keep any GPU busy.
pub(super) const BUSY: usize = 4096;
