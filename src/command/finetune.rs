//! `cpc finetune`: trains a classifier on top of a model.

use crate::command::choices::{ON_BAD_FILE, word};
use crate::command::console::Console;
use crate::command::pretrain::{absolute, kept};
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::config::Layers;
use crate::error::{Error, Result};
use crate::toolkit::{Finetune as Job, Toolkit};
use clap::Args;
use std::path::{Path, PathBuf};
use toml::Value;

/// Heads.
const HEADS: [(&str, &str); 3] = [
    ("linear", "A linear layer on the mean of the frames"),
    ("hidden", "A hidden layer on the mean of the frames, then a linear layer"),
    ("attention", "A linear layer on a weighted mean of the frames, whose weights are learned"),
];

/// What the symbols of transcripts are.
const SPELLINGS: [(&str, &str); 2] =
    [("phones", "Phones or other symbols, separated by blanks"), ("characters", "The characters of words")];

/// Options of `cpc finetune`.
#[derive(Debug, Args)]
#[command(
    about = "Train a classifier from few labels, on top of a model",
    long_about = "Train a classifier of recordings, images or sentences from few labels, on top of a model that was trained without labels.\n\n\
        A head is put on the model, and both are trained together; the model's learning rate is a tenth of the head's (--body-lr). Training is validated on a \
        fifth of the training recordings, of other subjects where there are enough, and ends when ten validations have brought nothing better. The result is \
        tested once on the recordings of --test, or on a seeded fifth of the subjects. It is a model: `cpc predict` applies it.\n\n\
        --fraction 0.01,0.1,1 trains with these shares of the labels, drawn by class, and compares in one table: the fine-tuned model, a linear probe of its \
        features before, the same network from random weights, and a baseline (MFCCs for audio; for series, statistics of each channel; for images, 64 \
        principal components; for text, random word vectors).\n\n\
        --ctc learns what is said in recordings from transcripts without times, with CTC: phones, or other symbols separated by blanks, or with \
        --ctc=characters the characters of words. The figure is the phone or character error rate, and --fraction compares with the model as it is (frozen) in \
        place of the probe.\n\n\
        Images have their labels with them. Sentences come with theirs, in a file with lines label<TAB>sentence, or in the files train.tsv and test.tsv of a \
        directory.\n\n\
        The same command again goes on where it was interrupted.",
    after_help = "Examples:\n  cpc finetune runs/watch --data recordings/ --labels labels.tsv --out runs/tuned\n  \
        cpc finetune runs/watch --data recordings/ --labels labels.tsv --train train.txt --test test.txt --fraction 0.01,0.1,1 --out runs/curve\n  \
        cpc finetune runs/ecg --data ptbxl/ --labels diagnoses.csv --multi-label --head attention --out runs/diagnoses\n  \
        cpc finetune runs/speech --data LibriSpeech/ --labels phones.txt --ctc --out runs/phones --steps 4000\n  \
        cpc finetune runs/text --data reviews.tsv --out runs/reviews\n  \
        cpc predict runs/tuned new-recordings/ --out predictions.csv"
)]
pub(crate) struct Finetune {
    /// The model: a model or run directory, hf:owner/name, or a CPC_audio checkpoint
    model: String,
    /// The recordings, images or labeled sentences, in any form that the model's kind reads
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// Recordings: a table of recordings and labels (a name, a tab, a label; or CSV; or columns that the first line names), or `speaker`; with --ctc,
    /// transcripts (a name, a tab or a blank, and what is said)
    #[arg(long, value_name = "FILE|speaker")]
    labels: Option<String>,
    /// The run directory
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// A file with the names of the recordings to train on, one per line [default: all that are not tested] (data.train)
    #[arg(long, value_name = "LIST")]
    train: Option<PathBuf>,
    /// A file with the names of the recordings to test on, one per line [default: a seeded fifth] (data.test)
    #[arg(long, value_name = "LIST")]
    test: Option<PathBuf>,
    /// Learn transcripts in place of classes: phones (symbols separated by blanks) or characters (finetune.ctc)
    #[arg(long, value_name = "SYMBOLS", num_args = 0..=1, require_equals = true, default_missing_value = "phones", value_parser = word(&SPELLINGS))]
    ctc: Option<String>,
    /// Shares of the labels to compare, from above 0 to 1
    #[arg(long, value_name = "SHARE", value_delimiter = ',')]
    fraction: Vec<f64>,
    /// The head (finetune.head)
    #[arg(long, value_name = "HEAD", value_parser = word(&HEADS))]
    head: Option<String>,
    /// The output of the model that is classified: c, z or c+z; of images y, fc or conv [default: the first] (finetune.layer)
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// The model's learning rate as a fraction of the head's; 0 leaves the model as it is [default: 0.1] (finetune.body_lr)
    #[arg(long, value_name = "X")]
    body_lr: Option<f64>,
    /// A recording may have several labels, separated by commas, semicolons or bars; `-` is none (finetune.multi_label)
    #[arg(long)]
    multi_label: bool,
    /// Every class counts the same, however many recordings it has (finetune.class_weights)
    #[arg(long)]
    balanced: bool,
    /// Series: samples per second of recordings that do not say (data.rate)
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// What to do about a file that cannot be read (data.on_bad_file)
    #[arg(long, value_name = "WHAT", value_parser = word(&ON_BAD_FILE))]
    on_bad_file: Option<String>,
    /// Set one configuration key, such as train.lr=1e-4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Number of updates at most (train.steps)
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// The seed of every random stream (seed)
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Replace what is in --out
    #[arg(long)]
    overwrite: bool,
    /// Where to compute: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
}

