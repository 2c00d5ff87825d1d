//! What a trained audio model does for the toolkit: features of files and of live audio, the card, the conversion. Also the spectral
//! features, which take the place of a model as baselines.

use super::card::card;
use super::columns::columns;
use super::remarks::remark;
use super::{AudioModel, AudioModelConfig, AudioModelDir, cpc_audio, info, spectral};
use crate::audio::mel::MelKind;
use crate::config::OnBadFile;
use crate::durable;
use crate::error::{Error, Result};
use crate::features::Format;
use crate::kinds::recorded::{self, Words};
use crate::kinds::{Convert, Described, ExtractRequest, Extracted, Live, LiveSignal, LiveStream, Model, Source};
use crate::nn::ParamStore;
use crate::observer::Session;
use crate::recordings::Corpus;
use crate::report::model_card::Details;
use crate::signal::{Network, layers, made};
use crate::weights::Origin;
use crate::weights::torch::write_torch;
use candle_core::Device;
use serde_json::json;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The sample rate for spectral features, in Hz.
const SPECTRAL_RATE: u32 = 16_000;

/// The words for what a corpus of audio consists of.
const AUDIO_WORDS: Words = Words {
    many: "utterances",
    seconds: "s of audio",
    names: "use the ids of `cpc info DATA` and `cpc extract` in the lists: file names without their extensions",
};

impl Model for AudioModel {
    fn kind(&self) -> &'static str {
        AudioModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        "audio"
    }

    fn reference(&self) -> &str {
        &self.origin.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        info::describe(self)
    }

    fn layers(&self) -> Vec<String> {
        recorded::layers(self.config.context.num_layers)
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["layer", "format", "normalize", "pool", "on-bad-file", "column", "shard"]
    }

    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let extractor = self.extractor(&layers(&request.layers)?, &session.device)?;
        let (normalize, pool) = (recorded::normalize(&request.options)?, recorded::pool(&request.options)?);
        let made = made(&self.origin.reference, self.sha256()?, &extractor, request.format, normalize, pool);
        let rate = self.config.sample_rate;
        let corpora = |paths: &[PathBuf]| corpora(paths, rate, request, session);
        recorded::extract(&extractor, &made, AUDIO_WORDS, corpora, request, session)
    }

    fn untrained(&self, seed: u64) -> Result<Option<Box<dyn Model>>> {
        let store = ParamStore::new(seed, &Device::Cpu);
        Network::begin(&self.config.sizes(), &store)?;
        let origin = Origin { reference: "random".into(), layout: "untrained".into() };
        let tensors = store.tensors().into_iter().collect();
        Ok(Some(Box::new(AudioModel::new(self.config.clone(), tensors, self.path.clone(), origin))))
    }

    /// A model directory, whatever the form of the model was.
    fn directory(&self, made: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(match AudioModelDir::open(&self.path) {
            Ok(dir) => dir.path,
            Err(_) => {
                let dir = made.join("model");
                self.write(&dir)?;
                dir
            }
        }))
    }

    fn card(&self, dir: &Path, details: &Details) -> Result<Option<Vec<u8>>> {
        card(details, dir, &AudioModelDir::read_config(dir)?).map(Some)
    }

    fn files(&self) -> &'static [&'static str] {
        &["config.json", "model.safetensors"]
    }

    fn live(&self) -> Option<&dyn Live> {
        Some(self)
    }

    fn convert(&self) -> Option<&dyn Convert> {
        Some(self)
    }
}

impl Live for AudioModel {
    fn signal(&self) -> Result<LiveSignal> {
        Ok(LiveSignal::Audio(self.config.sample_rate))
    }

    fn stream(&self, names: &[String], session: &Session) -> Result<Box<dyn LiveStream>> {
        Ok(Box::new(recorded::Live::new(self.extractor(&layers(names)?, &session.device)?)))
    }
}

impl Convert for AudioModel {
    fn layout(&self) -> &str {
        &self.origin.layout
    }

    fn ignored(&self) -> &[(String, String)] {
        &self.ignored
    }

    fn tensors(&self) -> usize {
        self.tensors.len()
    }

    fn has_heads(&self) -> bool {
        AudioModel::has_heads(self)
    }

    fn sha256(&self) -> Result<String> {
        AudioModel::sha256(self)
    }

    fn to_directory(&self, dir: &Path) -> Result<()> {
        self.write(dir)
    }

