//! CPC on audio as a kind of model.

use super::columns::columns;
use super::pretrained::{last_checkpoint, open};
use super::trained::Spectral;
use super::{AudioConfig, AudioModelConfig, info, listen, prepare};
use crate::audio::is_audio_name;
use crate::audio::mel::MelKind;
use crate::config::{Preset, layers};
use crate::error::{Problem, Result};
use crate::kinds::{Described, Inspected, Job, Kind, Model, Options, Prepared, RunConfig};
use crate::observer::Session;
use crate::weights::torch::is_torch_file;
use crate::{data, recordings};
use std::collections::HashMap;
use std::path::Path;
use toml::Table;

/// CPC on audio.
pub static AUDIO: Audio = Audio;

/// CPC on audio.
#[derive(Debug, Clone, Copy)]
pub struct Audio;

const PRESETS: [Preset; 6] = [
    Preset { name: "small", toml: include_str!("../../../data/presets/small.toml") },
    Preset { name: "demo", toml: include_str!("../../../data/presets/demo.toml") },
    Preset { name: "mel-small", toml: include_str!("../../../data/presets/mel-small.toml") },
    Preset { name: "cpc-audio", toml: include_str!("../../../data/presets/cpc-audio.toml") },
    Preset { name: "cpc2018", toml: include_str!("../../../data/presets/cpc2018.toml") },
    Preset { name: "big", toml: include_str!("../../../data/presets/big.toml") },
];

impl Kind for Audio {
    fn name(&self) -> &'static str {
        AudioModelConfig::KIND
    }

    fn models(&self) -> &'static str {
        "audio models"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<AudioConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<AudioConfig>(config, faults)
    }

    fn legacy_keys(&self) -> &'static [(&'static str, &'static str)] {
        &[("encoder", "kernels"), ("data", "sample_rate")]
    }

    fn free_keys(&self) -> &'static [&'static str] {
        &["data.prefetch", "data.on_bad_file"]
    }

    /// Accepts an audio file, a manifest, parquet files, or a directory that contains any of these at any depth.
    fn claims(&self, data: &Path) -> Result<bool> {
        let named = |path: &Path| {
            let manifest = ["tsv", "jsonl"].iter().any(|e| path.extension().is_some_and(|x| x.eq_ignore_ascii_case(e)));
            is_audio_name(path) || manifest || data::is_table(path)
        };
        if !data.is_dir() {
            return Ok(named(data));
        }
        let below = walkdir::WalkDir::new(data).follow_links(true).into_iter().flatten();
        Ok(below.into_iter().any(|entry| !entry.file_type().is_dir() && named(entry.path())))
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        prepare::prepare(config, job)
    }

    fn listen(&self, config: RunConfig, job: &Job) -> Result<Described> {
        listen::listen(&config.sections()?, job)
    }

    /// Checkpoints of CPC_audio, weights next to their `config.json`, and the spectral features that serve as baselines for learned ones.
    fn recognizes(&self, reference: &Path) -> Result<bool> {
        if spectral(reference).is_some() {
            return Ok(true);
        }
        if reference.extension().is_some_and(|e| e == "pt" || e == "safetensors") {
            return Ok(true);
        }
        if reference.is_dir() {
            return Ok(!reference.join("config.toml").exists() && last_checkpoint(reference)?.is_some());
        }
        Ok(reference.is_file() && is_torch_file(reference)?)
    }

    fn open(&self, path: &Path, reference: &str, session: &Session) -> Result<Box<dyn Model>> {
        if let Some(kind) = spectral(path) {
            return Ok(Box::new(Spectral(kind)));
        }
        Ok(Box::new(open(path, reference, session)?))
    }

    fn files(&self) -> &'static [&'static str] {
        &["config.json", "model.safetensors", "checkpoint_args.json"]
    }

    fn baselines(&self) -> &'static [(&'static str, &'static str)] {
        &[("mfcc", "13 MFCCs with deltas"), ("logmel", "40 log-mels")]
    }

    fn baseline(&self, name: &str) -> Result<Option<Box<dyn Model>>> {
        Ok(spectral(Path::new(name)).map(|kind| -> Box<dyn Model> { Box::new(Spectral(kind)) }))
    }

    fn labels(&self, data: &Path, options: &Options) -> Result<HashMap<String, String>> {
        recordings::labels(data, &columns(options)?)
    }

    fn inspect(&self, data: &Path, options: &Options, session: &Session) -> Result<Inspected> {
        info::inspect(data, options, session)
    }
}

/// The spectral features of this name.
fn spectral(name: &Path) -> Option<MelKind> {
    [MelKind::Mfcc, MelKind::LogMel].into_iter().find(|kind| name == Path::new(kind.name()))
}
