//! The training loop.

use crate::config::TrainConfig;
use crate::durable;
use crate::error::{Error, Problem, Result};
use crate::nn::{Gradients, Moments, Optimizer, Phase};
use crate::observer::{Figures, Observer, TrainLine, ValidLine};
use crate::seed::stream;
use crate::train::average::Average;
use crate::train::checkpoint::{self, Best, State};
use crate::train::health;
use crate::train::metrics::{Metrics, peak_rss_bytes};
use crate::train::schedule::learning_rate;
use crate::train::task::{Batch, Measured, Outcome, Task};
use crate::weights::model_dir;
use candle_core::{DType, Device, Tensor};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The total number of updates.
    pub steps: u64,
    /// The last line of training metrics.
    pub train: Option<TrainLine>,
    /// The best validation since the run was started or resumed; its model is in `model/`.
    pub valid: Option<ValidLine>,
    /// The path of the model.
    pub model: PathBuf,
    /// Files that could not be read and were skipped.
    pub skipped: Vec<Problem>,
}

impl Finished {
    /// The metrics to report: the data they were measured on, the number of updates before them, and they themselves.
    pub fn best(&self) -> Option<(&'static str, u64, &Figures)> {
        match (&self.valid, &self.train) {
            (Some(valid), _) => Some(("validation", valid.step, &valid.figures)),
            (None, Some(train)) => Some(("training", train.step, &train.figures)),
            (None, None) => None,
        }
    }

    /// The run directory.
    pub fn run(&self) -> &Path {
        self.model.parent().unwrap_or(&self.model)
    }
}

/// What a task is trained with, apart from its own data.
pub struct Lap<'a> {
    /// How it is trained.
    pub config: &'a TrainConfig,
    /// The seed of every random stream.
    pub seed: u64,
    /// The run directory.
    pub run: &'a Path,
    /// What training begins with.
    pub start: &'a Start,
    /// Hears how training goes.
    pub observer: &'a dyn Observer,
    /// Stops training when it is raised.
    pub stop: &'a AtomicBool,
}

/// A task of any type of batch.
pub trait AnyTask {
    /// The unit in which it counts its data, as in [`Task::unit`].
    fn unit(&self) -> &'static str;

    /// Trains it to the last step.
    ///
    /// # Errors
    /// As [`Trainer::train`].
    fn train(self: Box<Self>, lap: &Lap) -> Result<Finished>;
}

impl<T: Task> AnyTask for T {
    fn unit(&self) -> &'static str {
        Task::unit(self)
    }

    fn train(self: Box<Self>, lap: &Lap) -> Result<Finished> {
        Trainer::new(*self, lap.config, lap.seed, lap.run, lap.start, lap.observer)?.train(lap.stop)
    }
}

/// An update whose metrics have not been read from the device yet.
struct Pending {
    step: u64,
    measured: Measured,
    sources: Vec<String>,
}

/// Trains one task in one run directory.
pub struct Trainer<'a, T: Task> {
    task: T,
    config: TrainConfig,
    seed: u64,
    run: PathBuf,
    observer: &'a dyn Observer,
    optimizer: Optimizer,
    metrics: Metrics,
    best: Option<Best>,
    valid: Option<ValidLine>,
    pending: Vec<Pending>,
    sources: Vec<String>, // of the last batch
    skipped: Vec<Problem>,
}

/// The initial state of a trainer, in addition to the weights of its task.
#[derive(Debug, Clone)]
pub enum Start {
    /// No state.
    Fresh,
    /// Adam's moments from another run, and the name of their source.
    Moments(Moments, String),
    /// A checkpoint of this run.
    Checkpoint(PathBuf, State),
}

impl<'a, T: Task> Trainer<'a, T> {
    /// A trainer at the start of a run, or at the checkpoint from which it resumes.
    pub fn new(
        task: T,
        config: &TrainConfig,
        seed: u64,
        run: &Path,
        from: &Start,
        observer: &'a dyn Observer,
    ) -> Result<Self> {
        let mut optimizer = Optimizer::new(task.params())?;
        let mut best = None;
        match from {
            Start::Fresh => {}
            Start::Moments(moments, place) => optimizer.load(&moments.tensors, 0, moments.steps, place)?,
            Start::Checkpoint(path, state) => {
                checkpoint::load(path, state, &task, &mut optimizer)?;
                best = state.best;
            }
        }
        let metrics = Metrics::open(run, optimizer.steps(), task.unit())?;
        let (pending, sources, skipped, valid) = (Vec::new(), Vec::new(), Vec::new(), None);
        let (config, run) = (config.clone(), run.to_path_buf());
        Ok(Trainer { task, config, seed, run, observer, optimizer, metrics, best, valid, pending, sources, skipped })
    }

