//! One more kind of model, defined here through the public API alone: CPC on series of numbers. It goes through everything that the
//! toolkit does with a kind, so a kind needs its own folder and one line in a list, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "cli/hub_server/mod.rs"]
mod hub_server;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use cpc::config::{HeadsConfig, Layers, ObjectiveConfig, Preset, Sections, TrainConfig, layers};
use cpc::data::{Course, Position};
use cpc::error::{Error, Problem, Result};
use cpc::features::{
    Format, Frames, Index, Indexed, LayerInfo, Made, Normalize, NpyFile, NpyWriter, Pool, Timing, UtteranceFiles,
};
use cpc::group::Share;
use cpc::hub::{Hub, RepoKind, RepoRef, Settings};
use cpc::kinds::{
    Described, ExtractRequest, Extracted, Inspected, Job, Kind, Model, Options, Prepared, ProbeRequest, RunConfig,
    Source, Steps,
};
use cpc::model::{Contrast, Latents};
use cpc::nn::{Context, ContextConfig, Linear, ParamStore, Phase};
use cpc::observer::{Observer, Session, Silent};
use cpc::report::model_card::Details;
use cpc::seed::{Stream, stream};
use cpc::toolkit::{Pretrain, Toolkit, Upload};
use cpc::train::{Batch, Outcome, Task};
use cpc::weights::{model_dir, read_config, read_tensors, sha256_of, write_model};
use hub_server::HubServer;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use toml::Table;

const NAME: &str = "series";

/// The configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeriesConfig {
    seed: u64,
    encoder: EncoderSection,
    context: ContextConfig,
    heads: HeadsConfig,
    objective: ObjectiveConfig,
    data: DataSection,
    train: TrainConfig,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EncoderSection {
    channels: usize,
    hidden_dim: usize,
}

