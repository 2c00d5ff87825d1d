//! `cpc probe`: what a simple classifier reads off features.

mod images;

use super::Terminal;
use super::columns::ColumnArgs;
use super::interrupt::interruptible;
use super::{model, remote};
use crate::audio::mel::MelKind;
use crate::config::OnBadFile;
use crate::data::{self, Corpus};
use crate::device;
use crate::durable;
use crate::error::{Error, Result};
use crate::eval::baseline::spectral;
use crate::eval::probe::labels::{Labels, names_beside, read_names};
use crate::eval::probe::outcome::Outcome;
use crate::eval::probe::protocol::{Cut, Protocol};
use crate::eval::probe::split::{Split, read_list};
use crate::eval::probe::study::{Task, probe};
use crate::eval::sentences::measure::{Representation, Settings, measure};
use crate::eval::sentences::{read, senteval};
use crate::features::{self, Extractor, FeatureSet, Format, Layer, Made, Normalize, SentenceExtractor};
use crate::report::probe_page::{Detail, Map, PageRow, ProbePage, render};
use crate::weights::{DimModel, Pretrained, TextModel};
use clap::{Args, ValueEnum};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Options of `cpc probe`.
#[derive(Debug, Args)]
#[command(
    about = "Measure what a linear classifier reads off features: phones, speakers, any labels",
    long_about = "Tell how well a simple classifier reads labels off frozen features.\n\n\
        A multinomial logistic regression is trained on the utterances of --train and tested once on those of --test: the accuracy with a \
        95 % interval (bootstrap over utterances), macro-F1, the recall of each class and the most confused pairs. Inputs are standardised, and \
        the penalty is chosen on a fifth of the training utterances.\n\n\
        FEATURES is what `cpc extract` wrote, any directory of .npy (frames, dimensions), or a model, whose features of --data are then made \
        for the occasion. With --data, --baselines puts an untrained model of the same shape, 13 MFCCs with deltas (Kaldi's, as \
        torchaudio.compliance.kaldi has them) and 40 log-mels into the same table.\n\n\
        Protocols (--level): `frame` classifies every frame, `utterance` the mean over an utterance, `last-frame` the last frame of each window of \
        20480 samples at 16 kHz (CPC_audio's speaker test).",
    after_help = "Examples:\n  cpc probe features --labels phones.txt --train train.txt --test test.txt\n  \
        cpc probe runs/demo --data data/demo --layer c,z --baselines random,mfcc,logmel \\\n    \
        --labels data/demo/phones.txt --train data/demo/train.txt --test data/demo/test.txt --report report\n  \
        cpc probe features --labels speaker --train train.txt --test test.txt --level last-frame\n  \
        cpc probe features --labels emotion.tsv --folds 5 --json\n  \
        cpc probe runs/books --data reviews.tsv --baselines random,bag,tfidf\n  \
        cpc probe runs/books --task MR --data SentEval/data/downstream\n  \
        cpc probe runs/digits --data mnist --layer conv,y --baselines random,pca\n  \
        cpc probe runs/demo --data emotions/train --labels label --column label=emotion --folds 5"
)]
pub struct Probe {
    /// A directory of features, a .safetensors file, or a model with --data; several make several rows of the table
    #[arg(required = true, value_name = "FEATURES")]
    features: Vec<PathBuf>,
    /// Labels: frame labels (`<utterance> <id> <id> ...`), utterance labels (`<utterance>`, a tab, `<label>`), or one of the words `speaker` and
    /// `label` (a column of parquet DATA)
    #[arg(long, value_name = "FILE|speaker|label")]
    labels: Option<String>,
    /// The utterances to train on, an id a line; of sentences, examples as in --data
    #[arg(long, value_name = "LIST")]
    train: Option<PathBuf>,
    /// The utterances to test on, an id a line; of sentences, examples as in --data
    #[arg(long, value_name = "LIST", conflicts_with = "folds")]
    test: Option<PathBuf>,
    /// Cross-validate over the utterances of --train, or all, in so many folds [sentences: 10]
    #[arg(long, value_name = "K")]
    folds: Option<usize>,
    /// The recordings that features are made of, when FEATURES is a model or baselines are wanted: a directory, a manifest, parquet files, or
    /// hf://datasets/owner/name
    ///
    /// With a text model: labelled sentences (`label`, a tab, `sentence`; or `label ||| sentence`; or .csv) or pairs (`label`, a tab, `a`, a tab, `b`),
    /// or with --task SentEval's directory. With a model of images: images, as `cpc pretrain` takes them.
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// With a text model: a task of SentEval, MR, CR, SUBJ, MPQA, TREC or others; --data is SentEval/data/downstream
    #[arg(long, value_name = "NAME", requires = "data")]
    task: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// What is classified [default: frame with frame labels, else utterance]
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    level: Option<Level>,
    /// Which end is cut when an utterance has more labels than frames, or fewer
    #[arg(long, value_enum, default_value = "end", value_name = "END")]
    cut: CutAt,
    /// Train a hidden layer of so many units before the classifier
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    hidden: Option<u32>,
    /// The penalty on the squared weights, beside the sum of the losses (1 / C of scikit-learn), or `auto`
    #[arg(long, default_value = "auto", value_name = "auto|X", value_parser = parse_l2)]
    l2: L2,
    /// Names of frame labels, line n from 0 for id n [default: phone_names.txt beside the labels, if it is there]
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Frame labels a second
    #[arg(long, default_value = "100", value_name = "HZ", value_parser = parse_rate)]
    label_rate: f64,
    /// Frames a second [default: what the features say, else 100]
    #[arg(long, value_name = "HZ", value_parser = parse_rate)]
    frame_rate: Option<f64>,
    /// The layers to take from features that have several
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    layer: Vec<String>,
    /// Rows for comparison, made of --data
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_enum)]
    baselines: Vec<Baseline>,
    /// Write a page with the confusion matrix, recalls and a map of the features to this directory
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// The seed of folds, of what is held out, of the bootstrap, and of the untrained model
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// Where a model computes: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

