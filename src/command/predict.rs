//! `cpc predict`: the classes of recordings, by a classifier.

use crate::command::choices::{ON_BAD_FILE, word};
use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::features::TextTable;
use crate::kinds::not_for;
use crate::options::Options;
use crate::toolkit::Toolkit;
use clap::Args;
use std::path::PathBuf;

/// Options of `cpc predict`.
#[derive(Debug, Args)]
#[command(
    about = "Classify or transcribe recordings, images or sentences with a model that `cpc finetune` trained",
    long_about = "Apply a classifier that `cpc finetune` trained: the probability of each class for each recording, image or sentence. A recording that is \
        longer than the classifier's window is cut into windows, and the mean of their probabilities is taken. A sentence is called by its file and line.\n\n\
        A model that was trained with --ctc writes what is said in each recording instead, one window after the other.",
    after_help = "Examples:\n  cpc predict runs/tuned new-recordings/\n  cpc predict runs/tuned new-recordings/ --out predictions.parquet"
)]
pub(crate) struct Predict {
    /// A classifier: a run directory of `cpc finetune`, its model/, or hf:owner/name
    model: String,
    /// Recordings, directories of recordings, images, or texts, in any form that the model's kind reads
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// The file to write, .csv, .tsv, .parquet or, of classes, .npy (the probabilities alone) [default: a table on standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Transcripts: the number of prefixes that the search keeps; 1 for the best path [default: 10]
    #[arg(long, value_name = "N")]
    beam: Option<u32>,
    /// Series: samples per second of recordings that do not say
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// What to do about a file that cannot be read [default: fail]
    #[arg(long, value_name = "WHAT", value_parser = word(&ON_BAD_FILE))]
    on_bad_file: Option<String>,
    /// Where to compute: auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: String,
}

impl Predict {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let console = Console::new(terminal);
        let session = session(&console, &self.device)?;
        let model = Toolkit::standard().open(&self.model, &session)?;
        let Some(classes) = model.classes() else { return Err(not_for(&*model, "cpc predict")) };
        let options = Options::new()
            .with_some("rate", self.rate.map(|rate| rate.to_string()))
            .with_some("beam", self.beam.map(|beam| beam.to_string()))
            .with_some("on-bad-file", self.on_bad_file.as_ref());
        let predictions = classes.predict(&self.input, &options, &session)?;
        let (rows, names) = (&predictions.rows, &predictions.classes);
        let predicted: Vec<String> = rows.iter().map(|row| predictions.predicted(row)).collect();
        let item = predictions.items.trim_end_matches('s');
        let Some(out) = &self.out else {
            let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(item.len());
            let mut text = format!("{item:<width$}  predicted\n");
            for (row, predicted) in rows.iter().zip(&predicted) {
                if row.transcript.is_some() {
                    text += &format!("{:<width$}  {predicted}\n", row.name);
                    continue;
                }
                let share = row.probabilities.iter().fold(0.0f64, |most, p| most.max(*p));
                let name = if predicted.is_empty() { "-" } else { predicted };
                text += &format!("{:<width$}  {name}  {:.1} %\n", row.name, 100.0 * share);
            }
            return terminal.result_or_json(&predictions, &text);
        };
        let transcribes = rows.iter().any(|row| row.transcript.is_some());
        if transcribes && out.extension().is_some_and(|e| e == "npy") {
            return Err(Error::usage(
                format!("{}: .npy holds numbers", out.display()),
                "write transcripts as .csv, .tsv or .parquet",
            ));
        }
        let names = if transcribes { &Vec::new() } else { names };
        let column = |k: usize| rows.iter().map(|row| row.probabilities[k]).collect();
        let mut texts = vec![(item.to_string(), rows.iter().map(|row| row.name.clone()).collect())];
        if predictions.items == "recordings" {
            texts.push(("subject".into(), rows.iter().map(|row| row.subject.clone()).collect()));
        }
        texts.push(("predicted".into(), predicted));
        let table = TextTable {
            texts,
            numbers: names.iter().enumerate().map(|(k, name)| (format!("p({name})"), column(k))).collect(),
        };
        table.write(out)?;
        let items = predictions.items;
        let what = if transcribes { "transcribed".into() } else { format!("{} classes", names.len()) };
        terminal.result(&format!("{} {items}, {what}: {}\n", rows.len(), out.display()))
    }
}