impl Default for EncoderSection {
    fn default() -> Self {
        EncoderSection { channels: 2, hidden_dim: 8 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DataSection {
    path: String,
    window: usize,
}

impl Default for DataSection {
    fn default() -> Self {
        DataSection { path: String::new(), window: 24 }
    }
}

impl Sections for SeriesConfig {
    fn collect_faults(&self, faults: &mut Vec<Problem>) {
        self.context.validate(faults);
        self.heads.validate(faults);
        self.train.validate(faults);
        if self.data.window <= self.heads.steps {
            faults.push(Problem::new("data.window", "is too short for heads.steps"));
        }
    }
}

/// What `config.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeriesModelConfig {
    kind: String,
    format: u32,
    encoder: EncoderSection,
    context: ContextConfig,
    heads: HeadsConfig,
}

/// The network.
#[derive(Debug, Clone)]
struct Network {
    encoder: Linear,
    context: Arc<dyn Context>,
    contrast: Contrast,
}

impl Network {
    fn new(cfg: &SeriesModelConfig, vb: &VarBuilder) -> Result<Self> {
        let (channels, latent) = (cfg.encoder.channels, cfg.encoder.hidden_dim);
        Ok(Network {
            encoder: Linear::new(channels, latent, channels, &vb.pp("encoder"))?,
            context: cfg.context.kind.build(&cfg.context, latent, vb.pp("context"))?,
            contrast: Contrast::new(&cfg.heads, cfg.context.hidden_dim, latent, vb.pp("heads"))?,
        })
    }

    /// z and c of series (B, T, C).
    fn forward(&self, series: &Tensor) -> Result<Latents> {
        let (batch, time, channels) = series.dims3()?;
        let z = self.encoder.forward(&series.reshape((batch * time, channels))?)?.reshape((batch, time, ()))?;
        let c = self.context.forward(&z)?;
        Ok(Latents { z, c })
    }
}

/// The `.npy` files of a directory, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(Error::io(dir, "read"))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "npy"));
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<(Vec<f32>, usize)> {
    let (npy, mut rows) = (NpyFile::open(file)?, Vec::new());
    npy.read(&mut rows)?;
    Ok((rows, npy.dim))
}

/// Training.
struct SeriesTask {
    config: SeriesConfig,
    model: SeriesModelConfig,
    store: ParamStore,
    networks: [Network; 2],
    series: Vec<Vec<f32>>,
    at: Position,
    share: Share,
}

struct Windows(Tensor, u64);

impl Batch for Windows {
    fn rows(&self) -> usize {
        self.0.dim(0).unwrap_or_default()
    }

    fn amount(&self) -> f64 {
        self.rows() as f64
    }

    fn sources(&self) -> Vec<String> {
        vec![format!("batch {}", self.1)]
    }

    fn skipped(&self) -> &[Problem] {
        &[]
    }
}

impl SeriesTask {
    fn windows(&self, name: &str, index: u64) -> Result<Windows> {
        let (rows, window, channels) =
            (self.config.train.batch_size, self.config.data.window, self.config.encoder.channels);
        let mut random = stream(self.config.seed, name, index);
        let mut values = Vec::with_capacity(rows * window * channels);
        for _ in 0..rows {
            let series = &self.series[random.below(self.series.len() as u32) as usize];
            let first = random.below((series.len() / channels - window + 1) as u32) as usize;
            values.extend_from_slice(&series[first * channels..(first + window) * channels]);
        }
        Ok(Windows(Tensor::from_vec(values, (rows, window, channels), self.store.device())?, index))
    }
}

impl Task for SeriesTask {
    type Batch = Windows;

    fn unit(&self) -> &'static str {
        "windows"
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<Windows> {
        let batch = self.windows("windows", self.at.batch)?;
        self.at.batch += self.share.ranks;
        Ok(batch)
    }

    fn position(&self) -> Position {
        self.at
    }

    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<Windows>>>> {
        let batches: Vec<_> = (0..2).filter(|i| share.has(*i)).map(|i| self.windows("validation", i)).collect();
        Ok(Box::new(batches.into_iter()))
    }

    fn outcome(&self, batch: &Windows, phase: Phase, random: &mut Stream) -> Result<Outcome> {
        let network = &self.networks[usize::from(phase == Phase::Eval)];
        let latents = network.forward(&batch.0)?;
        let (per_step, negatives) = network.contrast.contrast(&latents, &self.config.objective, None, phase, random)?;
        Outcome::of_steps(&per_step, negatives, latents.z.detach(), Vec::new())
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        write_model(dir, &self.model, &self.store.tensors())
    }
}

/// The kind.
struct Series;

static SERIES: Series = Series;

impl Kind for Series {
    fn name(&self) -> &'static str {
        NAME
    }

    fn models(&self) -> &'static str {
        "series models"
    }

    fn presets(&self) -> &'static [Preset] {
        &[Preset {
            name: "series-tiny",
            toml: "[heads]\nsteps = 3\n[context]\nhidden_dim = 6\n[train]\nsteps = 40\nwarmup_steps = 5\n",
        }]
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<SeriesConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<SeriesConfig>(config, faults)
    }

    fn claims(&self, data: &Path) -> Result<bool> {
        Ok(data.is_dir() && !files(data)?.is_empty())
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        let series: SeriesConfig = config.sections()?;
        let model = SeriesModelConfig {
            kind: NAME.into(),
            format: 1,
            encoder: series.encoder.clone(),
            context: series.context.clone(),
            heads: series.heads.clone(),
        };
        let store = ParamStore::new(series.seed, &job.session.device);
        let networks = [Network::new(&model, &store.builder())?, Network::new(&model, &store.frozen())?];
        let read = |file: &PathBuf| Ok(read(file)?.0);
        let values = files(job.data)?.iter().map(read).collect::<Result<_>>()?;
        let ahead = (1..=series.heads.steps).map(|k| format!("+{k}")).collect();
        let Course { mut at, share } = job.course();
        at.batch += share.rank;
        let task = SeriesTask { config: series, model, store, networks, series: values, at, share };
        Ok(Prepared {
            config,
            task: Box::new(task),
            start: job.start(),
            about: "model: a small one".into(),
            steps: Some(Steps { ahead, frame_seconds: None }),
            conclude: Box::new(|finished, _| Ok(BTreeMap::from([("updates", finished.steps as f64)]))),
        })
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        let dir = model_dir::place(path);
        let config: SeriesModelConfig = read_config(&dir, NAME, |_, _| {})?;
        let tensors = read_tensors(&dir.join("model.safetensors"))?;
        Ok(Box::new(SeriesModel { config, tensors, reference: reference.into(), path: dir }))
    }

    fn inspect(&self, data: &Path, options: &Options, _: &Session) -> Result<Inspected> {
        options.accept(&[], "series")?;
        let count = files(data)?.len();
        let described = Described::new(&serde_json::json!({ "series": count }), format!("series  {count}\n"))?;
        Ok(Inspected { described, problems: Vec::new() })
    }
}

