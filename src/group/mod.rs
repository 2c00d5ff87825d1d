//! The processes that train one model together: what they tell each other, and how the error of one ends all.
//!
//! A [`Group`] of one process does nothing. In a larger one, every exchange begins with a header from each process that says whether its
//! work has failed. A process whose work failed sends that header instead of what the others expect next, with its error after it: so all
//! processes end with the same error, and none waits for another that is gone. What carries the messages is a [`Transport`].

pub mod launch;
mod message;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(feature = "nccl")]
mod nccl;
mod share;
#[cfg(test)]
pub(crate) mod threads;

pub use message::{Message, Reading};
pub use share::Share;

use crate::error::{Error, Result};
use candle_core::{CpuStorage, Device, Storage, Tensor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What carries messages between the processes of a group. Every method is called by all of them, in the same order.
pub trait Transport: Send + Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn size(&self) -> usize;

    /// The name of this process's machine.
    fn host(&self) -> String;

    /// The bytes of all processes, in the order of their ranks; process r gives `lengths[r]` bytes.
    ///
    /// # Errors
    /// There are more bytes than can be sent at once.
    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>>;

    /// The values of all processes, in the order of their ranks; process r gives `counts[r]` values.
    ///
    /// # Errors
    /// There are more values than can be sent at once.
    fn gather_values(&self, mine: &[f32], counts: &[usize]) -> Result<Vec<f32>>;

    /// Sends the next `counts[r]` of `mine` to process r, for each r. Returns what they sent to this one, in the order of their ranks:
    /// `counts[rank]` values from each.
    ///
    /// # Errors
    /// There are more values than can be sent at once.
    fn exchange(&self, mine: &[f32], counts: &[usize]) -> Result<Vec<f32>>;
}

/// The processes that do a piece of work together: usually this one alone.
#[derive(Clone, Default)]
pub struct Group(Option<Arc<Connected>>);

struct Connected {
    transport: Box<dyn Transport>,
    /// What gradients are exchanged over instead, if they are on GPUs that are connected.
    #[cfg(feature = "nccl")]
    gpus: std::sync::OnceLock<nccl::Nccl>,
    /// Whether the processes have told each other an error: nothing is exchanged any more.
    over: AtomicBool,
}

/// An error as it is told to other processes.
#[derive(Serialize, Deserialize)]
struct Told {
    host: String,
    what: String,
    remedy: String,
    exit_code: u8,
}

/// Bytes of a header: two numbers.
const HEADER: usize = 16;

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {}", self.rank(), self.size())
    }
}

impl Group {
    /// This process alone.
    pub fn alone() -> Group {
        Group::default()
    }

    /// The processes that a transport connects.
    pub fn over(transport: impl Transport + 'static) -> Group {
        match transport.size() {
            1 => Group(None),
            _ => Group(Some(Arc::new(Connected {
                transport: Box::new(transport),
                #[cfg(feature = "nccl")]
                gpus: std::sync::OnceLock::new(),
                over: AtomicBool::new(false),
            }))),
        }
    }

