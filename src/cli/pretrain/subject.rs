//! What can be pretrained on, and what every such run does from its configuration to its report.

use super::Pretrain;
use super::report::report;
use crate::cli::Terminal;
use crate::cli::interrupt::interruptible;
use crate::cli::progress::Progress;
use crate::cli::remote;
use crate::config::{Layers, Schedule, Sections, TrainConfig};
use crate::data::Position;
use crate::device;
use crate::durable;
use crate::error::{Error, Result};
use crate::train::checkpoint::State;
use crate::train::{Finished, Start, Task, Trainer, run_dir};
use candle_core::Device;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a subject makes its task for.
pub(super) struct Job<'a> {
    pub terminal: &'a Terminal,
    /// The run directory.
    pub out: &'a Path,
    /// Where the data lie on this machine.
    pub data: &'a Path,
    pub device: &'a Device,
    /// The checkpoint that the run goes on from.
    pub from: Option<&'a (PathBuf, State)>,
}

impl Job<'_> {
    /// Where the data go on.
    pub fn at(&self) -> Position {
        self.from.map(|(_, state)| state.position).unwrap_or_default()
    }
}

/// The configuration of a kind of run, and what is particular to it.
pub(super) trait Subject: Sections + Clone + PartialEq {
    /// What is trained.
    type Task: Task;
    /// What it is trained on, for the card.
    type Material;

    fn train(&self) -> &TrainConfig;
    fn train_mut(&mut self) -> &mut TrainConfig;
    fn seed(&self) -> u64;
    /// `data.path`.
    fn data_path(&mut self) -> &mut String;
    /// Takes over what a resumed run may have otherwise, beside what `train` may.
    fn follow(&mut self, new: &Self);
    /// The task, and what its training begins with. What turns out only now goes into the configuration.
    fn prepare(&mut self, job: &Job) -> Result<(Self::Task, Start, Self::Material)>;
    /// The model in a line.
    fn describe(&self, task: &Self::Task) -> String;
    /// How far ahead step k is; of models that have steps.
    fn ahead(&self, _k: usize) -> String {
        String::new()
    }
    /// Seconds from one latent to the next, if time passes.
    fn frame_seconds(&self) -> Option<f64> {
        None
    }
    /// What is measured when training is done, by name.
    fn conclude(&self, _finished: &Finished, _material: &Self::Material) -> Result<BTreeMap<&'static str, f64>> {
        Ok(BTreeMap::new())
    }
    /// Writes `model/README.md` and what it is made of, of kinds that have a card.
    fn write_card(
        &self,
        _name: &str,
        _finished: &Finished,
        _material: &Self::Material,
        _parameters: usize,
    ) -> Result<()> {
        Ok(())
    }
}

/// Does what the command line asks for, on one kind of data.
pub(super) fn run<S: Subject>(args: &Pretrain, mut layers: Layers, terminal: &Terminal) -> Result<()> {
    let out = match &args.out {
        Some(out) if !args.print_config => out.clone(),
        _ => return terminal.result(&S::resolve(&layers)?.to_toml()?),
    };
    let from = if args.resume { run_dir::latest(&out)? } else { None };
    let mut config = if args.resume {
        let old = S::read(&out.join("config.toml"))?;
        layers.file = Some(out.join("config.toml"));
        let new = S::resolve(&layers)?;
        same_run(&old, &new)?;
        new
    } else {
        run_dir::check_new(&out, args.overwrite)?;
        S::resolve(&layers)?
    };
    if config.data_path().is_empty() {
        return Err(Error::usage(
            "no DATA is given",
            "name recordings or text: `cpc pretrain --help` says in which forms",
        ));
    }
    let device = device::parse(&args.device)?;
    let data = remote::recordings(Path::new(config.data_path()), terminal)?;
    config.data_path().clone_from(&data.name);
    let job = Job { terminal, out: &out, data: &data.path, device: &device, from: from.as_ref() };
    let (task, start, material) = config.prepare(&job)?;
    if args.resume {
        durable::write(&out.join("config.toml"), config.to_toml()?.as_bytes())?;
    } else {
        run_dir::create(&out, &config.to_toml()?, args.overwrite)?;
    }
    terminal.note(&config.describe(&task));
    let step = from.as_ref().map_or(0, |(_, state)| state.step);
    if args.resume {
        let place =
            from.as_ref().map_or("the beginning: there is no checkpoint yet".into(), |(p, _)| p.display().to_string());
        terminal.note(&format!("resuming from {place}"));
    }

    let stop = interruptible()?;
    let mut progress = Progress::new(terminal, config.train().steps, step, task.unit());
    let parameters = task.params().num_trainable();
    let finished = Trainer::new(task, config.train(), config.seed(), &out, &start, &mut progress)?.train(&stop);
    progress.finish();
    let finished = finished?;
    let name = std::path::absolute(&out).map_err(Error::io(&out, "find"))?;
    let name = name.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    config.write_card(&name, &finished, &material, parameters)?;
    let concluded = config.conclude(&finished, &material)?;
    report(&config, &out, &finished, &concluded, terminal)
}

/// What may change when a run is resumed: how long it goes on and what it writes, not what it computes.
fn same_run<S: Subject>(old: &S, new: &S) -> Result<()> {
    if old.train().schedule == Schedule::Cosine && old.train().steps != new.train().steps {
        return Err(Error::usage(
            format!(
                "--resume: the learning rate of this run falls to 0 at step {} (train.schedule = cosine)",
                old.train().steps
            ),
            "start a new run from its model with --init, or leave train.steps as it was",
        ));
    }
    let mut like_new = old.clone();
    let (o, n) = (like_new.train_mut(), new.train());
    o.steps = n.steps;
    (o.log_every, o.valid_every, o.checkpoint_every, o.keep_last) =
        (n.log_every, n.valid_every, n.checkpoint_every, n.keep_last);
    like_new.follow(new);
    if like_new == *new {
        return Ok(());
    }
    Err(Error::usage(
        "--resume: the options would change what the run computes",
        "of the configuration, only train.steps, *_every, keep_last and data.path may change; start a new run with --init instead",
    ))
}