/// A trained model.
struct SeriesModel {
    config: SeriesModelConfig,
    tensors: HashMap<String, Tensor>,
    reference: String,
    path: PathBuf,
}

impl Model for SeriesModel {
    fn kind(&self) -> &'static str {
        NAME
    }

    fn subject(&self) -> &'static str {
        "series"
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        Described::new(&self.config, format!("model  {NAME}, c of {}\n", self.config.context.hidden_dim))
    }

    fn layers(&self) -> Vec<String> {
        vec!["c".into()]
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &[]
    }

    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        let store = ParamStore::new(0, &session.device);
        let network = Network::new(&self.config, &store.frozen())?;
        store.load(&self.tensors, None, &self.reference)?;
        let dim = self.config.context.hidden_dim;
        let input = request.input.lock().unwrap();
        let Source::Paths(paths) = &*input else { return Err(Error::usage("series are files", "give files")) };
        std::fs::create_dir_all(&request.out).map_err(Error::io(&request.out, "create"))?;
        let mut utterances = Vec::new();
        for file in paths.iter().map(|path| files(path)).collect::<Result<Vec<_>>>()?.concat() {
            let id = file.file_stem().unwrap().to_string_lossy().into_owned();
            if request.only.as_ref().is_some_and(|only| !only.contains(&id)) {
                continue;
            }
            let (rows, channels) = read(&file)?;
            let time = rows.len() / channels;
            let c = network.forward(&Tensor::from_vec(rows, (1, time, channels), &Device::Cpu)?)?.c;
            let rows = c.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            let name = format!("{id}.npy");
            let mut out = UtteranceFiles::create(std::slice::from_ref(&request.out), &name, &[dim])?;
            out.take(&id, &Frames { count: time, layers: vec![rows] })?;
            let frames = out.finish(Normalize::None)? as usize;
            utterances.push(Indexed {
                id,
                speaker: "-".into(),
                frames,
                seconds: time as f64,
                file: Some(name),
                source: None,
            });
        }
        let made = Made {
            model: self.reference.clone(),
            model_sha256: sha256_of(&self.tensors, &self.reference)?,
            layers: vec![LayerInfo::new("c", dim, Format::default(), false)],
            format: Format::default(),
            normalize: Normalize::None,
            pool: Pool::None,
            removed: None,
            timing: Timing {
                sample_rate: 1.0,
                hop: 1,
                receptive_field: 1,
                frame_rate: 1.0,
                first_frame_seconds: 0.0,
                delay_ms: 0.0,
            },
        };
        let count = utterances.len();
        Index { complete: true, made, left_out: Vec::new(), utterances }.write(&request.out)?;
        Ok(Extracted { described: Described::new(&count, format!("{count} series\n"))?, layers: vec!["c".into()] })
    }

    fn untrained(&self, seed: u64) -> Result<Option<Box<dyn Model>>> {
        let store = ParamStore::new(seed, &Device::Cpu);
        Network::new(&self.config, &store.builder())?;
        let tensors = store.tensors().into_iter().collect();
        let (config, path) = (self.config.clone(), self.path.clone());
        Ok(Some(Box::new(SeriesModel { config, tensors, reference: "random".into(), path })))
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(self.path.clone()))
    }
}

