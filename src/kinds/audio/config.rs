//! The configuration of CPC on audio.

use crate::config::layers::Sections;
use crate::config::{ConvEncoderConfig, HeadsConfig, ObjectiveConfig, TrainConfig};
use crate::error::Problem;
use crate::nn::ContextConfig;
use crate::recordings::RecordingsConfig;
use crate::signal::relate;
use serde::{Deserialize, Serialize};

/// The complete configuration of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AudioConfig {
    /// The seed of every random stream.
    pub seed: u64,
    /// g_enc.
    pub encoder: ConvEncoderConfig,
    /// g_ar.
    pub context: ContextConfig,
    /// W_k.
    pub heads: HeadsConfig,
    /// What InfoNCE contrasts.
    pub objective: ObjectiveConfig,
    /// The source of the windows.
    pub data: RecordingsConfig,
    /// How the model is trained.
    pub train: TrainConfig,
}

impl Sections for AudioConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        let before = faults.len();
        self.encoder.validate(faults);
        self.context.validate(faults);
        self.heads.validate(faults);
        self.objective.validate(faults);
        self.data.validate(faults);
        self.train.validate(faults);
        if faults.len() > before {
            return; // the checks below relate sections to each other, and need each of them to be valid
        }
        let AudioConfig { encoder, context, heads, objective, train, data, .. } = self;
        relate(encoder, context, heads, objective, train, data.window, faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use crate::error::{Error, Result};
    use crate::kinds::audio::AUDIO;
    use crate::kinds::{Kind, RunConfig};
    use std::path::Path;
    use toml::Value;

    fn of(layers: &Layers) -> Result<AudioConfig> {
        RunConfig::resolve(&AUDIO, layers)?.sections()
    }

    fn read(path: &Path) -> Result<AudioConfig> {
        RunConfig::read(&AUDIO, path)?.sections()
    }

    fn resolve(set: &[&str]) -> Result<AudioConfig> {
        of(&Layers { set: set.iter().map(|s| s.to_string()).collect(), ..Default::default() })
    }

    #[test]
    fn every_preset_is_sound_and_small_is_the_usual_one() {
        for preset in AUDIO.presets() {
            let name = preset.name;
            let config = of(&Layers { preset: Some(name.into()), ..Default::default() }).unwrap();
            assert_eq!(name == AUDIO.preset_for(""), config == resolve(&[]).unwrap(), "{name}");
        }
    }

    #[test]
    fn a_flag_beats_set_beats_file_beats_preset_beats_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("my.toml");
        std::fs::write(&file, "[train]\nlr = 3e-4\nsteps = 30\nbatch_size = 30\n").unwrap();
        let layers = Layers {
            preset: Some("demo".into()),
            file: Some(file.clone()),
            set: vec!["train.steps=40".into(), "train.batch_size=40".into()],
            flags: vec![("train.batch_size", Value::Integer(50))],
        };
        let config = of(&layers).unwrap();
        assert_eq!((config.train.lr, config.train.steps, config.train.batch_size), (3e-4, 40, 50));
        assert_eq!(config.encoder.hidden_dim, 128);
        std::fs::write(&file, "preset = \"big\"\n").unwrap();
        assert_eq!(of(&Layers { file: Some(file), ..Default::default() }).unwrap().context.num_layers, 2);
    }

    #[test]
    fn a_written_configuration_reads_back_the_same() {
        let config = resolve(&["train.lr=1", "encoder.norm=batch", "data.sampler=uniform"]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, RunConfig::of(&AUDIO, &config).unwrap().to_toml().unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), config);
    }

    #[test]
    fn every_fault_is_named_at_once_with_its_key() {
        let Err(Error::Config(faults)) =
            resolve(&["train.lrr=1", "train.lr=-1", "data.window=0", "context.kind=rnn", "color=red"])
        else {
            panic!("accepted")
        };
        let text: Vec<String> = faults.iter().map(|f| f.to_string()).collect();
        for needle in [
            "train.lrr: unknown key",
            "train.lr: -1",
            "data.window",
            "context: unknown variant `rnn`",
            "color: unknown key",
        ] {
            assert!(text.iter().any(|t| t.starts_with(needle)), "{needle} is not in {text:#?}");
        }
    }

    #[test]
    fn a_window_too_short_for_the_steps_is_refused() {
        let error = resolve(&["data.window=1600", "heads.steps=12"]).unwrap_err().to_string();
        assert!(error.contains("10 frames") && error.contains("at least 13"), "{error}");
    }

    #[test]
    fn a_setting_that_is_none_is_a_usage_error() {
        for setting in ["train.lr", "=3", "train..lr=3", "train.lr="] {
            assert!(matches!(resolve(&[setting]), Err(Error::Usage { .. })), "{setting}");
        }
    }
}
