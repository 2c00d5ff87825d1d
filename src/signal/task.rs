//! CPC on a signal as a training task.

use crate::config::ObjectiveConfig;
use crate::data::{Course, Position};
use crate::error::{Problem, Result};
use crate::group::Share;
use crate::nn::{ParamStore, Phase};
use crate::observer::Session;
use crate::recordings::{Medium, RecordingLoader, Sound, WindowBatch, Windows, validation_batches};
use crate::seed::Stream;
use crate::signal::{Network, Sizes};
use crate::train::{Batch, Outcome, Task};
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How a network is trained, and what is written of it.
pub struct Training {
    /// The sizes of the network.
    pub sizes: Sizes,
    /// What InfoNCE contrasts.
    pub objective: ObjectiveConfig,
    /// Windows per batch.
    pub batch_size: usize,
    /// The seed of every random stream.
    pub seed: u64,
    /// The unit of the amount of data; see [`Task::unit`].
    pub unit: &'static str,
    /// The amount of data in a window, in that unit.
    pub amount: f64,
    /// Writes a model directory.
    pub write: WriteModel,
}

/// Writes the tensors of a model to a directory.
pub type WriteModel = Box<dyn Fn(&Path, &BTreeMap<String, Tensor>) -> Result<()> + Send>;

/// CPC on a signal: the network, its graph-free twin for validation, and the loader.
pub struct SignalTask<M: Medium = Sound> {
    training: Training,
    store: ParamStore,
    network: Network,
    twin: Network,
    loader: RecordingLoader,
    valid: Option<Arc<Windows<M>>>,
}

impl<M: Medium> SignalTask<M> {
    /// A new network on the device of the session, with training data along `course`.
    ///
    /// # Errors
    /// There are no such networks, or no two windows can share a batch.
    pub fn new(
        training: Training,
        train: Windows<M>,
        valid: Option<Windows<M>>,
        course: Course,
        session: &Session,
    ) -> Result<Self> {
        let device = &session.device;
        let store = ParamStore::new(training.seed, device);
        let network = Network::begin(&training.sizes, &store)?;
        let network = if training.objective.gather { network.gathering(&session.group) } else { network };
        let twin = Network::new(&training.sizes, &store.frozen())?;
        let loader =
            RecordingLoader::start(Arc::new(train), training.batch_size, training.seed, course, readers(device))?;
        Ok(SignalTask { training, store, network, twin, loader, valid: valid.map(Arc::new) })
    }

    /// The values of a batch as a tensor (B, T, C).
    fn tensor(&self, values: &[f32], batch: &WindowBatch) -> Result<Tensor> {
        let shape = (batch.rows, batch.window, batch.width);
        Ok(Tensor::from_slice(values, shape, self.store.device())?)
    }
}

/// Threads that read recordings: one beside a CPU that computes, as many as a GPU can wait for.
fn readers(device: &Device) -> usize {
    match device {
        Device::Cpu => 1,
        _ => std::thread::available_parallelism().map_or(1, |n| (n.get() - 1).clamp(1, 12)),
    }
}

/// A batch with its amount of data.
pub struct SignalBatch {
    batch: WindowBatch,
    amount: f64,
}

fn counted(batch: WindowBatch, of_window: f64) -> SignalBatch {
    SignalBatch { amount: batch.rows as f64 * of_window, batch }
}

impl Batch for SignalBatch {
    fn rows(&self) -> usize {
        self.batch.rows
    }

    fn amount(&self) -> f64 {
        self.amount
    }

    fn sources(&self) -> Vec<String> {
        let mut files: Vec<String> = self.batch.files.iter().flatten().map(ToString::to_string).collect();
        files.sort();
        files.dedup();
        files
    }

    fn skipped(&self) -> &[Problem] {
        &self.batch.skipped
    }
}

impl<M: Medium> Task for SignalTask<M> {
    type Batch = SignalBatch;

    fn unit(&self) -> &'static str {
        self.training.unit
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<SignalBatch> {
        Ok(counted(self.loader.next()?, self.training.amount))
    }

    fn position(&self) -> Position {
        self.loader.position()
    }

    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<SignalBatch>>>> {
        let of_window = self.training.amount;
        Ok(match &self.valid {
            None => Box::new(std::iter::empty()),
            Some(windows) => {
                let batches = validation_batches(windows.clone(), self.training.batch_size, share);
                Box::new(batches.map(move |batch| Ok(counted(batch?, of_window))))
            }
        })
    }

    fn outcome(&self, batch: &SignalBatch, phase: Phase, stream: &mut Stream) -> Result<Outcome> {
        let batch = &batch.batch;
        let samples = self.tensor(&batch.samples, batch)?;
        let network = if phase == Phase::Train { &self.network } else { &self.twin };
        let latents = match batch.past.is_empty() {
            true => network.forward(&samples, phase)?,
            false => network.forward_views(&self.tensor(&batch.past, batch)?, &samples, phase)?,
        };
        let (per_step, negatives) = network.contrast(&latents, &self.training.objective, phase, stream)?;
        Outcome::of_steps(&per_step, negatives, latents.z.detach(), Vec::new())
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        (self.training.write)(dir, &self.store.tensors())
    }
}