fn toolkit() -> Toolkit {
    Toolkit::standard().with(&SERIES)
}

/// Series of two kinds: slow waves and fast ones. Their labels, and lists to train and to test on.
fn data(dir: &Path) -> PathBuf {
    let data = dir.join("series");
    std::fs::create_dir_all(&data).unwrap();
    let (mut labels, mut lists) = (String::new(), [String::new(), String::new()]);
    for i in 0..16usize {
        let (id, fast) = (format!("s{i:02}"), i % 2 == 1);
        let mut random = stream(5, "series", i as u64);
        let step = if fast { 1.3 } else { 0.2 };
        let rows = (0..60).flat_map(|t| {
            let angle = t as f32 * step + i as f32;
            [angle.sin() + 0.1 * random.normal(), angle.cos() + 0.1 * random.normal()]
        });
        let mut out = NpyWriter::create(&data.join(format!("{id}.npy")), 2).unwrap();
        out.write(&rows.collect::<Vec<f32>>()).unwrap();
        out.finish().unwrap();
        labels += &format!("{id}\t{}\n", if fast { "fast" } else { "slow" });
        lists[usize::from(i >= 10)] += &format!("{id}\n");
    }
    for (name, text) in [("labels.tsv", &labels), ("train.txt", &lists[0]), ("test.txt", &lists[1])] {
        std::fs::write(dir.join(name), text).unwrap();
    }
    data
}

fn layers_of(data: &Path) -> Layers {
    let mut layers = Layers::of_data(&data.display().to_string()).preset("series-tiny");
    layers.set.push("train.checkpoint_every=5".into());
    layers.set.push("train.valid_every=20".into());
    layers
}

/// A step takes a while, so that the process can be killed within a run.
struct Slow;

impl Observer for Slow {
    fn step(&self, _: u64) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// No test by itself: what the process does that is killed. Without the variable, which the test below sets, it does nothing.
#[test]
fn a_process_that_will_be_killed() {
    let Some(dir) = std::env::var_os("CPC_TEST_KILLED").map(PathBuf::from) else { return };
    let what = Pretrain { layers: layers_of(&dir.join("series")), out: dir.join("killed"), ..Pretrain::default() };
    toolkit().pretrain(&what, &Session::new(&Slow).unwrap()).unwrap();
}

#[test]
fn a_kind_from_elsewhere_is_pretrained_killed_and_resumed_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let session = Session::new(&Silent).unwrap();
    let run = |out: &str, resume: bool| {
        let what = Pretrain { layers: layers_of(&data), out: dir.path().join(out), resume, overwrite: false };
        toolkit().pretrain(&what, &session).unwrap()
    };
    let report = run("whole", false);
    assert_eq!((report.steps, report.on, report.concluded["updates"]), (40, Some("validation"), 40.0));
    assert!(report.to_string().contains("+3"), "{report}");

    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_will_be_killed"])
        .env("CPC_TEST_KILLED", dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !dir.path().join("killed/checkpoints/step-10/state.json").exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "no checkpoint");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!dir.path().join("killed/checkpoints/step-40").exists(), "it was not killed in time");
    // The same line again, as a cluster that requeues a job would give it.
    run("killed", true);
    for file in ["model.safetensors", "optimizer.safetensors", "config.json"] {
        let bytes = |run: &str| std::fs::read(dir.path().join(run).join("checkpoints/step-40").join(file)).unwrap();
        assert!(bytes("whole") == bytes("killed"), "{file}");
    }
    // A run that is not there yet is started by --resume; other options are named.
    assert_eq!(run("fresh", true).steps, 40);
    let mut other = layers_of(&data);
    other.set.push("train.lr=1".into());
    let what = Pretrain { layers: other, out: dir.path().join("whole"), resume: true, overwrite: false };
    let error = toolkit().pretrain(&what, &session).unwrap_err();
    assert!(error.to_string().contains("train.lr is 0.0002 in this run, and 1.0 is asked for"), "{error}");
}

