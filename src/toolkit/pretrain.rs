//! Pretraining, from a configuration to a model, for all kinds.

use super::Toolkit;
use crate::config::{Layers, PrecisionKind};
use crate::device::{Precision, set_precision};
use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::hub::{self, Here};
use crate::kinds::{Described, Job, Kind, RunConfig, Steps};
use crate::observer::{Figures, Session};
use crate::ops::function::Form;
use crate::train::checkpoint::State;
use crate::train::{Finished, Lap, run_dir};
use candle_core::{DType, Device};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

/// What to train, and where.
#[derive(Debug, Clone, Default)]
pub struct Pretrain {
    /// The configuration, including DATA.
    pub layers: Layers,
    /// The run directory.
    pub out: PathBuf,
    /// Resume the run in `out`, or start it if it does not exist.
    pub resume: bool,
    /// Replace the run in `out`.
    pub overwrite: bool,
}

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The run directory.
    pub run: PathBuf,
    /// The model directory.
    pub model: PathBuf,
    /// Total number of updates made.
    pub steps: u64,
    /// The source of the figures: `validation` (the best one) or `training` (the last line). `None` if there was nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<&'static str>,
    /// Seconds from one latent to the next, if the latents are spaced in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_seconds: Option<f64>,
    /// The figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// What was measured after training, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub concluded: BTreeMap<&'static str, f64>,
    /// Files that could not be read and were skipped.
    pub skipped: Vec<String>,
    /// Number of updates made before the figures were taken.
    #[serde(skip)]
    at: u64,
    #[serde(skip)]
    ahead: Vec<String>,
}

impl Toolkit {
    /// Trains a model, as a new run or by resuming one.
    ///
    /// # Errors
    /// The configuration or the data cannot be used. [`Error::Interrupted`] after `session.stop`, once a checkpoint is written.
    pub fn pretrain(&self, what: &Pretrain, session: &Session) -> Result<Report> {
        session.group.settle(self.pretrain_here(what, session))
    }

    /// The work of one process of the group.
    fn pretrain_here(&self, what: &Pretrain, session: &Session) -> Result<Report> {
        let (out, group) = (&what.out, &session.group);
        let begun = what.resume && out.join("config.toml").exists();
        let elsewhere = "the run directory must be in a file system that all processes see";
        group.same(&format!("--out {}: the run", out.display()), elsewhere, || Ok(vec![u8::from(begun)]))?;
        if begun {
            let from = run_dir::latest(out)?;
            let step = from.as_ref().map_or(u64::MAX, |(_, state)| state.step);
            group.same("the last checkpoint", elsewhere, || Ok(step.to_le_bytes().to_vec()))?;
            let old = self.read_config(out)?;
            let asked = self.asked(&old, &what.layers)?;
            let config = old.resumed(asked, &|text| session.observer.note(text))?;
            return run(config, out, true, false, from, session);
        }
        if what.resume && what.layers.data().is_none() && what.layers.file.is_none() {
            return Err(Error::usage(
                format!("--resume --out {}: there is no run to resume, and no DATA to start one", out.display()),
                "check the path, or give DATA to start a run",
            ));
        }
        if group.is_first() {
            run_dir::check_new(out, what.overwrite)?;
        }
        if what.resume {
            session.observer.note(&format!("{}: there is no run yet; starting it", out.display()));
        }
        let mut config = self.configure(&what.layers)?;
        // A batch for each process, unless something else is asked for.
        if group.size() > 1 && !what.layers.sets_train("accumulate")? {
            config.set_accumulate(group.size());
        }
        run(config, out, false, what.overwrite, None, session)
    }

    /// Writes the first windows that a run would train on, augmented, as recordings to `dir`.
    ///
    /// # Errors
    /// The configuration or the data cannot be used, or are not of recordings.
    pub fn listen(&self, layers: &Layers, dir: &Path, session: &Session) -> Result<Described> {
        let mut config = self.configure(layers)?;
        let (kind, here) = located(&config, session)?;
        config.set_data(&here.name);
        kind.listen(config, &Job { session, out: dir, data: &here.path, from: None })
    }

    /// Trains a model with a given configuration, as a new run.
    ///
    /// # Errors
    /// As [`Toolkit::pretrain`].
    pub fn pretrain_config(&self, config: RunConfig, out: &Path, session: &Session) -> Result<Report> {
        session.group.settle((|| {
            if session.group.is_first() {
                run_dir::check_new(out, false)?;
            }
            run(config, out, false, false, None, session)
        })())
    }

    /// The configuration that a command that resumes a run requests.
    fn asked(&self, old: &RunConfig, layers: &Layers) -> Result<RunConfig> {
        let named = match (&layers.preset, &layers.file) {
            (Some(preset), _) => Some(self.kind_of_preset(preset)?),
            (None, Some(file)) => self.kind_of_config(file)?,
            (None, None) => None,
        };
        if let Some(kind) = named.filter(|kind| kind.name() != old.kind().name()) {
            return Err(Error::usage(
                format!("--resume: this run is of the kind {}, and {} is requested", old.kind().name(), kind.name()),
                "leave out --preset and --config, or choose another --out",
            ));
        }
        old.overlaid(layers)
    }
}