/// What is classified, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Every frame
    Frame,
    /// The mean over an utterance
    Utterance,
    /// The last frame of each window of 1.28 s
    LastFrame,
}

/// Which end is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CutAt {
    /// The end: labels and frames start together
    End,
    /// The front: labels and frames end together
    Front,
}

/// Features to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Baseline {
    /// An untrained model of the same shape
    Random,
    /// 13 MFCCs with deltas
    Mfcc,
    /// 40 log-mels
    Logmel,
    /// Of sentences: the mean of random vectors of 1024 numbers, one a word
    Bag,
    /// Of sentences: TF-IDF, which is fitted in each fold
    Tfidf,
    /// Of images: 64 principal components of the training images
    Pca,
    /// Of images: the pixels
    Pixels,
}

/// The penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
enum L2 {
    /// It is chosen.
    Auto,
    /// It is given.
    Given(f64),
}

fn parse_l2(text: &str) -> std::result::Result<L2, String> {
    if text == "auto" {
        return Ok(L2::Auto);
    }
    match text.parse::<f64>() {
        Ok(x) if x >= 0.0 && x.is_finite() => Ok(L2::Given(x)),
        _ => Err("neither `auto` nor a number from 0".into()),
    }
}

fn parse_rate(text: &str) -> std::result::Result<f64, String> {
    text.parse::<f64>().ok().filter(|x| *x > 0.0 && x.is_finite()).ok_or_else(|| "not a number above 0".into())
}

/// Numbers of a random word vector of the baseline `bag`.
const BAG: usize = 1024;

/// Points of the map of a report.
const MAP_POINTS: usize = 2000;