    /// Writes a file for both loaders of CPC_audio. For `checkpoint_N.pt`, also writes the files next to it that the loader of checkpoints
    /// reads.
    fn to_torch(&self, path: &Path) -> Result<()> {
        let value = cpc_audio::write(&self.config, &self.tensors, &self.origin.reference)?;
        let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        write_torch(path, &value)?;
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        let Some(number) = name.strip_prefix("checkpoint_").and_then(|n| n.parse::<u64>().ok()) else { return Ok(()) };
        let arguments = cpc_audio::arguments_json(&self.config)?;
        let logs = json!({ "epoch": [number], "iter": [], "saveStep": 1, "logging_step": 1000 });
        for (file, json) in [("checkpoint_args.json", &arguments), ("checkpoint_logs.json", &logs)] {
            durable::write(&path.with_file_name(file), format!("{json:#}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// MFCCs or log-mels in place of a model.
pub(super) struct Spectral(pub MelKind);

impl Model for Spectral {
    fn kind(&self) -> &'static str {
        AudioModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        "audio"
    }

    fn reference(&self) -> &str {
        self.0.name()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        let (name, dim) = (self.0.name(), self.0.dim());
        let text = format!(
            "features    {name}, {dim} dimensions, 100 frames per second\ninput       mono, {SPECTRAL_RATE} samples per second\n"
        );
        Described::new(&json!({ "features": name, "dim": dim, "sample_rate": SPECTRAL_RATE }), text)
    }

    fn layers(&self) -> Vec<String> {
        vec![self.0.name().into()]
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["format", "normalize", "pool", "on-bad-file", "column"]
    }

    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let name = self.0.name();
        let mut input = request.source()?;
        let (Source::Paths(paths), true) = (&mut *input, request.format == Format::default()) else {
            return Err(Error::usage(
                format!("{name} features are computed from recordings and written to .npy files"),
                "leave out --format, and give recordings as INPUT",
            ));
        };
        if let Some(layer) = request.layers.iter().find(|layer| *layer != name) {
            return Err(Error::usage(format!("--layer {layer}: {name} features have no layers"), "leave out --layer"));
        }
        let began = Instant::now();
        let corpora = corpora(paths, SPECTRAL_RATE, request, session)?;
        let problems: Vec<_> = corpora.iter().flat_map(|c| c.problems.iter().cloned()).collect();
        if !problems.is_empty() && recorded::on_bad_file(&request.options)? == OnBadFile::Fail {
            return Err(Error::BadFiles(problems));
        }
        let (normalize, pool) = (recorded::normalize(&request.options)?, recorded::pool(&request.options)?);
        let index = spectral(self.0, &corpora, &request.out, normalize, pool)?;
        recorded::extracted(&index, &request.out, AUDIO_WORDS, began.elapsed(), session)
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

/// The contents of every input. Problems are collected, to be handled together.
fn corpora(paths: &[PathBuf], rate: u32, request: &ExtractRequest, session: &Session) -> Result<Vec<Corpus>> {
    let columns = columns(&request.options)?;
    recorded::corpora(paths, AUDIO_WORDS, request, session, |path| {
        let corpus = Corpus::inspect_columns(path, &columns, rate, &|_| {})?;
        remark(&corpus, session.observer);
        Ok(corpus)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EncoderKind;
    use crate::kinds::audio::AudioConfig;
    use crate::nn::gabor;

    #[test]
    fn an_untrained_model_is_what_training_would_begin_with() {
        let mut config = AudioConfig::default();
        (config.encoder.kind, config.encoder.hidden_dim, config.context.hidden_dim) = (EncoderKind::Gabor, 12, 7);
        let config = AudioModelConfig::audio(&config);
        let origin = Origin { reference: "trained".into(), layout: "model directory".into() };
        let trained = AudioModel::new(config.clone(), Default::default(), PathBuf::new(), origin);
        let untrained = trained.untrained(3).unwrap().unwrap();
        let tensors = &untrained.as_any().downcast_ref::<AudioModel>().unwrap().tensors;
        let store = ParamStore::new(3, &Device::Cpu);
        Network::begin(&config.sizes(), &store).unwrap();
        let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(tensors.len(), store.tensors().len());
        assert!(store.tensors().iter().all(|(name, t)| values(t) == values(&tensors[name])));
        assert_eq!(values(&tensors["gEncoder.conv0.weight"]), gabor(&config.encoder, 16_000).unwrap());
    }
}
