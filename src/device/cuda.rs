//! NVIDIA GPUs.

use crate::error::{Error, Result};
use candle_core::Device;
use candle_core::cuda_backend::cudarc::driver::sys::{self, CUdevice_attribute, CUresult};
use candle_core::cuda_backend::cudarc::driver::{DriverError, result};

/// The compute capability that kernels are built for, at least.
const CAPABILITY: i32 = 8;

/// The number of GPUs that the driver lets this process see.
pub(super) fn count() -> std::result::Result<usize, DriverError> {
    match result::init().and_then(|()| result::device::get_count()) {
        Ok(n) => Ok(n.max(0) as usize),
        Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => Ok(0),
        Err(e) => Err(e),
    }
}

/// GPU `index`, ready for training and extraction: freed memory stays with the process, and uses of memory are not tracked by events, since all
/// threads share one stream.
pub(super) fn open(name: &str, index: usize) -> Result<Device> {
    let refused =
        |what: String| Error::failed(format!("--device {name}: {what}"), "choose another, or use --device cpu");
    let failed = |e: DriverError| refused(explain(&e));
    let count = count().map_err(failed)?;
    if index >= count {
        let which = match count {
            0 => "there is no NVIDIA GPU here, or CUDA_VISIBLE_DEVICES hides it".to_string(),
            1 => "the only GPU is cuda:0".to_string(),
            n => format!("the GPUs are cuda:0 to cuda:{}", n - 1),
        };
        return Err(refused(which));
    }
    let handle = result::device::get(index as i32).map_err(failed)?;
    let major = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
    // SAFETY: the handle was just given by the driver.
    let major = unsafe { result::device::get_attribute(handle, major) }.map_err(failed)?;
    if major < CAPABILITY {
        return Err(refused(format!("this GPU has compute capability {major}.x, and cpc needs {CAPABILITY}.0")));
    }
    let device = Device::new_cuda_with_stream(index).map_err(|e| refused(e.to_string()))?;
    let mut most = u64::MAX;
    let threshold = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the device has one stream. The pool is its own, and the value has the type of the attribute. A device without pools needs nothing.
    unsafe {
        device.as_cuda_device()?.disable_event_tracking();
        if let Ok(pool) = result::device::get_default_mem_pool(handle) {
            let _ = result::mem_pool::set_attribute(pool, threshold, (&raw mut most).cast());
        }
    }
    Ok(device)
}

/// What the driver said, and what it means where that is known.
fn explain(e: &DriverError) -> String {
    match e.0 {
        CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
            "the driver is older than the CUDA that cpc was built with; install a newer one".to_string()
        }
        CUresult::CUDA_ERROR_STUB_LIBRARY => {
            "libcuda.so.1 is the toolkit's stub, not a driver; take its folder out of LD_LIBRARY_PATH".to_string()
        }
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => "its memory is taken by other processes (see nvidia-smi)".to_string(),
        CUresult::CUDA_ERROR_DEVICE_UNAVAILABLE => {
            "another process has it for itself (exclusive compute mode; see nvidia-smi)".to_string()
        }
        _ => e.to_string(),
    }
}