    /// The number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |group| group.transport.rank())
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |group| group.transport.size())
    }

    /// Whether this is the process that writes files and reports.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// The share of this process in what is dealt out by number.
    pub fn share(&self) -> Share {
        Share { rank: self.rank() as u64, ranks: self.size() as u64 }
    }

    /// Whether all processes know of an error of one of them, so that one is enough to report it.
    pub fn is_over(&self) -> bool {
        self.0.as_ref().is_some_and(|group| group.over.load(Ordering::Relaxed))
    }

    /// Ends a piece of work that all processes did: its outcome, or the error of one of them.
    ///
    /// # Errors
    /// The work of some process has failed. The process whose error it is gets it unchanged, all others get [`Error::Elsewhere`].
    pub fn settle<T>(&self, outcome: Result<T>) -> Result<T> {
        let Some(group) = self.0.as_ref().filter(|_| !self.is_over()) else { return outcome };
        match outcome {
            Ok(value) => group.begin(0).map(|_| value),
            Err(error) => Err(group.tell(error)),
        }
    }

    /// The messages of all processes, by rank; of a process alone, its own.
    ///
    /// # Errors
    /// The work of some process has failed.
    pub fn gather(&self, mine: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let Some(group) = &self.0 else { return Ok(vec![mine]) };
        let lengths = group.begin(mine.len())?;
        let all = group.transport.gather(&mine, &lengths)?;
        let mut rest = all.as_slice();
        Ok(lengths
            .iter()
            .map(|&n| {
                let (one, after) = rest.split_at(n);
                rest = after;
                one.to_vec()
            })
            .collect())
    }

    /// Connects the devices of all processes, if they are GPUs and this build can: from then on, gradients are exchanged between them without
    /// passing through the memory of the host. Returns how they are exchanged, for a group of several.
    ///
    /// # Errors
    /// NCCL cannot connect them; another process has failed.
    pub fn connect(&self, device: &Device) -> Result<Option<&'static str>> {
        let Some(group) = &self.0 else { return Ok(None) };
        #[cfg(feature = "nccl")]
        if let Some(gpu) = nccl::gpu(device)
            && self.each_has_its_own(gpu)?
        {
            let _ = group.gpus.set(nccl::Nccl::connect(self, gpu)?);
            return Ok(Some("gradients are exchanged between GPUs, over NCCL"));
        }
        let _ = group;
        Ok(match device {
            Device::Cpu => None,
            _ => Some("gradients are exchanged through the memory of the host, over MPI"),
        })
    }

    /// Whether no two processes have the same GPU, which NCCL does not allow.
    #[cfg(feature = "nccl")]
    fn each_has_its_own(&self, gpu: &candle_core::CudaDevice) -> Result<bool> {
        let host = self.0.as_ref().map(|group| group.transport.host()).unwrap_or_default();
        let mut all = self.gather(format!("{host} {}", nccl::number(gpu)).into_bytes())?;
        let count = all.len();
        all.sort();
        all.dedup();
        Ok(all.len() == count)
    }

    /// Values of all processes (n); all of them know `counts`. See [`Transport::gather_values`].
    ///
    /// # Errors
    /// As the transport; another process has failed.
    pub fn gather_values(&self, mine: &Tensor, counts: &[usize]) -> Result<Tensor> {
        let Some(group) = &self.0 else { return Ok(mine.clone()) };
        #[cfg(feature = "nccl")]
        if let (Some(gpus), Device::Cuda(_)) = (group.gpus.get(), mine.device()) {
            return gpus.gather(mine, counts, || group.begin(0).map(drop));
        }
        on_host(mine, |values| {
            group.begin(0)?;
            group.transport.gather_values(values, counts)
        })
    }

    /// Exchanges values (n); all processes know `counts`. See [`Transport::exchange`].
    ///
    /// # Errors
    /// As the transport; another process has failed.
    pub fn exchange(&self, mine: &Tensor, counts: &[usize]) -> Result<Tensor> {
        let Some(group) = &self.0 else { return Ok(mine.clone()) };
        #[cfg(feature = "nccl")]
        if let (Some(gpus), Device::Cuda(_)) = (group.gpus.get(), mine.device()) {
            return gpus.exchange(mine, counts, || group.begin(0).map(drop));
        }
        on_host(mine, |values| {
            group.begin(0)?;
            group.transport.exchange(values, counts)
        })
    }

    /// What the first process makes, for all of them.
    ///
    /// # Errors
    /// The first process cannot make it, or the work of another has failed.
    pub fn from_first(&self, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let mine = if self.is_first() { make()? } else { Vec::new() };
        Ok(self.gather(mine)?.swap_remove(0))
    }

    /// Work that the first process does alone, because it writes files, and the others after it.
    ///
    /// # Errors
    /// The work fails, or that of another process has failed.
    pub fn first_then_others<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_first() {
            return self.settle(work());
        }
        self.settle(Ok(()))?;
        work()
    }

    /// Checks that something is the same in all processes. In a process alone nothing is computed.
    ///
    /// # Errors
    /// It is not; the error names the first process that differs, and says what to do.
    pub fn same(&self, what: &str, remedy: &str, mine: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        let Some(group) = &self.0 else { return Ok(()) };
        let mine = Message::new().bytes(group.transport.host().as_bytes()).bytes(&mine()?).take();
        let all = self.gather(mine)?;
        let read = |bytes: &Vec<u8>| -> Result<(String, Vec<u8>)> {
            let mut reading = Reading::new(bytes);
            Ok((String::from_utf8_lossy(reading.bytes()?).into_owned(), reading.bytes()?.to_vec()))
        };
        let all = all.iter().map(read).collect::<Result<Vec<_>>>()?;
        match all.iter().position(|(_, digest)| *digest != all[0].1) {
            None => Ok(()),
            Some(rank) => {
                let (here, there) = (&all[0].0, &all[rank].0);
                Err(Error::failed(
                    format!("{what} differs between process 0 ({here}) and process {rank} ({there})"),
                    remedy,
                ))
            }
        }
    }
}

