//! What a trained audio model does for the toolkit: features of files and of live audio, the card, the conversion. Also the spectral
//! features, which take the place of a model as baselines.

use super::card::card;
use super::columns::columns;
use super::extract::made;
use super::remarks::remark;
use super::{
    AudioExtractor, AudioLayer, AudioModel, AudioModelConfig, AudioModelDir, CpcAudio, FeatureStream, cpc_audio,
    extract, extract_samples, info, spectral,
};
use crate::audio::mel::MelKind;
use crate::config::OnBadFile;
use crate::error::{Error, Result};
use crate::features::{Destination, Format, Frames, Index, Normalize, Timing};
use crate::group::Share;
use crate::kinds::{
    Convert, Described, ExtractRequest, Extracted, Live, LiveStream, Model, Options, Source, each_once,
};
use crate::nn::ParamStore;
use crate::observer::{Progress, Session};
use crate::recordings::Corpus;
use crate::report::model_card::Details;
use crate::weights::Origin;
use crate::weights::torch::write_torch;
use crate::{durable, hub};
use candle_core::Device;
use serde_json::json;
use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The sample rate for spectral features, in Hz.
const SPECTRAL_RATE: u32 = 16_000;

/// Layers by their names; the default layer if none is named.
fn layers(names: &[String]) -> Result<Vec<AudioLayer>> {
    if names.is_empty() {
        return Ok(vec![AudioLayer::C]);
    }
    let parse = |name: &String| {
        name.parse().map_err(|what: String| {
            Error::usage(format!("--layer: {what}"), "choose c, z, or c:N of a deep context network")
        })
    };
    each_once(names.iter().map(parse).collect::<Result<_>>()?)
}

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
        let deep = self.config.context.num_layers;
        let below = if deep > 1 { (1..=deep).map(|n| format!("c:{n}")).collect() } else { Vec::new() };
        ["c", "z"].map(String::from).into_iter().chain(below).collect()
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["layer", "format", "normalize", "on-bad-file", "column", "rate", "encoding", "shard"]
    }

    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let began = Instant::now();
        let extractor = AudioExtractor::open(self, &layers(&request.layers)?, &session.device)?;
        let made = made(self, &extractor, request.format, normalize(&request.options)?)?;
        let shard: Option<Share> = request.options.get("shard")?;
        let mut input = request.source()?;
        let index = match &mut *input {
            Source::Samples(_) if shard.is_some() => {
                return Err(Error::usage("--shard: standard input is one recording", "leave it out"));
            }
            Source::Samples(next) => extract_samples(&extractor, &made, "stdin", &request.out, next)?,
            Source::Paths(paths) => {
                let corpora = corpora(paths, extractor.config().sample_rate, request, session)?;
                let of: f64 = corpora.iter().map(Corpus::seconds).sum();
                let count: usize = corpora.iter().map(|c| c.utterances.len()).sum();
                session.observer.note(&format!("{count} utterances, {:.2} hours", of / 3600.0));
                let to = Destination { dir: &request.out, shard };
                let of = of / shard.map_or(1.0, |shard| shard.ranks as f64);
                let done = Mutex::new(0.0);
                let progress = |seconds: f64| {
                    if let Ok(mut done) = done.lock() {
                        *done += seconds;
                        session.observer.progress(&Progress { what: "", unit: "s of audio", done: *done, of });
                    }
                };
                let bad = on_bad_file(&request.options)?;
                let watch = session.watch();
                let index = extract(&extractor, &made, &corpora, bad, to, &progress, &session.stop);
                drop(watch);
                session.observer.done();
                index?
            }
        };
        let described = extracted(&index, &request.out, began.elapsed(), session)?;
        Ok(if let Some(shard) = shard { described.of_shard(shard) } else { described })
    }

    fn untrained(&self, seed: u64) -> Result<Option<Box<dyn Model>>> {
        let store = ParamStore::new(seed, &Device::Cpu);
        CpcAudio::begin(&self.config, &store)?;
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
    fn sample_rate(&self) -> u32 {
        self.config.sample_rate
    }

    fn stream(&self, names: &[String], session: &Session) -> Result<Box<dyn LiveStream>> {
        let extractor = AudioExtractor::open(self, &layers(names)?, &session.device)?;
        let stream = extractor.stream();
        Ok(Box::new(AudioLive { extractor, stream }))
    }
}