impl Probe {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let named = self.features.iter().map(|path| Named::new(path, terminal)).collect::<Result<Vec<_>>>()?;
        if self.task.is_some() || named.iter().any(Named::is_of_sentences) {
            return self.sentences(&named, terminal);
        }
        if named.iter().any(Named::is_of_images) {
            return self.images(&named, terminal);
        }
        let data = self.data.as_deref().map(|data| remote::recordings(data, terminal)).transpose()?;
        let data = data.as_ref().map(|here| here.path.as_path());
        let mut task = self.task(data)?;
        task.stop = interruptible()?;
        let mut making = Making::new(self, data, &task, terminal)?;
        let sets = making.rows(named)?;
        let note = |text: &str| {
            if terminal.verbose || terminal.interactive {
                terminal.note(text);
            }
        };
        let outcome = probe(&task, &sets, &note)?;
        if let Some(dir) = &self.report {
            std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
            let path = dir.join("index.html");
            durable::write(&path, render(&page(&outcome)).as_bytes())?;
            terminal.note(&format!("report: {}", path.display()));
        }
        terminal.result_or_json(&outcome, &outcome.to_string())
    }

    /// The layers of --layer, or else `usual`.
    fn layers<L: FromStr<Err = String>>(&self, usual: &str, remedy: &str) -> Result<Vec<L>> {
        let usual = [usual.to_string()];
        let names = if self.layer.is_empty() { &usual[..] } else { &self.layer };
        let parse =
            |name: &String| name.parse().map_err(|what: String| Error::usage(format!("--layer: {what}"), remedy));
        names.iter().map(parse).collect()
    }

    /// The labels of a column of --data.
    fn column(&self, data: Option<&Path>) -> Result<Labels> {
        let Some(data) = data else {
            return Err(Error::usage(
                "--labels label: there are no parquet files to read them from",
                "name them with --data",
            ));
        };
        let columns = self.columns.columns();
        let name = if columns.label.is_empty() { "label" } else { &columns.label };
        Ok(Labels::Utterances { path: name.into(), labels: data::labels(data, &columns)? })
    }

    /// What is asked for, without the features.
    fn task(&self, data: Option<&Path>) -> Result<Task> {
        let Some(labels) = &self.labels else {
            return Err(Error::usage("no --labels are given", "name a file of labels, `speaker`, or `label`"));
        };
        let labels = match labels.as_str() {
            "speaker" => Labels::Speakers,
            "label" => self.column(data)?,
            file => Labels::read(Path::new(file))?,
        };
        let list = |path: &Option<PathBuf>| path.as_deref().map(read_list).transpose();
        let split = match (self.folds, list(&self.train)?, list(&self.test)?) {
            (Some(folds), among, _) => Split::folds(folds, among)?,
            (None, Some(train), Some(test)) => Split::lists(train, test)?,
            _ => return Err(Error::usage("--train and --test are both needed", "give two lists, or --folds K")),
        };
        let names = self.names.clone().or_else(|| names_beside(&labels));
        let mut task = Task::new(labels, split);
        if let Some(level) = self.level {
            task.protocol = match level {
                Level::Frame => Protocol::Frame,
                Level::Utterance => Protocol::Utterance,
                Level::LastFrame => Protocol::LastFrame,
            };
        }
        task.cut = if self.cut == CutAt::End { Cut::End } else { Cut::Front };
        task.label_rate = self.label_rate;
        task.frame_rate = self.frame_rate;
        task.names = names.as_deref().map(read_names).transpose()?;
        task.hidden = self.hidden.map(|units| units as usize);
        task.l2 = if let L2::Given(l2) = self.l2 { Some(l2) } else { None };
        task.seed = self.seed;
        task.map_points = if self.report.is_some() { MAP_POINTS } else { 0 };
        Ok(task)
    }
}

/// One of FEATURES: a model, or features that are there.
struct Named<'a> {
    /// What was given.
    path: &'a Path,
    /// Where the model is, if it is one.
    model: Option<remote::Here>,
}

impl<'a> Named<'a> {
    fn new(path: &'a Path, terminal: &Terminal) -> Result<Self> {
        let name = path.display().to_string();
        let model = model::is_model(&name, terminal)?.then(|| remote::model(&name, terminal)).transpose()?;
        Ok(Named { path, model })
    }

    fn path(&self) -> &Path {
        self.model.as_ref().map_or(self.path, |here| &here.path)
    }

    fn name(&self) -> String {
        self.model.as_ref().map_or_else(|| self.path.display().to_string(), |here| here.name.clone())
    }

    fn is_of_images(&self) -> bool {
        self.model.as_ref().is_some_and(|here| DimModel::is_at(&here.path))
    }

    fn is_of_sentences(&self) -> bool {
        self.model.as_ref().is_some_and(|here| TextModel::is_at(&here.path))
    }
}