#[test]
fn a_kind_from_elsewhere_is_extracted_probed_described_and_pushed() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(dir.path());
    let (toolkit, session) = (toolkit(), Session::new(&Silent).unwrap());
    // The data choose the kind: no preset is named.
    let layers = Layers { preset: None, ..layers_of(&data) };
    let run = dir.path().join("run");
    toolkit.pretrain_config(toolkit.configure(&layers).unwrap(), &run, &session).unwrap();
    assert!(std::fs::read_to_string(run.join("config.toml")).unwrap().starts_with("kind = \"series\"\n"));

    let info = toolkit.run_info(&run).unwrap();
    assert_eq!((info.kind, info.steps, info.of), (NAME, 40, 40));
    assert!(toolkit.is_model(&run, &session).unwrap());
    assert!(toolkit.describe(&run, &session).unwrap().text.contains("c of 6"));
    assert_eq!(toolkit.inspect(&data, &Options::new(), &session).unwrap().described.text, "series  16\n");
    let refused = toolkit.inspect(&data, &Options::new().with("rate", "8000"), &session).err().unwrap();
    assert_eq!(refused.to_string(), "--rate is not for series");

    let model = toolkit.open(&run, &session).unwrap();
    let features = dir.path().join("features");
    model.extract(&ExtractRequest::new(vec![data.clone()], &features), &session).unwrap();
    let at = |name: &str| dir.path().join(name).into_os_string();
    let options = || {
        let lists = Options::new().with("train", at("train.txt")).with("test", at("test.txt"));
        lists.with("labels", at("labels.tsv"))
    };
    let request = ProbeRequest {
        features: vec![run.clone(), features],
        data: Some(data),
        page: true,
        options: options().with("baselines", "random"),
    };
    let probed = toolkit.probe(&request, &session).unwrap();
    let names: Vec<&str> = probed.accuracies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [&format!("{} c", run.display()), &request.features[1].display().to_string(), "random c"]);
    assert_eq!(probed.accuracies[0].1, probed.accuracies[1].1, "the same features");
    assert!(probed.accuracies[0].1 > 0.8 && probed.page.unwrap().contains("fast"), "{:?}", probed.accuracies);
    let request = ProbeRequest { options: options().with("task", "MR"), ..request };
    assert_eq!(toolkit.probe(&request, &session).unwrap_err().to_string(), "--task is not for features of utterances");

    let server = HubServer::start();
    let endpoint = server.endpoint();
    let cache = dir.path().join("cache");
    let lookup = |name: &str| match name {
        "HF_ENDPOINT" => Some(endpoint.clone().into()),
        "HF_HOME" => Some(cache.clone().into_os_string()),
        "HF_TOKEN" => Some(HubServer::token().into()),
        _ => None,
    };
    let hub = Hub::new(Settings::resolve(false, lookup).unwrap()).unwrap();
    let repo = RepoRef::new(RepoKind::Model, "owner", "waves").unwrap();
    let details = Details { repo: "owner/waves".into(), license: Some("mit".into()), ..Details::default() };
    let upload = Upload::new(&*model, &details).unwrap();
    let card = String::from_utf8(upload.card.clone()).unwrap();
    assert!(card.contains("license: \"mit\"") && card.contains("kind `series`"), "{card}");
    hub.push(&repo, upload.files, false, "A model of series").unwrap();
    let fetched = hub.fetch_model(&repo, &|name| toolkit.is_model_file(name), &|_, _, _| ()).unwrap();
    let again = toolkit.open(&fetched.dir, &session).unwrap();
    assert!(again.kind() == NAME && again.describe().unwrap() == model.describe().unwrap());
}