/// Sets the precision of training on a device, and says what it is on a GPU.
fn precision(kind: PrecisionKind, device: &Device) -> Result<Option<&'static str>> {
    let on_cuda = device.is_cuda();
    let chosen = match kind {
        PrecisionKind::Auto if on_cuda => Precision::Tf32,
        PrecisionKind::Auto | PrecisionKind::F32 => Precision::F32,
        PrecisionKind::Tf32 if on_cuda => Precision::Tf32,
        PrecisionKind::Bf16 if on_cuda => Precision::Bf16,
        PrecisionKind::Tf32 | PrecisionKind::Bf16 => {
            return Err(Error::usage(
                "train.precision: only NVIDIA GPUs have tf32 and bf16",
                "choose --device cuda, or train.precision=auto",
            ));
        }
    };
    set_precision(chosen);
    Ok(match (device, chosen) {
        (Device::Cpu, _) => None,
        (Device::Metal(_), _) => Some("on an Apple GPU, in f32"),
        (Device::Cuda(_), Precision::F32) => Some("on an NVIDIA GPU, in f32"),
        (Device::Cuda(_), Precision::Tf32) => {
            Some("on an NVIDIA GPU; products in TF32 (11 bits; train.precision=f32 has 24), the rest in f32")
        }
        (Device::Cuda(_), Precision::Bf16) => Some(
            "on an NVIDIA GPU; bf16 (8 bits) between the encoder's layers, other products in TF32, the rest in f32",
        ),
    })
}

/// The kind of a configuration, and where its data are.
fn located(config: &RunConfig, session: &Session) -> Result<(&'static dyn Kind, Here)> {
    let (kind, data) = (config.kind(), config.data().to_string());
    if data.is_empty() {
        return Err(Error::usage(
            "no DATA is given",
            "name the data to train on; `cpc pretrain --help` lists the accepted forms",
        ));
    }
    let here = match kind.schemes().iter().any(|scheme| data.starts_with(scheme.prefix)) {
        true => Here { path: PathBuf::from(&data), name: data },
        false => hub::data(Path::new(&data), session)?,
    };
    Ok((kind, here))
}

fn run(
    mut config: RunConfig,
    out: &Path,
    resume: bool,
    overwrite: bool,
    from: Option<(PathBuf, State)>,
    session: &Session,
) -> Result<Report> {
    let (observer, group) = (session.observer, &session.group);
    let computed = precision(config.train()?.precision, &session.device)?;
    // What is on the hub is fetched by the first process, and found in the cache by those that share it.
    let (kind, here) = group.first_then_others(|| located(&config, session))?;
    config.set_data(&here.name);
    shared(&config, group)?;
    group.same(
        "the device, its precision or the number of threads",
        "use the same device and --threads in all processes",
        || {
            let kind = match session.device {
                Device::Cpu => "cpu",
                Device::Cuda(_) => "cuda",
                Device::Metal(_) => "metal",
            };
            let form = Form::on(&session.device, DType::F32);
            Ok(format!("{kind} {:?} {form:?} {}", crate::device::precision(), rayon::current_num_threads())
                .into_bytes())
        },
    )?;
    let job = Job { session, out, data: &here.path, from: from.as_ref() };
    let prepared = kind.prepare(config, &job)?;
    let config = prepared.config;
    let _lock = match group.is_first() {
        true => Some(begin(out, &config, resume, overwrite)?),
        false => None,
    };
    observer.note(&prepared.about);
    if resume {
        let place = from
            .as_ref()
            .map_or("the beginning, as there is no checkpoint yet".into(), |(p, _)| p.display().to_string());
        observer.note(&format!("resuming from {place}"));
    }
    let train = config.train()?;
    for text in [computed, group.connect(&session.device)?].into_iter().flatten() {
        observer.note(text);
    }
    let step = from.as_ref().map_or(0, |(_, state)| state.step);
    observer.start(step, train.steps, prepared.task.unit());
    let watch = session.watch();
    let finished = prepared.task.train(&Lap {
        config: &train,
        seed: config.seed(),
        run: out,
        start: &prepared.start,
        observer,
        stop: &session.stop,
        group,
    });
    drop(watch);
    observer.done();
    let finished = finished?;
    let name = std::path::absolute(out).map_err(Error::io(out, "find"))?;
    let name = name.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let concluded = match group.is_first() {
        true => (prepared.conclude)(&finished, &name)?,
        false => BTreeMap::new(),
    };
    Ok(Report::new(out, finished, concluded, prepared.steps.unwrap_or_default()))
}

