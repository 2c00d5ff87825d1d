//! CPC on audio as a training task.

use crate::data::{Course, Position};
use crate::error::{Problem, Result};
use crate::group::Share;
use crate::kinds::audio::{AudioConfig, AudioModelConfig, AudioModelDir, CpcAudio};
use crate::nn::{ParamStore, Phase};
use crate::observer::Session;
use crate::recordings::{RecordingLoader, WindowBatch, Windows, validation_batches};
use crate::seed::Stream;
use crate::train::{Batch, Outcome, Task};
use candle_core::{Device, Tensor};
use std::path::Path;
use std::sync::Arc;

/// CPC on audio: the model, its graph-free twin for validation, and the loader.
pub struct AudioTask {
    config: AudioConfig,
    store: ParamStore,
    model: CpcAudio,
    twin: CpcAudio,
    loader: RecordingLoader,
    valid: Option<Arc<Windows>>,
}

impl AudioTask {
    /// A new model on the device of the session, with training data along `course`.
    pub fn new(
        config: &AudioConfig,
        train: Arc<Windows>,
        valid: Option<Arc<Windows>>,
        course: Course,
        session: &Session,
    ) -> Result<Self> {
        let device = &session.device;
        let store = ParamStore::new(config.seed, device);
        let sizes = AudioModelConfig::audio(config);
        let model = CpcAudio::begin(&sizes, &store)?;
        let model = if config.objective.gather { model.gathering(&session.group) } else { model };
        let twin = CpcAudio::new(&sizes, &store.frozen())?;
        let loader = RecordingLoader::start(train, config.train.batch_size, config.seed, course, readers(device))?;
        Ok(AudioTask { config: config.clone(), store, model, twin, loader, valid })
    }
}

/// Threads that read audio: one beside a CPU that computes, as many as a GPU can wait for.
fn readers(device: &Device) -> usize {
    match device {
        Device::Cpu => 1,
        _ => std::thread::available_parallelism().map_or(1, |n| (n.get() - 1).clamp(1, 12)),
    }
}

/// A batch with its length in seconds.
pub struct AudioBatch {
    batch: WindowBatch,
    seconds: f64,
}

impl Batch for AudioBatch {
    fn rows(&self) -> usize {
        self.batch.rows
    }

    fn amount(&self) -> f64 {
        self.seconds
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

fn with_seconds(batch: WindowBatch, sample_rate: u32) -> AudioBatch {
    let seconds = (batch.rows * batch.window) as f64 / f64::from(sample_rate);
    AudioBatch { batch, seconds }
}

impl Task for AudioTask {
    type Batch = AudioBatch;

    fn unit(&self) -> &'static str {
        "audio_seconds"
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<AudioBatch> {
        Ok(with_seconds(self.loader.next()?, self.config.data.sample_rate))
    }

    fn position(&self) -> Position {
        self.loader.position()
    }

    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<AudioBatch>>>> {
        let rate = self.config.data.sample_rate;
        Ok(match &self.valid {
            None => Box::new(std::iter::empty()),
            Some(windows) => {
                let batches = validation_batches(windows.clone(), self.config.train.batch_size, share);
                Box::new(batches.map(move |batch| Ok(with_seconds(batch?, rate))))
            }
        })
    }

    fn outcome(&self, batch: &AudioBatch, phase: Phase, stream: &mut Stream) -> Result<Outcome> {
        let (rows, window) = (batch.batch.rows, batch.batch.window);
        let samples = Tensor::from_slice(&batch.batch.samples, (rows, window), self.store.device())?;
        let model = if phase == Phase::Train { &self.model } else { &self.twin };
        let latents = match batch.batch.past.is_empty() {
            true => model.forward(&samples, phase)?,
            false => {
                let past = Tensor::from_slice(&batch.batch.past, (rows, window), self.store.device())?;
                model.forward_views(&past, &samples, phase)?
            }
        };
        let (per_step, negatives) = model.contrast(&latents, &self.config.objective, phase, stream)?;
        Outcome::of_steps(&per_step, negatives, latents.z.detach(), Vec::new())
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        AudioModelDir::write(dir, &AudioModelConfig::audio(&self.config), &self.store.tensors())
    }
}