impl Finetune {
    fn layers(&self, toolkit: &Toolkit) -> Result<Layers> {
        let mut flags =
            vec![("data.path", Value::String(toolkit.kept_data(&self.data)?)), ("finetune.model", kept(&self.model)?)];
        match self.labels.as_deref() {
            Some("speaker") => flags.push(("data.labels", Value::String("speaker".into()))),
            Some(file) => flags.push(("data.labels", absolute(Path::new(file))?)),
            None => (),
        }
        for (key, list) in [("data.train", &self.train), ("data.test", &self.test)] {
            if let Some(list) = list {
                flags.push((key, absolute(list)?));
            }
        }
        let words = [
            ("finetune.head", &self.head),
            ("finetune.layer", &self.layer),
            ("finetune.ctc", &self.ctc),
            ("data.on_bad_file", &self.on_bad_file),
        ];
        flags.extend(words.iter().filter_map(|(key, word)| Some((*key, Value::String((*word).clone()?)))));
        let numbers = [("finetune.body_lr", self.body_lr), ("data.rate", self.rate)];
        flags.extend(numbers.iter().filter_map(|(key, number)| Some((*key, Value::Float((*number)?)))));
        let counts = [("train.steps", self.steps), ("seed", self.seed)];
        flags.extend(counts.iter().filter_map(|(key, count)| Some((*key, Value::Integer((*count)?.into())))));
        if self.multi_label {
            flags.push(("finetune.multi_label", Value::Boolean(true)));
        }
        if self.balanced {
            flags.push(("finetune.class_weights", Value::String("balanced".into())));
        }
        Ok(Layers { preset: Some("finetune".into()), file: None, set: self.set.clone(), flags })
    }

    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        if let Some(bad) = self.fraction.iter().find(|f| !(**f > 0.0 && **f <= 1.0)) {
            return Err(Error::usage(format!("--fraction {bad}: not a share"), "give shares above 0, at most 1"));
        }
        let toolkit = Toolkit::standard();
        let (console, layers) = (Console::new(terminal), self.layers(&toolkit)?);
        let session = session(&console, &self.device)?;
        let job = Job { layers, out: self.out.clone(), fractions: self.fraction.clone(), overwrite: self.overwrite };
        let report = toolkit.finetune(&job, &session)?;
        terminal.result_or_json(&report, &report.to_string())
    }
}