    /// Trains to the last step, or until `stop` is set.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after `stop`, once a checkpoint is written; a loss or weight that is not finite, with the step and the
    /// files of its batch; any error of the data or the disk.
    pub fn train(&mut self, stop: &AtomicBool) -> Result<Finished> {
        let every = |n: u64, step: u64| n > 0 && step.is_multiple_of(n);
        let mut clock = Clock::start();
        let mut line = None;
        while self.optimizer.steps() < self.config.steps {
            let grads = self.update(&mut clock).map_err(|e| self.explained(e))?;
            let step = self.optimizer.steps();
            let last = step == self.config.steps;
            clock.step();
            self.observer.step(step);

            if every(self.config.log_every, step) || last {
                line = Some(self.log(&grads, &mut clock)?);
            }
            if every(self.config.valid_every, step) || last {
                self.validate()?;
                clock.restart();
            }
            let stopped = stop.load(Ordering::Relaxed) && !last;
            if every(self.config.checkpoint_every, step) || last || stopped {
                let kept = self.checkpoint()?;
                clock.restart();
                if stopped {
                    return Err(Error::Interrupted {
                        kept: format!(
                            "{} is written; resume with `cpc pretrain --resume --out {}`",
                            kept.display(),
                            self.run.display()
                        ),
                    });
                }
            }
        }
        let model = self.run.join("model");
        if self.best.is_none() || !model.join("model.safetensors").exists() {
            self.write_model()?;
        }
        Ok(Finished {
            steps: self.optimizer.steps(),
            train: line,
            valid: self.valid.take(),
            model,
            skipped: std::mem::take(&mut self.skipped),
        })
    }

    /// One update: forward and backward passes on `accumulate` batches, then an optimizer step. Nothing is read from the device.
    fn update(&mut self, clock: &mut Clock) -> Result<Gradients> {
        let step = self.optimizer.steps();
        let parts = self.config.accumulate;
        let mut sum: Option<Gradients> = None;
        for part in 0..parts {
            let waiting = Instant::now();
            let batch = self.task.next_batch()?;
            clock.waited(waiting, batch.amount());
            self.report_skipped(batch.skipped());

            let mut negatives = stream(self.seed, "negatives", step * parts as u64 + part as u64);
            let Outcome { objective, measured, rows, .. } = self.task.outcome(&batch, Phase::Train, &mut negatives)?;
            let grads = self.optimizer.collect(objective.backward()?, &rows)?;
            self.sources = batch.sources();
            self.pending.push(Pending { step: step + 1, measured, sources: self.sources.clone() });
            match &mut sum {
                Some(sum) => sum.add(grads)?,
                None => sum = Some(grads),
            }
        }
        let grads = sum.ok_or_else(|| Error::usage("train.accumulate: must be at least 1", "set it to 1"))?;
        self.optimizer.step(&grads, 1.0 / parts as f64, learning_rate(&self.config, step), &self.config)?;
        Ok(grads)
    }

    /// An error of an update, with what to do about a device without memory.
    fn explained(&self, e: Error) -> Error {
        if !e.is_out_of_memory() {
            return e;
        }
        let (step, batch) = (self.optimizer.steps() + 1, self.config.batch_size);
        Error::failed(
            format!("step {step}: the GPU has no memory left for a batch of {batch}"),
            "start a run with a smaller train.batch_size, and a larger train.accumulate to make up for it; the last checkpoint is intact, \
             and train.init continues from its weights",
        )
    }

    /// Reads the metrics of the updates since the last call, and returns an error for the first that is not finite.
    fn settle(&mut self) -> Result<Option<Figures>> {
        let values: Vec<&Tensor> = self.pending.iter().map(|p| &p.measured.values).collect();
        if values.is_empty() {
            return Ok(None);
        }
        let rows: Vec<Vec<f32>> = Tensor::stack(&values, 0)?.to_dtype(DType::F32)?.to_vec2()?;
        if let Some(bad) = rows.iter().position(|row| row.iter().any(|v| !v.is_finite())) {
            let bad = &self.pending[bad];
            return Err(diverged(&format!("the loss of step {} is not finite", bad.step), &bad.sources));
        }
        let mut mean = Average::default();
        self.pending.drain(..).zip(rows).for_each(|(p, values)| mean.add(&p.measured, &values, 1.0));
        Ok(Some(mean.figures()))
    }

    /// Writes a line of metrics.
    fn log(&mut self, grads: &Gradients, clock: &mut Clock) -> Result<TrainLine> {
        let figures = self.settle()?.unwrap_or_default();
        let step = self.optimizer.steps();
        let grad_norm =
            f64::from(grads.norm()?.to_dtype(DType::F32)?.to_scalar::<f32>()?) / self.config.accumulate as f64;
        clock.settled();
        if !grad_norm.is_finite() {
            return Err(diverged(&format!("the gradient of step {step} is not finite"), &self.sources));
        }
        let line = TrainLine {
            step,
            epoch: self.task.position().epoch,
            lr: learning_rate(&self.config, step - 1),
            figures,
            grad_norm,
            step_seconds: match self.task.params().device() {
                Device::Cpu => clock.median_step(),
                _ => clock.mean_step(),
            },
            data_wait_seconds: clock.mean_wait(),
            rate: clock.rate(),
            peak_rss_bytes: peak_rss_bytes(),
        };
        clock.restart();
        self.metrics.train(&line)?;
        self.observer.train(&line);
        Ok(line)
    }

