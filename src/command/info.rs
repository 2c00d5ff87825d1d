//! `cpc info`: describes a corpus, a model or a run.

use crate::command::columns::ColumnArgs;
use crate::command::console::Console;
use crate::command::picture::svg_file;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::toolkit::Toolkit;
use clap::Args;
use std::path::PathBuf;

/// Options of `cpc info`.
#[derive(Debug, Args)]
#[command(
    about = "Describe a corpus, a model or a run",
    long_about = "Describe a corpus, sensor series, a text, a set of images, a model or a run.\n\n\
        For a corpus: files, hours, speakers, rates, a histogram of lengths, what is there and not used, headers that contradict their files, silence, \
        and recordings that cannot be used (the first of them; --json lists all). The exit code is 1 if there are any of the last. For series: channels with their \
        units, ranges, missing values and flat lines, rates and lengths. For a text: its \
        lines, sentences and documents. For a model: sizes and, for audio, hop and receptive field. For a run: the steps so far and the metrics; --svg draws its curves.",
    after_help = "Examples:\n  cpc info LibriSpeech/train-clean-100\n  cpc info runs/demo/model\n  cpc info hf:owner/name\n  cpc info runs/demo --svg curves.svg\n  cpc info runs/demo --json"
)]
pub(crate) struct Info {
    /// Recordings (a directory, a manifest, parquet files, hf://datasets/owner/name), text or images; a model (a directory, hf:owner/name, a
    /// CPC_audio checkpoint); or a run directory
    what: PathBuf,
    /// The rate in Hz: that audio would be resampled to [default: 16000], or of series whose files do not say
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
    /// Draw the losses and accuracies of a run to a .svg file
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    svg: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnArgs,
}

impl Info {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let console = Console::new(terminal);
        let (toolkit, session) = (Toolkit::standard(), session(&console, "cpu")?);
        let options = self.columns.add(Options::new().with_some("rate", self.rate.map(|rate| rate.to_string())));
        if self.what.join("config.toml").is_file() {
            options.accept(&[], "runs")?;
            let info = toolkit.run_info(&self.what)?;
            match toolkit.run_curves(&self.what)? {
                Some(curves) => terminal.picture(self.svg.as_deref(), || curves.svg())?,
                None if self.svg.is_none() => (),
                None => {
                    let what = format!("--svg: {} has written no metrics yet", self.what.display());
                    return Err(Error::failed(what, "wait for its first line of metrics"));
                }
            }
            terminal.result_or_json(&info, &info.to_string())
        } else if self.svg.is_some() {
            Err(Error::usage(
                format!("--svg: {} is not a run", self.what.display()),
                "give the directory of a run, which has config.toml",
            ))
        } else if toolkit.is_model(&self.what, &session)? {
            options.accept(&[], "models")?;
            terminal.described(&toolkit.describe(&self.what, &session)?)
        } else {
            let inspected = toolkit.inspect(&self.what, &options, &session)?;
            terminal.described(&inspected.described)?;
            match inspected.problems.len() {
                0 => Ok(()),
                n => Err(Error::failed(
                    format!("{n} problem{}, listed above", if n == 1 { "" } else { "s" }),
                    "repair or remove what is named there; pretrain and extract can skip recordings with --on-bad-file skip",
                )),
            }
        }
    }
}
