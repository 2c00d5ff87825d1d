//! MINE in a GAN as a kind of model.

use super::conclude::Evaluator;
use super::{GanConfig, GanTask, STACKED, TOY, Target};
use crate::config::{Preset, layers};
use crate::error::{Problem, Result};
use crate::kinds::plain::PlainModel;
use crate::kinds::{Job, Kind, Model, Prepared, RunConfig, Scheme};
use crate::observer::Session;
use crate::train::Task;
use std::path::Path;
use toml::Table;

/// MINE in a GAN.
pub static GAN: MineInGan = MineInGan;

/// MINE in a GAN.
#[derive(Debug, Clone, Copy)]
pub struct MineInGan;

const PRESETS: [Preset; 2] = [
    Preset { name: "mine-gan", toml: include_str!("../../../data/presets/mine-gan.toml") },
    Preset { name: "mine-gan-stacked", toml: include_str!("../../../data/presets/mine-gan-stacked.toml") },
];

impl MineInGan {
    /// The name of this kind of model.
    pub const KIND: &'static str = "mine-gan";
}

impl Kind for MineInGan {
    fn name(&self) -> &'static str {
        Self::KIND
    }

    fn models(&self) -> &'static str {
        "GANs with MINE"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn preset_for(&self, data: &str) -> &'static str {
        if data.starts_with(STACKED) { "mine-gan-stacked" } else { "mine-gan" }
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<GanConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<GanConfig>(config, faults)
    }

    fn legacy_keys(&self) -> &'static [(&'static str, &'static str)] {
        &[("generator", "noise_dim"), ("generator", "code_dim")]
    }

    fn free_keys(&self) -> &'static [&'static str] {
        &["data.classifier", "data.counted"]
    }

    fn schemes(&self) -> &'static [Scheme] {
        &[Scheme { prefix: TOY, path: false }, Scheme { prefix: STACKED, path: true }]
    }

    /// Accepts DATA that begins with one of the schemes.
    fn claims(&self, data: &Path) -> Result<bool> {
        Ok(data.to_str().is_some_and(|text| self.schemes().iter().any(|scheme| text.starts_with(scheme.prefix))))
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        let gan: GanConfig = config.sections()?;
        let evaluator = Evaluator::new(&gan, job)?;
        if let Target::Stacks(stacks) = evaluator.target() {
            job.same_data(|| Ok(stacks.sha256().into_bytes()))?;
        }
        let task = GanTask::new(&gan, evaluator.target(), job.course(), &job.session.device)?;
        let about = format!(
            "model: {:.3} M parameters; the generator is rewarded with {} per nat of I(G([e, c]); c)",
            task.params().num_trainable() as f64 / 1e6,
            gan.objective.beta
        );
        Ok(Prepared {
            config,
            task: Box::new(task),
            start: job.start(),
            about,
            steps: None,
            conclude: Box::new(move |finished, _| evaluator.conclude(&gan, finished)),
        })
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        Ok(Box::new(PlainModel::open(self.name(), "points or images", path, reference)?))
    }
}