    /// A pass over the validation windows, always with the same negatives. Saves the model if it is the best so far.
    fn validate(&mut self) -> Result<()> {
        let began = Instant::now();
        let (mut mean, mut rows) = (Average::default(), 0usize);
        let mut health = None;
        for (i, batch) in self.task.validation()?.enumerate() {
            let batch = batch?;
            let out =
                self.task.outcome(&batch, Phase::Eval, &mut stream(self.seed, "validation negatives", i as u64))?;
            let n = batch.rows();
            let values = out.measured.values.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            mean.add(&out.measured, &values, n as f64);
            rows += n;
            if health.is_none() {
                health = Some(health::spread_and_rank(&out.z)?);
            }
        }
        let Some((spread, effective_rank)) = health else { return Ok(()) };
        let line = ValidLine {
            step: self.optimizer.steps(),
            figures: mean.figures(),
            spread,
            effective_rank,
            windows: rows,
            seconds: began.elapsed().as_secs_f64(),
        };
        self.metrics.valid(&line)?;
        if !line.figures.loss.is_finite() {
            let what = format!("the validation loss after step {} is not finite", line.step);
            return Err(diverged(&what, &[]));
        }
        let best = self.best.is_none_or(|best| line.figures.loss < best.loss);
        self.observer.valid(&line, best);
        if let Some(words) = health::complaint(&line) {
            self.observer.warning(&words);
        }
        if best {
            self.best = Some(Best { step: line.step, loss: line.figures.loss });
            self.write_model()?;
            self.valid = Some(line);
        }
        Ok(())
    }

    fn write_model(&self) -> Result<()> {
        let dir = self.run.join("model");
        // The directory appears whole; from then on only the weights change, which are replaced as one file.
        match model_dir::is_whole(&dir) {
            true => self.task.write_model(&dir),
            false => durable::write_dir(&dir, |dir| self.task.write_model(dir)),
        }
    }

    /// Writes a checkpoint, after verifying that losses and weights are finite.
    fn checkpoint(&mut self) -> Result<PathBuf> {
        self.settle()?;
        let sums = self
            .task
            .params()
            .trainable()
            .iter()
            .map(|(_, v)| v.as_tensor().detach().sum_all())
            .collect::<candle_core::Result<Vec<_>>>()?;
        let sum = Tensor::stack(&sums, 0)?.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?;
        if !sum.is_finite() {
            let what = format!("the weights after step {} are not finite", self.optimizer.steps());
            return Err(diverged(&what, &self.sources));
        }
        let state = State {
            format: 1,
            step: self.optimizer.steps(),
            updates_before: self.optimizer.updates_before(),
            seed: self.seed,
            position: self.task.position(),
            best: self.best,
        };
        checkpoint::write(&self.run, &self.task, &self.optimizer, &state, self.config.keep_last)
    }

    fn report_skipped(&mut self, skipped: &[Problem]) {
        for problem in skipped {
            if !self.skipped.contains(problem) {
                self.observer.warning(&format!("left out: {problem}"));
                self.skipped.push(problem.clone());
            }
        }
    }
}

fn diverged(what: &str, sources: &[String]) -> Error {
    let files = if sources.is_empty() { String::new() } else { format!(" (its batch: {})", sources.join(", ")) };
    Error::failed(
        format!("{what}{files}"),
        "the last checkpoint is intact; check these files, lower train.lr or set train.clip_norm=1, and --resume",
    )
}

/// Times of the steps since the last line of metrics.
struct Clock {
    began: Instant,
    last: Instant,
    steps: Vec<f64>,
    waited: f64,
    amount: f64,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Clock { began: now, last: now, steps: Vec::new(), waited: 0.0, amount: 0.0 }
    }

    fn restart(&mut self) {
        *self = Clock::start();
    }

    fn waited(&mut self, since: Instant, amount: f64) {
        self.waited += since.elapsed().as_secs_f64();
        self.amount += amount;
    }

    fn step(&mut self) {
        let now = Instant::now();
        self.steps.push((now - self.last).as_secs_f64());
        self.last = now;
    }

    fn median_step(&self) -> f64 {
        let mut steps = self.steps.clone();
        steps.sort_by(f64::total_cmp);
        steps.get(steps.len() / 2).copied().unwrap_or(0.0)
    }

    /// A GPU computes behind the host, so only the time of all steps, up to the values that are read from it, is meaningful.
    fn mean_step(&self) -> f64 {
        (self.last - self.began).as_secs_f64() / self.steps.len().max(1) as f64
    }

    /// The device has finished all steps.
    fn settled(&mut self) {
        self.last = Instant::now();
    }

    fn mean_wait(&self) -> f64 {
        self.waited / self.steps.len().max(1) as f64
    }

    fn rate(&self) -> f64 {
        self.amount / (self.last - self.began).as_secs_f64().max(1e-9)
    }
}
