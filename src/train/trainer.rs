//! The training loop, of one process or of several that share the parts of each update. The first process writes all files and reports; what it
//! reports of the others' batches, they tell it.

use crate::config::TrainConfig;
use crate::durable;
use crate::error::{Error, Problem, Result};
use crate::group::{Group, Message, Reading};
use crate::nn::{Gradients, Moments, Optimizer, ParamStore, Part, PartSum, Phase, taking};
use crate::observer::{Figures, Observer, TrainLine, ValidLine};
use crate::seed::stream;
use crate::train::average::{Average, Seen};
use crate::train::checkpoint::{self, Best, State};
use crate::train::clock::Clock;
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
    /// The processes that train it.
    pub group: &'a Group,
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
        Trainer::new(*self, lap)?.train(lap.stop)
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
    lap: &'a Lap<'a>,
    optimizer: Optimizer,
    metrics: Option<Metrics>, // of the first process
    best: Option<Best>,
    valid: Option<ValidLine>,
    pending: Vec<Pending>,
    names: Vec<&'static str>, // of the metrics
    sources: Vec<String>,     // of the last batch
    unreported: Vec<Problem>,
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
    ///
    /// # Errors
    /// The state to start from cannot be read, or is of another model; the run directory cannot be written to.
    pub fn new(task: T, lap: &'a Lap<'a>) -> Result<Self> {
        let mut optimizer = Optimizer::new(task.params())?.with_rates(|name| task.rate(name));
        let mut best = None;
        match lap.start {
            Start::Fresh => {}
            Start::Moments(moments, place) => optimizer.load(&moments.tensors, 0, moments.steps, place)?,
            Start::Checkpoint(path, state) => {
                checkpoint::load(path, state, &task, &mut optimizer)?;
                best = state.best;
            }
        }
        let metrics = match lap.group.is_first() {
            true => Some(Metrics::open(lap.run, optimizer.steps(), task.unit())?),
            false => None,
        };
        let (pending, names, sources) = (Vec::new(), Vec::new(), Vec::new());
        let (unreported, skipped, valid) = (Vec::new(), Vec::new(), None);
        Ok(Trainer { task, lap, optimizer, metrics, best, valid, pending, names, sources, unreported, skipped })
    }

    /// Trains to the last step, or until `stop` is set.
    ///
    /// # Errors
    /// [`Error::Interrupted`] after `stop`, once a checkpoint is written; a loss or weight that is not finite, with the step and the
    /// files of its batch; any error of the data or the disk.
    pub fn train(&mut self, stop: &AtomicBool) -> Result<Finished> {
        let config = self.lap.config;
        let every = |n: u64, step: u64| n > 0 && step.is_multiple_of(n);
        let mut clock = Clock::start();
        let mut line = None;
        while self.optimizer.steps() < config.steps && !self.has_stalled() {
            let (grads, stopped) = self.update(&mut clock, stop).map_err(|e| self.explained(e))?;
            let step = self.optimizer.steps();
            let last = step == config.steps;
            clock.step();
            self.lap.observer.step(step);

            if every(config.log_every, step) || last {
                line = self.log(&grads, &mut clock)?;
            }
            if every(config.valid_every, step) || last {
                self.validate()?;
                clock.restart();
            }
            let last = last || self.has_stalled();
            let stopped = stopped && !last;
            if every(config.checkpoint_every, step) || last || stopped {
                let kept = self.checkpoint()?;
                clock.restart();
                if stopped {
                    return Err(Error::Interrupted {
                        kept: format!(
                            "{} is written; resume with `cpc pretrain --resume --out {}`",
                            kept.display(),
                            self.lap.run.display()
                        ),
                    });
                }
            }
        }
        let model = self.lap.run.join("model");
        if self.lap.group.is_first() && (self.best.is_none() || !model.join("model.safetensors").exists()) {
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

    /// Whether the last validations, as many as `train.patience`, have brought no better model.
    fn has_stalled(&self) -> bool {
        let TrainConfig { patience, valid_every, .. } = self.lap.config;
        let since = |best: Best| self.optimizer.steps() >= best.step + patience * valid_every;
        *patience > 0 && self.best.is_some_and(since)
    }

    /// One update: forward and backward passes on `accumulate` batches, this process's share of them here, then an optimizer step. Nothing
    /// is read from the device of a process alone. Returns the gradients, and whether training is to stop.
    fn update(&mut self, clock: &mut Clock, stop: &AtomicBool) -> Result<(Gradients, bool)> {
        let Lap { config, seed, group, .. } = *self.lap;
        let step = self.optimizer.steps();
        let parts = config.accumulate;
        let mut sum = PartSum::new(group, self.task.params());
        for part in (group.rank()..parts).step_by(group.size()) {
            let waiting = Instant::now();
            let batch = self.task.next_batch()?;
            clock.waited(waiting, batch.amount());
            self.report_skipped(batch.skipped());

            let mut negatives = stream(seed, "negatives", step * parts as u64 + part as u64);
            let (outcome, taken) = taking(|| self.task.outcome(&batch, Phase::Train, &mut negatives));
            let Outcome { objective, measured, rows, .. } = outcome?;
            let gradients = self.optimizer.collect(objective.backward()?, &rows)?;
            self.sources = batch.sources();
            self.names.clone_from(&measured.names);
            self.pending.push(Pending { step: step + 1, measured, sources: self.sources.clone() });
            sum.add(Part { gradients, taken }, stop.load(Ordering::Relaxed))?;
        }
        let stopped = sum.stopped();
        let grads = sum.finish()?;
        self.optimizer.step(&grads, 1.0 / parts as f64, learning_rate(config, step), config)?;
        Ok((grads, stopped))
    }

    /// An error of an update, with what to do about a device without memory.
    fn explained(&self, e: Error) -> Error {
        if !e.is_out_of_memory() {
            return e;
        }
        let (step, batch) = (self.optimizer.steps() + 1, self.lap.config.batch_size);
        Error::failed(
            format!("step {step}: the GPU has no memory left for a batch of {batch}"),
            "start a run with a smaller train.batch_size, and a larger train.accumulate to make up for it; the last checkpoint is intact, \
             and train.init continues from its weights",
        )
    }

    /// Reads the metrics of the updates since the last call, and returns an error for the first that is not finite. In the first process they
    /// include those of the others, in the order of the parts, and the amount of data of all is added up.
    fn settle(&mut self, amount: &mut f64) -> Result<Option<Figures>> {
        let values: Vec<&Tensor> = self.pending.iter().map(|p| &p.measured.values).collect();
        if values.is_empty() {
            return Ok(None);
        }
        let rows: Vec<Vec<f32>> = Tensor::stack(&values, 0)?.to_dtype(DType::F32)?.to_vec2()?;
        if let Some(bad) = rows.iter().position(|row| row.iter().any(|v| !v.is_finite())) {
            let bad = &self.pending[bad];
            return Err(diverged(&format!("the loss of step {} is not finite", bad.step), &bad.sources));
        }
        let seen: Vec<Seen> =
            self.pending.drain(..).zip(rows).map(|(p, values)| Seen::new(&p.measured, values)).collect();
        let all = self.all_seen(seen, amount)?;
        let mut mean = Average::default();
        // The n-th batches of all processes are parts that follow each other.
        for n in 0..all.iter().map(Vec::len).max().unwrap_or(0) {
            all.iter().filter_map(|seen| seen.get(n)).for_each(|seen| mean.add(seen, 1.0));
        }
        Ok(Some(mean.figures(&self.names)))
    }

    /// What the batches of all processes have shown, by process.
    fn all_seen(&mut self, seen: Vec<Seen>, amount: &mut f64) -> Result<Vec<Vec<Seen>>> {
        let group = self.lap.group;
        if group.size() == 1 {
            return Ok(vec![seen]);
        }
        let mut message = Message::new();
        message.number(amount.to_bits()).number(seen.len() as u64);
        seen.iter().for_each(|seen| seen.tell(&mut message));
        message.number(self.unreported.len() as u64);
        for problem in self.unreported.drain(..) {
            message.bytes(problem.at.as_bytes()).bytes(problem.what.as_bytes());
        }
        let all = group.gather(message.take())?;
        *amount = 0.0;
        let mut by_process = Vec::new();
        for (rank, bytes) in all.iter().enumerate() {
            let mut reading = Reading::new(bytes);
            *amount += f64::from_bits(reading.number()?);
            by_process.push((0..reading.number()?).map(|_| Seen::hear(&mut reading)).collect::<Result<_>>()?);
            for _ in 0..reading.number()? {
                let mut text = || reading.bytes().map(|text| String::from_utf8_lossy(text).into_owned());
                let problem = Problem { at: text()?, what: text()? };
                if rank != group.rank() {
                    self.report_skipped(&[problem]);
                }
            }
        }
        self.unreported.clear();
        Ok(by_process)
    }

    /// Writes a line of metrics, in the first process.
    fn log(&mut self, grads: &Gradients, clock: &mut Clock) -> Result<Option<TrainLine>> {
        let figures = self.settle(&mut clock.amount)?.unwrap_or_default();
        let step = self.optimizer.steps();
        let Lap { config, group, observer, .. } = *self.lap;
        let grad_norm = f64::from(grads.norm()?.to_dtype(DType::F32)?.to_scalar::<f32>()?) / config.accumulate as f64;
        clock.settled();
        if !grad_norm.is_finite() {
            return Err(diverged(&format!("the gradient of step {step} is not finite"), &self.sources));
        }
        group.same(
            &format!("the weights after step {step}"),
            "the processes have computed different results: use machines with the same processors, the same build of cpc and the same \
             --threads, and resume from the last checkpoint, which is intact",
            || checksum(self.task.params()),
        )?;
        let line = TrainLine {
            step,
            epoch: self.task.position().epoch,
            lr: learning_rate(config, step - 1),
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
        let Some(metrics) = &mut self.metrics else { return Ok(None) };
        metrics.train(&line)?;
        observer.train(&line);
        Ok(Some(line))
    }

    /// A pass over the validation windows, always with the same negatives; the processes share them. The first one saves the model if it is
    /// the best so far.
    fn validate(&mut self) -> Result<()> {
        let began = Instant::now();
        let Lap { seed, group, observer, .. } = *self.lap;
        let share = group.share();
        let (mut health, mut names) = (None, Vec::new());
        let mut message = Message::new();
        for (i, batch) in self.task.validation(share)?.enumerate() {
            let (number, batch) = (share.rank + i as u64 * share.ranks, batch?);
            let out = self.task.outcome(&batch, Phase::Eval, &mut stream(seed, "validation negatives", number))?;
            let values = out.measured.values.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            message.number(batch.rows() as u64);
            Seen::new(&out.measured, values).tell(&mut message);
            if health.is_none() {
                health = Some(health::spread_and_rank(&out.z)?);
                names = out.measured.names;
            }
        }
        let all = group.gather(message.take())?;
        let (Some((spread, effective_rank)), Some(metrics)) = (health, &mut self.metrics) else { return Ok(()) };
        let (mut mean, mut rows) = (Average::default(), 0u64);
        let mut readings: Vec<Reading> = all.iter().map(|bytes| Reading::new(bytes)).collect();
        // In the order of the batches: one of each process, then the next of each.
        while readings.iter().any(|reading| !reading.is_at_its_end()) {
            for reading in readings.iter_mut().filter(|reading| !reading.is_at_its_end()) {
                let n = reading.number()?;
                mean.add(&Seen::hear(reading)?, n as f64);
                rows += n;
            }
        }
        let line = ValidLine {
            step: self.optimizer.steps(),
            figures: mean.figures(&names),
            spread,
            effective_rank,
            windows: rows as usize,
            seconds: began.elapsed().as_secs_f64(),
        };
        metrics.valid(&line)?;
        if !line.figures.loss.is_finite() {
            let what = format!("the validation loss after step {} is not finite", line.step);
            return Err(diverged(&what, &[]));
        }
        let deciding = line.figures.value(self.task.deciding());
        let best = self.best.is_none_or(|best| deciding < best.value);
        observer.valid(&line, best);
        if let Some(words) = health::complaint(&line) {
            observer.warning(&words);
        }
        if best {
            self.best = Some(Best { step: line.step, value: deciding });
            self.write_model()?;
            self.valid = Some(line);
        }
        Ok(())
    }

    fn write_model(&self) -> Result<()> {
        let dir = self.lap.run.join("model");
        // The directory appears whole; from then on only the weights change, which are replaced as one file.
        match model_dir::is_whole(&dir) {
            true => self.task.write_model(&dir),
            false => durable::write_dir(&dir, |dir| self.task.write_model(dir)),
        }
    }

    /// Writes a checkpoint, in the first process, after verifying that losses and weights are finite. Returns its path.
    fn checkpoint(&mut self) -> Result<PathBuf> {
        self.settle(&mut 0.0)?;
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
        let Lap { config, run, seed, group, .. } = *self.lap;
        let state = State {
            format: 1,
            step: self.optimizer.steps(),
            updates_before: self.optimizer.updates_before(),
            seed,
            position: self.task.position(),
            best: self.best,
        };
        match group.is_first() {
            true => checkpoint::write(run, &self.task, &self.optimizer, &state, config.keep_last),
            false => Ok(checkpoint::path(run, state.step)),
        }
    }

    fn report_skipped(&mut self, skipped: &[Problem]) {
        for problem in skipped {
            if !self.skipped.contains(problem) {
                self.lap.observer.warning(&format!("left out: {problem}"));
                self.skipped.push(problem.clone());
                if self.lap.group.size() > 1 {
                    self.unreported.push(problem.clone());
                }
            }
        }
    }
}

/// The CRC-32C of all parameters and buffers.
fn checksum(store: &ParamStore) -> Result<Vec<u8>> {
    let mut sum = 0;
    for tensor in store.tensors().values() {
        let values: Vec<f32> = tensor.flatten_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec1()?;
        sum = crc32c::crc32c_append(sum, bytemuck::cast_slice(&values));
    }
    Ok(sum.to_le_bytes().to_vec())
}

fn diverged(what: &str, sources: &[String]) -> Error {
    let files = if sources.is_empty() { String::new() } else { format!(" (its batch: {})", sources.join(", ")) };
    Error::failed(
        format!("{what}{files}"),
        "the last checkpoint is intact; check these files, lower train.lr or set train.clip_norm=1, and --resume",
    )
}
