//! The exchange of gradients between GPUs over NCCL. Everything else goes over MPI, which also starts it.

use super::Group;
use crate::error::{Error, Result};
use candle_core::cuda_backend::cudarc::driver::CudaSlice;
use candle_core::cuda_backend::cudarc::nccl::result::NcclError;
use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, group_end, group_start};
use candle_core::cuda_backend::{CudaDevice, CudaStorage};
use candle_core::op::BackpropOp;
use candle_core::{Device, Storage, Tensor};
use std::ops::Range;

/// A process's connection to the GPUs of the others.
pub(super) struct Nccl {
    comm: Comm,
    device: CudaDevice,
}

// SAFETY: a communicator may be used by any thread, by one at a time; a group's exchanges follow one another.
unsafe impl Send for Nccl {}
// SAFETY: as above.
unsafe impl Sync for Nccl {}

fn failed(e: &NcclError) -> Error {
    Error::failed(
        format!("NCCL: {e:?}"),
        "set NCCL_DEBUG=INFO to see why; a build without the feature nccl exchanges gradients over MPI",
    )
}

impl Nccl {
    /// Connects the GPUs of all processes of a group.
    pub fn connect(group: &Group, device: &CudaDevice) -> Result<Nccl> {
        let id = group.from_first(|| {
            let id = Id::new().map_err(|e| failed(&e))?;
            Ok(id.internal().iter().map(|byte| *byte as u8).collect())
        })?;
        let mut internal = [0; 128];
        internal.iter_mut().zip(&id).for_each(|(to, from)| *to = *from as std::ffi::c_char);
        let comm = Comm::from_rank(device.cuda_stream(), group.rank(), group.size(), Id::uninit(internal));
        Ok(Nccl { comm: comm.map_err(|e| failed(&e))?, device: device.clone() })
    }

    /// As [`Transport::exchange`](super::Transport::exchange), from one GPU to another.
    pub fn exchange(&self, mine: &Tensor, counts: &[usize], ready: impl FnOnce() -> Result<()>) -> Result<Tensor> {
        let (rank, size) = (self.comm.rank(), self.comm.world_size());
        let sent = counts.iter().scan(0, |begin, count| Some(std::mem::replace(begin, *begin + count)..*begin));
        let received = (0..size).map(|r| r * counts[rank]..(r + 1) * counts[rank]);
        self.pass(mine, &sent.collect::<Vec<_>>(), &received.collect::<Vec<_>>(), ready)
    }

    /// As [`Transport::gather_values`](super::Transport::gather_values), from one GPU to another.
    pub fn gather(&self, mine: &Tensor, counts: &[usize], ready: impl FnOnce() -> Result<()>) -> Result<Tensor> {
        let sent = vec![0..mine.elem_count(); counts.len()];
        let received = counts.iter().scan(0, |begin, count| Some(std::mem::replace(begin, *begin + count)..*begin));
        self.pass(mine, &sent, &received.collect::<Vec<_>>(), ready)
    }

    /// Sends a part of `mine` to each process, and receives a part of the result from each, once `ready` has returned in all of them.
    fn pass(
        &self,
        mine: &Tensor,
        sent: &[Range<usize>],
        received: &[Range<usize>],
        ready: impl FnOnce() -> Result<()>,
    ) -> Result<Tensor> {
        let n = received.last().map_or(0, |last| last.end);
        let (storage, layout) = mine.storage_and_layout();
        let (Storage::Cuda(storage), Some((first, _))) = (&*storage, layout.contiguous_offsets()) else {
            return Err(Error::Tensor(candle_core::Error::Msg("not a contiguous tensor on a GPU".into())));
        };
        let from: &CudaSlice<f32> = storage.as_cuda_slice()?;
        // SAFETY: all of it is received below.
        let mut into = unsafe { self.device.alloc::<f32>(n.max(1))? };
        ready()?;
        let mut passed = || -> std::result::Result<(), NcclError> {
            group_start()?;
            for (peer, (sent, received)) in sent.iter().zip(received).enumerate() {
                if !sent.is_empty() {
                    self.comm.send(&from.slice(first + sent.start..first + sent.end), peer as i32)?;
                }
                if !received.is_empty() {
                    self.comm.recv(&mut into.slice_mut(received.clone()), peer as i32)?;
                }
            }
            group_end()?;
            Ok(())
        };
        passed().map_err(|e| failed(&e))?;
        let into = Storage::Cuda(CudaStorage::wrap_cuda_slice(into, self.device.clone()));
        Ok(Tensor::from_storage(into, n, BackpropOp::none(), false))
    }
}

/// The device of a GPU.
pub(super) fn gpu(device: &Device) -> Option<&CudaDevice> {
    device.as_cuda_device().ok()
}

/// The number of a GPU on its machine.
pub(super) fn number(gpu: &CudaDevice) -> usize {
    gpu.cuda_stream().context().ordinal()
}
