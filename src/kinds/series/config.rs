//! The configuration of CPC on series.

use crate::config::layers::Sections;
use crate::config::{ConvEncoderConfig, EncoderKind, HeadsConfig, ObjectiveConfig, TrainConfig};
use crate::error::Problem;
use crate::nn::ContextConfig;
use crate::recordings::SensorsConfig;
use crate::signal::relate;
use serde::{Deserialize, Serialize};

/// The complete configuration of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeriesConfig {
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
    pub data: SensorsConfig,
    /// How the model is trained.
    pub train: TrainConfig,
}

impl Sections for SeriesConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        let before = faults.len();
        self.encoder.validate(faults);
        self.context.validate(faults);
        self.heads.validate(faults);
        self.objective.validate(faults);
        self.data.validate(faults);
        self.train.validate(faults);
        if self.encoder.kind != EncoderKind::Conv {
            faults.push(Problem::new("encoder.kind", "gabor and mel are for audio; use conv"));
        }
        if faults.len() == before {
            let SeriesConfig { encoder, context, heads, objective, train, data, .. } = self;
            relate(encoder, context, heads, objective, train, data.window, faults);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use crate::kinds::series::SERIES;
    use crate::kinds::{Kind, RunConfig};

    #[test]
    fn every_preset_is_sound_and_its_frames_are_what_it_says() {
        for (preset, hop) in [("series-small", 2), ("motion", 2), ("ecg-cpc", 2)] {
            assert!(SERIES.presets().iter().any(|p| p.name == preset));
            let layers = Layers { preset: Some(preset.into()), ..Default::default() };
            let config: SeriesConfig = RunConfig::resolve(&SERIES, &layers).unwrap().sections().unwrap();
            assert_eq!(config.encoder.hop(), hop, "{preset}");
        }
        let layers = Layers { preset: Some("ecg-cpc".into()), ..Default::default() };
        let ecg: SeriesConfig = RunConfig::resolve(&SERIES, &layers).unwrap().sections().unwrap();
        assert_eq!((ecg.encoder.frames(ecg.data.window), ecg.heads.steps, ecg.data.sample_rate), (300, 14, 240.0));
    }

    #[test]
    fn filterbanks_of_audio_are_refused() {
        let layers = Layers { set: vec!["encoder.kind=gabor".into()], ..Default::default() };
        let error = RunConfig::resolve(&SERIES, &layers).err().unwrap().to_string();
        assert!(error.contains("encoder.kind: gabor and mel are for audio"), "{error}");
    }
}