/// Passes the values of a tensor (n) through the memory of the host; the result is on the device of the tensor.
fn on_host(mine: &Tensor, pass: impl FnOnce(&[f32]) -> Result<Vec<f32>>) -> Result<Tensor> {
    let here = mine.to_device(&Device::Cpu)?.contiguous()?;
    let passed = {
        let (storage, layout) = here.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(values)), Some((from, to))) => pass(&values[from..to])?,
            _ => return Err(Error::Tensor(candle_core::Error::Msg("not a tensor of f32".into()))),
        }
    };
    let n = passed.len();
    Ok(Tensor::from_vec(passed, n, mine.device())?)
}

impl Connected {
    /// Exchanges headers: whether each process has failed, and the length of what it sends next.
    fn headers(&self, failed: bool, length: usize) -> Result<Vec<(bool, usize)>> {
        let mine = Message::new().number(u64::from(failed)).number(length as u64).take();
        let all = self.transport.gather(&mine, &vec![HEADER; self.transport.size()])?;
        let read = |header: &[u8]| {
            let mut reading = Reading::new(header);
            Ok((reading.number()? != 0, reading.number()? as usize))
        };
        all.chunks_exact(HEADER).map(read).collect()
    }

    /// Begins an exchange: the length of what each process sends next.
    fn begin(&self, length: usize) -> Result<Vec<usize>> {
        let all = self.headers(false, length)?;
        match all.iter().any(|(failed, _)| *failed) {
            true => Err(self.hear(&[], &all)),
            false => Ok(all.into_iter().map(|(_, length)| length).collect()),
        }
    }

    /// Tells the other processes of an error, and returns the one that ends all of them.
    fn tell(&self, error: Error) -> Error {
        let told = Told {
            host: self.transport.host(),
            what: error.to_string(),
            remedy: error.remedy(),
            exit_code: error.exit_code(),
        };
        let mine = serde_json::to_vec(&told).unwrap_or_default();
        let all = match self.headers(true, mine.len()) {
            Ok(all) => all,
            Err(e) => return e,
        };
        let first = all.iter().position(|(failed, _)| *failed);
        let heard = self.hear(&mine, &all);
        if first == Some(self.transport.rank()) { error } else { heard }
    }

    /// The error of the first process that has one; `mine` is that of this process, if it has one.
    fn hear(&self, mine: &[u8], headers: &[(bool, usize)]) -> Error {
        self.over.store(true, Ordering::Relaxed);
        let lengths: Vec<usize> = headers.iter().map(|(failed, length)| if *failed { *length } else { 0 }).collect();
        let all = match self.transport.gather(mine, &lengths) {
            Ok(all) => all,
            Err(e) => return e,
        };
        let rank = headers.iter().position(|(failed, _)| *failed).unwrap_or_default();
        match serde_json::from_slice(&all[..lengths[rank].min(all.len())]) {
            Ok(Told { host, what, remedy, exit_code }) => Error::Elsewhere { rank, host, what, remedy, exit_code },
            Err(_) => Error::failed(format!("process {rank} has failed"), "see what it reported"),
        }
    }
}
