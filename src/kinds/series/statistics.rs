//! A baseline for learned features: what every channel of a recording looks like on the whole.

use super::SeriesModelConfig;
use super::trained::{WORDS, corpora};
use crate::error::{Error, Result};
use crate::features::{Format, Frames, LayerInfo, Made, Pool, Timing};
use crate::kinds::recorded;
use crate::kinds::{Described, ExtractRequest, Extracted, Model, Source};
use crate::observer::Session;
use crate::recordings::{Corpus, Moments, Pieces, Scale, Sensors, SensorsConfig, Utterance};
use serde_json::json;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Its name.
pub(super) const NAME: &str = "statistics";

/// What is computed of each channel.
pub(super) const ABOUT: &str = "mean, deviation, least and greatest value, and mean step of each channel";

/// Figures of each channel.
const FIGURES: usize = 5;

/// Samples that are read at once.
const SAMPLES: u64 = 8192;

/// Statistics in place of a model.
pub(super) struct Statistics;

/// The figures of a recording, in the units of its file: those of the first channel, and so on.
fn figures(corpus: &Corpus<Sensors>, utterance: &Utterance<Sensors>) -> Result<Vec<f32>> {
    let width = corpus.width;
    let mut pieces = Pieces::new(corpus, utterance, SAMPLES);
    let (mut moments, mut steps) = (vec![Moments::default(); width], vec![0.0f64; width]);
    let mut last: Vec<f32> = Vec::new();
    loop {
        let piece = pieces.read()?;
        if piece.is_empty() {
            break;
        }
        for frame in piece.chunks_exact(width) {
            frame.iter().zip(&mut moments).for_each(|(value, moments)| moments.add(f64::from(*value)));
            let moves = frame.iter().zip(&last).map(|(value, before)| (f64::from(*value) - f64::from(*before)).abs());
            steps.iter_mut().zip(moves).for_each(|(sum, step)| *sum += step);
            last.clear();
            last.extend_from_slice(frame);
        }
    }
    let of = |(m, steps): (&Moments, &f64)| {
        let step = steps / (m.count as f64 - 1.0).max(1.0);
        [m.mean, m.deviation(), m.least, m.most, step].map(|figure| figure as f32)
    };
    Ok(moments.iter().zip(&steps).flat_map(of).collect())
}

impl Model for Statistics {
    fn kind(&self) -> &'static str {
        SeriesModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        "series"
    }

    fn reference(&self) -> &str {
        NAME
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        Described::new(&json!({ "features": NAME }), format!("features    {NAME}: {ABOUT}\n"))
    }

    fn layers(&self) -> Vec<String> {
        vec![NAME.into()]
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["format", "normalize", "on-bad-file", "rate"]
    }

    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let mut input = request.source()?;
        let (Source::Paths(paths), true) = (&mut *input, request.format == Format::default()) else {
            return Err(Error::usage(
                format!("{NAME} are computed from recordings and written to .npy files"),
                "leave out --format, and give recordings as INPUT",
            ));
        };
        if let Some(layer) = request.layers.iter().find(|layer| *layer != NAME) {
            return Err(Error::usage(format!("--layer {layer}: {NAME} have no layers"), "leave out --layer"));
        }
        let began = Instant::now();
        let rate = request.options.get("rate")?.unwrap_or(0.0);
        let cfg = SensorsConfig { rate, scale: Scale::None, ..SensorsConfig::default() };
        let corpora: Vec<Corpus<Sensors>> = corpora(paths, &cfg, None, request, session)?
            .into_iter()
            .map(|corpus| corpus.usable(recorded::on_bad_file(&request.options)?))
            .collect::<Result<_>>()?;
        let (rate, width) = corpora.first().map_or((1.0, 0), |corpus| (corpus.sample_rate, corpus.width));
        let dim = width * FIGURES;
        let made = Made {
            model: NAME.into(),
            model_sha256: String::new(),
            layers: vec![LayerInfo { name: NAME.into(), dim, path: ".".into() }],
            format: Format::default(),
            normalize: recorded::normalize(&request.options)?,
            pool: Pool::None,
            removed: None,
            timing: Timing::of_whole(rate),
        };
        let index = recorded::computed(made, &corpora, &request.out, |corpus, utterance, files| {
            let frames = Frames { count: 1, layers: vec![figures(corpus, utterance)?] };
            files.take(&utterance.id, &frames)
        })?;
        recorded::extracted(&index, &request.out, WORDS, began.elapsed(), session)
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_channel_at_any_offset() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let rows: String = [1.0, 4.0, 2.0, 5.0].iter().map(|x| format!("{x},{}\n", 1e6 - x)).collect();
        std::fs::write(&path, format!("x,y\n{rows}")).unwrap();
        let cfg = SensorsConfig { rate: 10.0, scale: Scale::None, ..SensorsConfig::default() };
        let (corpus, _) = Corpus::sensors(&cfg, dir.path(), None, &|_| {}).unwrap();
        let got = figures(&corpus, &corpus.utterances[0]).unwrap();
        let deviation = 2.5f32.sqrt();
        let want = [3.0, deviation, 1.0, 5.0, 8.0 / 3.0, 999_997.0, deviation, 999_995.0, 999_999.0, 8.0 / 3.0];
        assert_eq!(got.len(), want.len());
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-4), "{got:?}");
    }
}