/// Creates the directory of a run, or opens it again, for this process alone.
fn begin(out: &Path, config: &RunConfig, resume: bool, overwrite: bool) -> Result<durable::Lock> {
    std::fs::create_dir_all(out).map_err(Error::io(out, "create"))?;
    let lock = durable::lock(out)?;
    match resume {
        true => durable::write(&out.join("config.toml"), config.to_toml()?.as_bytes())?,
        false => run_dir::create(out, &config.to_toml()?, overwrite)?,
    }
    Ok(lock)
}

/// Checks that the processes of a group can share the updates of a run, and that they were asked for the same one.
fn shared(config: &RunConfig, group: &Group) -> Result<()> {
    let (parts, size) = (config.train()?.accumulate, group.size());
    if !parts.is_multiple_of(size) {
        return Err(Error::usage(
            format!("{size} processes cannot share the batches of an update equally: train.accumulate is {parts}"),
            format!(
                "start a number of processes that divides {parts}; a new run may also set train.accumulate to a multiple of {size}"
            ),
        ));
    }
    if config.gathers() && parts != size {
        return Err(Error::usage(
            format!(
                "objective.gather: the {parts} batches of an update draw negatives from each other, so each needs a process of its own; {size} are started"
            ),
            format!("start {parts} processes, or set objective.gather=false in a new run"),
        ));
    }
    let remedy = "start all processes with the same build of cpc and the same command line";
    group.same("the configuration", remedy, || {
        Ok(sha256(format!("{} {}", env!("CARGO_PKG_VERSION"), config.to_toml()?).as_bytes()).into_bytes())
    })
}

impl Report {
    fn new(run: &Path, finished: Finished, concluded: BTreeMap<&'static str, f64>, steps: Steps) -> Report {
        let (on, at, figures) = match finished.best() {
            Some((on, at, figures)) => (Some(on), at, Some(figures.clone())),
            None => (None, 0, None),
        };
        Report {
            run: run.to_path_buf(),
            model: finished.model,
            steps: finished.steps,
            on,
            frame_seconds: steps.frame_seconds,
            figures,
            concluded,
            skipped: finished.skipped.iter().map(ToString::to_string).collect(),
            at,
            ahead: steps.ahead,
        }
    }

    /// The figures of every step k.
    fn by_step(&self, f: &mut fmt::Formatter<'_>, named: &str, figures: &Figures) -> fmt::Result {
        writeln!(f, "{named}: mean loss {:.4} nats\n", figures.loss)?;
        writeln!(f, "  k   ahead    loss   bound  accuracy  times chance")?;
        for (i, (loss, accuracy)) in figures.loss_per_step.iter().zip(&figures.accuracy_per_step).enumerate() {
            writeln!(
                f,
                "{:>3}  {:>7}  {loss:>6.3}  {:>6.3}  {:>7.2} %  {:>11.1} x",
                i + 1,
                self.ahead.get(i).map_or("", String::as_str),
                figures.bound_per_step[i],
                accuracy * 100.0,
                accuracy / figures.chance
            )?;
        }
        let candidates = (1.0 / figures.chance).round();
        writeln!(
            f,
            "\nloss and bound in nats; chance, one of {candidates:.0}: loss {:.3}, accuracy {:.2} %",
            (1.0 / figures.chance).ln(),
            figures.chance * 100.0
        )?;
        writeln!(
            f,
            "bound: log({candidates:.0}) - loss, a lower bound on the information c carries about z at that distance (an estimate: \
             negatives from one batch are correlated)"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(figures) = &self.figures else {
            return writeln!(f, "nothing left to do: all {} steps are done", self.steps);
        };
        let named = match self.on {
            Some("validation") => format!("The best validation, after {} steps", self.at),
            _ => format!("Training, the last steps up to {}", self.at),
        };
        if figures.loss_per_step.is_empty() {
            writeln!(f, "{named}: loss {:.4}\n", figures.loss)?;
            figures.named.iter().try_for_each(|(name, value)| f.write_str(&named_line(name, *value)))?;
        } else {
            self.by_step(f, &named, figures)?;
        }
        if !self.concluded.is_empty() {
            writeln!(f, "\nThe model after the last step:")?;
            self.concluded.iter().try_for_each(|(name, value)| f.write_str(&named_line(name, *value)))?;
        }
        writeln!(f, "\nmodel: {}", self.model.display())
    }
}

/// A figure on a line, with the unit that its name implies.
fn named_line(name: &str, value: f64) -> String {
    let words = name.replace('_', " ");
    let mut line = format!("  {words:<20} ");
    let _ = if name.ends_with("accuracy") || name.ends_with("error") {
        writeln!(line, "{:>9.2} %", 100.0 * value)
    } else if value.fract() == 0.0 && value.abs() >= 1.0 {
        writeln!(line, "{value:>6}")
    } else {
        writeln!(line, "{value:>9.4}")
    };
    line
}
