//! A group over MPI: `mpirun` or `srun` starts its processes, and MPI's collective operations carry its messages.

use super::Transport;
use crate::error::{Error, Result};
use mpi::Count;
use mpi::Threading;
use mpi::datatype::{Equivalence, Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::point_to_point::{Destination, Source};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The processes that MPI connects. MPI ends when this is dropped.
pub(super) struct Mpi {
    universe: Option<Universe>,
    rank: usize,
    size: usize,
    ending: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

/// Time between two signs of life.
const PERIOD: Duration = Duration::from_secs(1);

/// Time without a sign of life after which a process counts as lost; longer than a launcher takes that watches its own connections, because
/// mpirun may wait for a lost machine for good if a process ends before it has noticed.
const SILENCE: Duration = Duration::from_secs(45);

/// Time between two looks for a sign of life.
const LOOK: Duration = Duration::from_millis(100);

/// Time for MPI to end all processes.
const PATIENCE: Duration = Duration::from_secs(3);

/// The tag of signs of life.
const TAG: i32 = 77;

/// The last sign of life of a process that ends.
const LAST: u8 = 1;

impl Mpi {
    /// Connects the `started` processes that `by` has started.
    pub fn start(by: &str, started: usize, lost: impl Fn(Error) + Send + 'static) -> Result<Mpi> {
        let failed = |what: String| {
            Error::failed(
                what,
                "start the processes with the mpirun of the MPI that this cpc was built with (under Slurm: `srun --mpi=list`)",
            )
        };
        let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Multiple) else {
            return Err(failed("MPI cannot be started a second time".into()));
        };
        let world = SimpleCommunicator::world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        if size != started {
            return Err(failed(format!("{by} has started {started} processes, but MPI connects {size}")));
        }
        let ending = Arc::new(AtomicBool::new(false));
        // A process that is gone without a word would keep the others waiting: MPI itself does not notice.
        let watch = (threading == Threading::Multiple).then(|| {
            let ending = ending.clone();
            std::thread::spawn(move || watch(&ending, &lost))
        });
        Ok(Mpi { universe: Some(universe), rank, size, ending, watch })
    }
}

/// Tells the next process that this one is alive, and listens to the previous one, until both end.
fn watch(ending: &AtomicBool, lost: &dyn Fn(Error)) {
    let world = SimpleCommunicator::world();
    let (rank, size) = (world.rank(), world.size());
    let (next, previous) = (world.process_at_rank((rank + 1) % size), world.process_at_rank((rank + size - 1) % size));
    let (mut silence, mut told, mut said_last, mut heard_last) = (Duration::ZERO, None::<Instant>, false, false);
    while !(said_last && heard_last) {
        if !said_last && (ending.load(Ordering::Relaxed) || told.is_none_or(|at| at.elapsed() >= PERIOD)) {
            said_last = ending.load(Ordering::Relaxed);
            next.send_with_tag(&[if said_last { LAST } else { 0 }], TAG);
            told = Some(Instant::now());
        }
        let began = Instant::now();
        std::thread::sleep(LOOK);
        // A process that was suspended has not listened.
        silence += began.elapsed().min(2 * LOOK);
        while !heard_last && previous.immediate_probe_with_tag(TAG).is_some() {
            let (sign, _) = previous.receive_with_tag::<u8>(TAG);
            heard_last = sign == LAST;
            silence = Duration::ZERO;
        }
        if !heard_last && silence >= SILENCE {
            lost(Error::failed(
                format!(
                    "process {} has not been heard of for {} s: its machine or the network is down",
                    previous.rank(),
                    SILENCE.as_secs()
                ),
                "the last checkpoint is intact: start the processes again with --resume, on any machines",
            ));
            // MPI ends the others, if it can; without it, they notice one after the other.
            std::thread::spawn(|| {
                std::thread::sleep(PATIENCE);
                std::process::exit(1);
            });
            world.abort(1);
        }
    }
}

/// Counts as MPI takes them, and where each begins.
fn counts(of: impl Iterator<Item = usize>) -> Result<(Vec<Count>, Vec<Count>)> {
    let too_many = || {
        Error::failed(
            "MPI cannot send 2^31 numbers at once",
            "use a smaller model, or fewer processes for each machine",
        )
    };
    let (mut counts, mut begins, mut total) = (Vec::new(), Vec::new(), 0usize);
    for count in of {
        begins.push(Count::try_from(total).map_err(|_| too_many())?);
        counts.push(Count::try_from(count).map_err(|_| too_many())?);
        total += count;
    }
    Count::try_from(total).map_err(|_| too_many())?;
    Ok((counts, begins))
}

fn gather<T: Equivalence + Clone + Default>(mine: &[T], lengths: &[usize]) -> Result<Vec<T>> {
    let (counts, begins) = counts(lengths.iter().copied())?;
    let mut all = vec![T::default(); lengths.iter().sum()];
    if all.is_empty() {
        return Ok(all);
    }
    // The pointer of an empty vector may be the one that stands for MPI_IN_PLACE.
    let nothing = [T::default()];
    let mine = if mine.is_empty() { &nothing[..0] } else { mine };
    let mut parts = PartitionMut::new(&mut all[..], counts, begins);
    SimpleCommunicator::world().all_gather_varcount_into(mine, &mut parts);
    Ok(all)
}

impl Transport for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn host(&self) -> String {
        mpi::environment::processor_name().unwrap_or_default()
    }

    fn gather(&self, mine: &[u8], lengths: &[usize]) -> Result<Vec<u8>> {
        gather(mine, lengths)
    }

    fn gather_values(&self, mine: &[f32], counts: &[usize]) -> Result<Vec<f32>> {
        gather(mine, counts)
    }

    fn exchange(&self, mine: &[f32], to: &[usize]) -> Result<Vec<f32>> {
        let (send, send_from) = counts(to.iter().copied())?;
        let (receive, receive_at) = counts(std::iter::repeat_n(to[self.rank], self.size))?;
        let mut all = vec![0.0f32; (to[self.rank] * self.size).max(1)];
        let nothing = [0.0f32];
        let from = Partition::new(if mine.is_empty() { &nothing[..0] } else { mine }, send, send_from);
        let mut into = PartitionMut::new(&mut all[..], receive, receive_at);
        SimpleCommunicator::world().all_to_all_varcount_into(&from, &mut into);
        all.truncate(to[self.rank] * self.size);
        Ok(all)
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Ending MPI waits for the other processes. Without it, the launcher ends them.
            std::mem::forget(self.universe.take());
            return;
        }
        self.ending.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}