/// Sentences, by models of text.
impl Probe {
    fn sentences(&self, named: &[Named], terminal: &Terminal) -> Result<()> {
        let unused = self.labels.is_some() || self.report.is_some() || self.hidden.is_some() || !self.layer.is_empty();
        if unused {
            return Err(Error::usage(
                "--labels, --report, --hidden and --layer are for audio",
                "labels of sentences are in --data",
            ));
        }
        let task = match (&self.task, &self.data, &self.train, &self.test) {
            (Some(name), Some(data), _, _) => senteval::load(name, data)?,
            (None, Some(data), None, None) => read::task(data)?,
            (None, None, Some(train), Some(test)) => read::split(train, test)?,
            _ => {
                return Err(Error::usage(
                    "labelled sentences are wanted, once",
                    "give --data FILE, or --train FILE and --test FILE, or --task NAME and --data DIR",
                ));
            }
        };
        let sentences: Vec<String> = task.distinct().into_iter().map(String::from).collect();
        let device = device::parse(&self.device)?;
        let mut rows = Vec::new();
        let vectors = |name: String, extractor: &SentenceExtractor| -> Result<Representation> {
            terminal.note(&format!("{name}: vectors of {} sentences", sentences.len()));
            Ok(Representation::Vectors { name, dim: extractor.dim(), rows: extractor.vectors(&sentences)? })
        };
        for named in named {
            let model = TextModel::open(named.path())?;
            rows.push(vectors(named.name(), &SentenceExtractor::open(model, &device)?)?);
        }
        for baseline in &self.baselines {
            rows.push(match (baseline, named.first()) {
                (Baseline::Random, Some(named)) => {
                    let model = TextModel::open(named.path())?;
                    vectors("random".into(), &SentenceExtractor::untrained(model, self.seed, &device)?)?
                }
                (Baseline::Bag, _) => Representation::bag(&task, BAG, self.seed),
                (Baseline::Tfidf, _) => Representation::Tfidf,
                _ => {
                    return Err(Error::usage(
                        "--baselines mfcc and logmel are of audio, pca and pixels of images",
                        "choose random, bag or tfidf",
                    ));
                }
            });
        }
        let settings = Settings {
            folds: self.folds.unwrap_or(10),
            l2: if let L2::Given(l2) = self.l2 { Some(l2) } else { None },
            seed: self.seed,
            stop: interruptible()?,
        };
        let note = |text: &str| {
            if terminal.verbose || terminal.interactive {
                terminal.note(text);
            }
        };
        let outcome = measure(&task, &rows, &settings, &note)?;
        terminal.result_or_json(&outcome, &outcome.to_string())
    }
}

/// Features that are there, and features that are made for the occasion.
struct Making<'a> {
    args: &'a Probe,
    /// The recordings of --data.
    data: Option<&'a Path>,
    terminal: &'a Terminal,
    /// The utterances of the split; all if it names none.
    wanted: Option<HashSet<&'a str>>,
    /// Where features are made; gone when the probe is done.
    dir: TempDir,
    /// How many models' features were made.
    made: usize,
    stop: &'a AtomicBool,
    /// The recordings of --data by rate: several features are made of them.
    corpora: BTreeMap<u32, Corpus>,
}

impl<'a> Making<'a> {
    fn new(args: &'a Probe, data: Option<&'a Path>, task: &'a Task, terminal: &'a Terminal) -> Result<Self> {
        let wanted = match &task.split {
            Split::Lists { train, test } => Some(train.iter().chain(test).map(String::as_str).collect()),
            Split::Folds { among, .. } => among.as_ref().map(|ids| ids.iter().map(String::as_str).collect()),
        };
        let dir = tempfile::Builder::new().prefix("cpc-probe-").tempdir();
        let dir = dir.map_err(Error::io(std::env::temp_dir(), "make a directory in"))?;
        Ok(Making { args, data, terminal, wanted, dir, made: 0, stop: &task.stop, corpora: BTreeMap::new() })
    }

    /// The features to probe, each with the name of its row.
    fn rows(&mut self, named: Vec<Named>) -> Result<Vec<(String, FeatureSet)>> {
        let mut rows = Vec::new();
        let mut shape = None;
        for Named { path, model } in named {
            let name = path.display().to_string();
            if let Some(here) = model {
                let model = model::open_here(here, self.terminal)?;
                let extractor = Extractor::open(&model, &self.layers()?, &device::parse(&self.args.device)?)?;
                rows.extend(self.extracted(&name, &model, &extractor)?);
                shape.get_or_insert(model);
            } else if self.args.layer.is_empty() {
                rows.push((name, FeatureSet::open(path, None)?));
            } else {
                for layer in &self.args.layer {
                    rows.push((format!("{name} {layer}"), FeatureSet::open(path, Some(layer))?));
                }
            }
        }
        for baseline in &self.args.baselines {
            match (baseline, &shape) {
                (Baseline::Random, Some(model)) => {
                    let extractor = Extractor::untrained(&model.config, self.args.seed, &self.layers()?)?;
                    rows.extend(self.extracted("random", model, &extractor)?);
                }
                (Baseline::Random, None) => {
                    return Err(Error::usage(
                        "--baselines random: there is no model whose shape it could have",
                        "give a model as FEATURES, with --data",
                    ));
                }
                (Baseline::Mfcc, _) => rows.push(self.spectral(MelKind::Mfcc)?),
                (Baseline::Logmel, _) => rows.push(self.spectral(MelKind::LogMel)?),
                (Baseline::Bag | Baseline::Tfidf | Baseline::Pca | Baseline::Pixels, _) => {
                    return Err(Error::usage(
                        "--baselines bag and tfidf are of sentences, pca and pixels of images",
                        "choose random, mfcc or logmel, or give a model of text or images",
                    ));
                }
            }
        }
        Ok(rows)
    }

