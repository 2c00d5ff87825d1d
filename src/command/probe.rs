//! `cpc probe`: how well a simple classifier predicts labels from features.

use crate::command::choices::{baselines, word};
use crate::command::columns::ColumnArgs;
use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::durable;
use crate::error::{Error, Result};
use crate::kinds::ProbeRequest;
use crate::options::Options;
use crate::toolkit::Toolkit;
use clap::Args;
use std::path::PathBuf;

/// Options of `cpc probe`.
#[derive(Debug, Args)]
#[command(
    about = "Measure how well a linear classifier predicts labels from features: phones, speakers, any labels",
    long_about = "Measure how well a simple classifier predicts labels from frozen features.\n\n\
        A multinomial logistic regression is trained on the utterances of --train and tested once on those of --test. The result is the accuracy with a \
        95 % interval (bootstrap over utterances), macro-F1, the recall of each class and the most confused pairs. Inputs are standardized. \
        The penalty is chosen on a fifth of the training utterances.\n\n\
        FEATURES is the output of `cpc extract`, any directory of .npy (frames, dimensions), or a model, whose features of --data are \
        extracted first. With --data, --baselines adds to the same table: an untrained model of the same shape, 13 MFCCs with deltas (Kaldi's, as \
        in torchaudio.compliance.kaldi), or 40 log-mels.\n\n\
        Protocols (--level): `frame` classifies every frame, `utterance` the mean over an utterance, `last-frame` the last frame of each window of \
        20480 samples at 16 kHz (CPC_audio's speaker test).",
    after_help = "Examples:\n  cpc probe features --labels phones.txt --train train.txt --test test.txt\n  \
        cpc probe runs/demo --data data/demo --layer c,z --baselines random,mfcc,logmel \\\n    \
        --labels data/demo/phones.txt --train data/demo/train.txt --test data/demo/test.txt --report report\n  \
        cpc probe features --labels speaker --train train.txt --test test.txt --level last-frame\n  \
        cpc probe features --labels emotion.tsv --folds 5 --json\n  \
        cpc probe runs/demo --data data/demo --trials trials.txt --baselines mfcc\n  \
        cpc probe runs/books --data reviews.tsv --baselines random,bag,tfidf\n  \
        cpc probe runs/books --task MR --data SentEval/data/downstream\n  \
        cpc probe runs/digits --data mnist --layer conv,y --baselines random,pca\n  \
        cpc probe runs/demo --data emotions/train --labels label --column label=emotion --folds 5"
)]
pub(crate) struct Probe {
    /// A directory of features, a .safetensors file, or a model with --data; each adds its rows to the table
    #[arg(required = true, value_name = "FEATURES")]
    features: Vec<PathBuf>,
    /// Labels: a file of frame labels (`<utterance> <id> <id> ...`), a table of utterance labels (`<utterance>`, a tab, `<label>`; or CSV; or
    /// columns that the first line names), or one of the words `speaker` and `label` (a column of parquet DATA)
    #[arg(long, value_name = "FILE|speaker|label")]
    labels: Option<String>,
    /// A file with the ids of the utterances to train on, one per line; with a text model, examples in the format of --data
    #[arg(long, value_name = "LIST")]
    train: Option<PathBuf>,
    /// A file with the ids of the utterances to test on, one per line; with a text model, examples in the format of --data
    #[arg(long, value_name = "LIST", conflicts_with = "folds")]
    test: Option<PathBuf>,
    /// Cross-validate in K folds over the utterances of --train, or over all utterances [sentences: 10]
    #[arg(long, value_name = "K")]
    folds: Option<usize>,
    /// Boundaries of phones in place of a classifier: where the features change. How that is measured is chosen on --train
    #[arg(long, conflicts_with_all = ["folds", "multi_label", "level", "hidden", "report", "trials"])]
    boundaries: bool,
    /// Speaker verification in place of a classifier: trials `1 a b` and `0 a b`, or `a b target` and `a b nontarget`. The scores are cosines of the
    /// means of frames
    #[arg(long, value_name = "FILE", conflicts_with_all = ["labels", "test", "folds", "multi_label", "level", "hidden", "report"])]
    trials: Option<PathBuf>,
    /// With --trials: project the means by linear discriminant analysis to N dimensions, fitted on the speakers of --train
    #[arg(long, value_name = "N", requires = "trials", requires = "train")]
    lda: Option<u32>,
    /// What --folds keeps together: subjects are the first folders, or a column of tables [default: subject for a model of series, else recording]
    #[arg(long, value_name = "WHAT", requires = "folds", value_parser = word(&DIVISION))]
    division: Option<String>,
    /// The recordings to extract features from, if FEATURES is a model or baselines are requested: a directory, a manifest, parquet files,
    /// or hf://datasets/owner/name
    ///
    /// With a text model: labeled sentences (`label`, a tab, `sentence`; or `label ||| sentence`; or .csv) or pairs (`label`, a tab, `a`, a
    /// tab, `b`), or columns that the first line names. With --task: SentEval's directory. With an image model: images in any form that `cpc pretrain` reads.
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// With a text model: a SentEval task, such as MR, CR, SUBJ, MPQA or TREC; --data is SentEval/data/downstream
    #[arg(long, value_name = "NAME", requires = "data")]
    task: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// What is classified [default: frame for frame labels, utterance otherwise]
    #[arg(long, value_name = "PROTOCOL", value_parser = word(&LEVEL))]
    level: Option<String>,
    /// Which end to cut if an utterance has more labels than frames, or fewer [default: end]
    #[arg(long, value_name = "END", value_parser = word(&CUT))]
    cut: Option<String>,
    /// Train a hidden layer of UNITS units before the classifier
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    hidden: Option<u32>,
    /// The penalty on the squared weights, relative to the sum of the losses (1 / C of scikit-learn) [default: auto]
    #[arg(long, value_name = "auto|X")]
    l2: Option<String>,
    /// The names of frame labels: line n, counted from 0, names id n [default: phone_names.txt next to the labels, if it exists]
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Frame labels per second [default: 100]
    #[arg(long, value_name = "HZ")]
    label_rate: Option<f64>,
    /// Frames per second [default: from the features, or 100]
    #[arg(long, value_name = "HZ")]
    frame_rate: Option<f64>,
    /// The layers to probe, if the features have several
    #[arg(long, value_name = "LAYER", value_delimiter = ',')]
    layer: Vec<String>,
    /// How the frames of a recording of --data are pooled before they are classified: mean+deviation, last or windows:SECONDS[/HOP], as in `cpc extract`
    #[arg(long, value_name = "HOW")]
    pool: Option<String>,
    /// A recording may have several labels, separated by commas, semicolons or bars; `-` is none. The figure is the macro AUROC
    #[arg(long, conflicts_with_all = ["folds", "level", "hidden", "report"])]
    multi_label: bool,
    /// Series: samples per second of recordings of --data that do not say
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Baseline features of --data to compare with
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = baselines())]
    baselines: Vec<String>,
    /// Write a report page to this directory: the confusion matrix, recalls and a map of the features
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Seed of the folds, the held-out part, the bootstrap and the untrained model [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where a model is computed: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

/// What folds keep together.
const DIVISION: [(&str, &str); 2] = [
    ("subject", "All recordings of a subject, or utterances of a speaker"),
    ("recording", "A recording or utterance; others of its subject may be on the other side"),
];

/// What is classified.
const LEVEL: [(&str, &str); 3] = [
    ("frame", "Every frame"),
    ("utterance", "The mean over an utterance"),
    ("last-frame", "The last frame of each window of 1.28 s"),
];

/// Which end to cut.
const CUT: [(&str, &str); 2] =
    [("end", "The end: labels and frames start together"), ("front", "The front: labels and frames end together")];

impl Probe {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let console = Console::new(terminal);
        let session = session(&console, &self.device)?;
        let request = ProbeRequest {
            features: self.features.clone(),
            data: self.data.clone(),
            page: self.report.is_some(),
            options: self.options(),
        };
        let probed = Toolkit::standard().probe(&request, &session)?;
        if let (Some(dir), Some(page)) = (&self.report, &probed.page) {
            std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
            let path = dir.join("index.html");
            durable::write(&path, page.as_bytes())?;
            terminal.note(&format!("report: {}", path.display()));
        }
        terminal.described(&probed.described)
    }

    /// The options that were given, for the kinds that accept them.
    fn options(&self) -> Options {
        let text = |x: f64| x.to_string();
        let mut options = Options::new()
            .with_some("labels", self.labels.as_ref())
            .with_some("train", self.train.as_ref())
            .with_some("test", self.test.as_ref())
            .with_some("folds", self.folds.map(|folds| folds.to_string()))
            .with_some("division", self.division.as_ref())
            .with_some("trials", self.trials.as_ref())
            .with_some("boundaries", self.boundaries.then_some(""))
            .with_some("lda", self.lda.map(|dims| dims.to_string()))
            .with_some("task", self.task.as_ref())
            .with_some("level", self.level.as_ref())
            .with_some("cut", self.cut.as_ref())
            .with_some("hidden", self.hidden.map(|units| units.to_string()))
            .with_some("l2", self.l2.as_ref())
            .with_some("names", self.names.as_ref())
            .with_some("label-rate", self.label_rate.map(text))
            .with_some("multi-label", self.multi_label.then_some(""))
            .with_some("pool", self.pool.as_ref())
            .with_some("rate", self.rate.map(text))
            .with_some("frame-rate", self.frame_rate.map(text))
            .with_some("seed", self.seed.map(|seed| seed.to_string()));
        for layer in &self.layer {
            options = options.with("layer", layer);
        }
        for baseline in &self.baselines {
            options = options.with("baselines", baseline);
        }
        self.columns.add(options)
    }
}