/// A stream along with its extractor settings.
struct AudioLive {
    extractor: AudioExtractor,
    stream: FeatureStream,
}

impl LiveStream for AudioLive {
    fn layers(&self) -> Vec<(String, usize)> {
        let names = self.extractor.layers().iter().map(ToString::to_string);
        names.zip(self.extractor.dims().iter().copied()).collect()
    }

    fn timing(&self) -> Timing {
        self.extractor.timing()
    }

    fn push(&mut self, samples: &[f32]) -> Result<Frames> {
        self.stream.push(samples)
    }

    fn finish(&mut self) -> Result<Frames> {
        self.stream.finish()
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
        &["format", "normalize", "on-bad-file", "column"]
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
        if !problems.is_empty() && on_bad_file(&request.options)? == OnBadFile::Fail {
            return Err(Error::BadFiles(problems));
        }
        let normalize = normalize(&request.options)?;
        extracted(&spectral(self.0, &corpora, &request.out, normalize)?, &request.out, began.elapsed(), session)
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(None)
    }
}

fn normalize(options: &Options) -> Result<Normalize> {
    Ok(options.get("normalize")?.unwrap_or(Normalize::None))
}

fn on_bad_file(options: &Options) -> Result<OnBadFile> {
    Ok(options.get("on-bad-file")?.unwrap_or(OnBadFile::Fail))
}

/// The contents of every input. Problems are collected, to be handled together.
fn corpora(paths: &[PathBuf], rate: u32, request: &ExtractRequest, session: &Session) -> Result<Vec<Corpus>> {
    let columns = columns(&request.options)?;
    let inspect = |input: &PathBuf| -> Result<Corpus> {
        let corpus = Corpus::inspect_columns(&hub::data(input, session)?.path, &columns, rate, &|_| {})?;
        remark(&corpus, session.observer);
        let Some(only) = &request.only else { return Ok(corpus) };
        let corpus = corpus.only(|id| only.contains(id));
        if corpus.utterances.is_empty() {
            return Err(Error::failed(
                format!("{}: none of its utterances is in the lists", input.display()),
                "use the ids of `cpc info DATA` and `cpc extract` in the lists: file names without their extensions",
            ));
        }
        Ok(corpus)
    };
    paths.iter().map(inspect).collect()
}

/// The result that an extraction prints when it is done.
fn extracted(index: &Index, out: &Path, took: Duration, session: &Session) -> Result<Extracted> {
    let frames: usize = index.utterances.iter().map(|u| u.frames).sum();
    let seconds: f64 = index.utterances.iter().map(|u| u.seconds).sum();
    if !index.left_out.is_empty() {
        session.observer.warning(&format!("{} files were left out; index.json names them", index.left_out.len()));
    }
    let named: Vec<String> = index.made.layers.iter().map(|l| format!("{} ({})", l.name, l.dim)).collect();
    let speed = seconds / took.as_secs_f64().max(1e-3);
    let text = format!(
        "{} utterances, {frames} frames, {:.1} per second; layers: {}; {:.1} s, {speed:.0}x real time\nfeatures: {}\n",
        index.utterances.len(),
        index.made.timing.frame_rate,
        named.join(", "),
        took.as_secs_f64(),
        out.display()
    );
    let result = json!({
        "out": out,
        "utterances": index.utterances.len(),
        "frames": frames,
        "seconds": seconds,
        "layers": index.made.layers,
        "frame_rate": index.made.timing.frame_rate,
        "left_out": index.left_out,
        "audio_seconds_per_second": speed,
    });
    let layers = index.made.layers.iter().map(|layer| layer.name.clone()).collect();
    Ok(Extracted { described: Described::new(&result, text)?, layers })
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
        CpcAudio::begin(&config, &store).unwrap();
        let values = |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(tensors.len(), store.tensors().len());
        assert!(store.tensors().iter().all(|(name, t)| values(t) == values(&tensors[name])));
        assert_eq!(values(&tensors["gEncoder.conv0.weight"]), gabor(&config.encoder, 16_000).unwrap());
    }
}