    fn layers(&self) -> Result<Vec<Layer>> {
        self.args.layers("c", "choose c, z or c:N")
    }

    /// The recordings of --data that the split names.
    fn corpus(&mut self, rate: u32) -> Result<&Corpus> {
        if !self.corpora.contains_key(&rate) {
            self.corpora.insert(rate, self.scan(rate)?);
        }
        Ok(&self.corpora[&rate])
    }

    fn scan(&self, rate: u32) -> Result<Corpus> {
        let Some(data) = self.data else {
            return Err(Error::usage(
                "a model and --baselines need the recordings",
                "name them with --data, or give features that `cpc extract` wrote",
            ));
        };
        let corpus = Corpus::inspect_columns(data, &self.args.columns.columns(), rate, &|_| {})?;
        let corpus = match &self.wanted {
            Some(wanted) => corpus.only(|id| wanted.contains(id)),
            None => corpus,
        };
        if corpus.utterances.is_empty() {
            return Err(Error::failed(
                format!("{}: none of its utterances is in the lists", data.display()),
                "the lists name utterances as `cpc info DATA` and `cpc extract` do: by the names of files without endings",
            ));
        }
        Ok(corpus)
    }

    fn extracted(
        &mut self,
        name: &str,
        model: &Pretrained,
        extractor: &Extractor,
    ) -> Result<Vec<(String, FeatureSet)>> {
        self.made += 1;
        let dir = self.dir.path().join(self.made.to_string());
        let (terminal, stop) = (self.terminal, self.stop);
        let corpus = self.corpus(extractor.config().sample_rate)?;
        terminal.note(&format!("{name}: extracting features of {} utterances", corpus.utterances.len()));
        let made = Made::new(model, extractor, Format::Npy, Normalize::None)?;
        features::extract(extractor, &made, from_ref(corpus), OnBadFile::Fail, &dir, &|_| {}, stop)?;
        let layers = extractor.layers().iter();
        layers.map(|l| Ok((format!("{name} {l}"), FeatureSet::open(&dir, Some(&l.to_string()))?))).collect()
    }

    fn spectral(&mut self, kind: MelKind) -> Result<(String, FeatureSet)> {
        let dir = self.dir.path().join(kind.name());
        spectral(kind, from_ref(self.corpus(16_000)?), &dir)?;
        Ok((kind.name().to_string(), FeatureSet::open(&dir, None)?))
    }
}

/// The page of `--report`.
fn page(outcome: &Outcome) -> ProbePage {
    let part = |utterances: usize, rows: usize| match outcome.unit {
        "utterances" => format!("{utterances} utterances, {rows} rows"),
        unit => format!("{utterances} {unit}"),
    };
    let mut facts = vec![
        ("protocol".to_string(), format!("{}, {} probe", outcome.protocol.name(), outcome.probe)),
        ("labels".to_string(), outcome.labels.clone()),
        ("train".to_string(), part(outcome.train.utterances, outcome.train.rows)),
        ("test".to_string(), part(outcome.test.utterances, outcome.test.rows)),
    ];
    facts.extend(outcome.remarks.iter().map(|remark| ("note".to_string(), remark.clone())));
    let unit = match (outcome.protocol, outcome.unit) {
        (Protocol::Frame, _) => "frames",
        (_, "utterances") => "rows",
        (_, unit) => unit,
    };
    let detail = |row: &crate::eval::probe::outcome::Row| Detail {
        features: row.features.clone(),
        confusion: row.confusion.clone(),
        map: row.map.as_ref().map(|map| Map {
            method: "t-SNE on 50 principal components, perplexity 30".into(),
            points: map.tsne.iter().zip(&map.classes).map(|(&[x, y], &class)| (x, y, class)).collect(),
        }),
        picture: None,
    };
    ProbePage {
        title: "What the features tell".into(),
        facts,
        unit: unit.into(),
        chance: Some(outcome.chance),
        majority: Some(outcome.majority),
        table: outcome
            .rows
            .iter()
            .map(|row| PageRow {
                features: row.features.clone(),
                accuracy: row.accuracy,
                ci95: row.ci95,
                macro_f1: row.macro_f1,
            })
            .collect(),
        classes: outcome.rows.first().map_or(Vec::new(), |r| r.recalls.iter().map(|r| r.class.clone()).collect()),
        details: outcome.rows.iter().map(detail).collect(),
    }
}
