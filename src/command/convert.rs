//! `cpc convert`: from any MODEL to a model directory, or to a PyTorch file.

use crate::command::console::Console;
use crate::command::session;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::kinds::not_for;
use crate::toolkit::Toolkit;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options of `cpc convert`.
#[derive(Debug, Args)]
#[command(
    about = "Convert a model: from a PyTorch checkpoint to a model directory, and back",
    long_about = "Convert an audio model.\n\n\
        FROM is any MODEL: a model or run directory, a .safetensors file with its config.json, or a CPC_audio checkpoint (checkpoint_N.pt or its \
        released weights, in either of PyTorch's file formats). A pickle is parsed, never executed.\n\n\
        TO is a model directory, or a file ending in .pt. Both loaders of CPC_audio read that file: it holds {config, weights} as in the released \
        models, {gEncoder, cpcCriterion} as in the checkpoints. If it is named checkpoint_N.pt, checkpoint_args.json and \
        checkpoint_logs.json, which CPC_audio requires, are written next to it. CPC_audio's scores are means, so the prediction heads are scaled such that its loss equals this model's.",
    after_help = "Examples:\n  \
        cpc convert 60k_epoch4-d0f474de.pt models/cpc-60k\n  \
        cpc convert runs/demo demo.pt\n\n\
        Read the file in Python with:\n  \
        torch.load('demo.pt', weights_only=True)['weights']"
)]
pub(crate) struct Convert {
    /// The model to convert
    from: String,
    /// The model directory to write, or a file ending in .pt
    to: PathBuf,
    /// Replace what exists at TO
    #[arg(long)]
    overwrite: bool,
}

#[derive(Serialize)]
struct Converted<'a> {
    from: &'a str,
    layout: &'a str,
    to: &'a Path,
    tensors: usize,
    heads: bool,
    sha256: String,
    ignored: &'a [(String, String)],
}

/// File name extensions of what is not written.
const OTHERS: [&str; 14] =
    ["onnx", "safetensors", "pth", "ckpt", "bin", "gguf", "h5", "npz", "npy", "json", "zip", "tar", "tflite", "ort"];

impl Convert {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let ending = self.to.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if OTHERS.contains(&ending.as_str()) && !self.to.is_dir() {
            return Err(Error::usage(
                format!("{}: .{ending} files are not written", self.to.display()),
                "name a model directory, which holds model.safetensors and config.json, or a file ending in .pt",
            ));
        }
        let taken = |path: &Path| path.exists() && !(path.is_dir() && is_empty(path));
        if taken(&self.to) && !self.overwrite {
            return Err(Error::usage(
                format!("{}: is there already", self.to.display()),
                "choose another name, or replace it with --overwrite",
            ));
        }
        let console = Console::new(terminal);
        let opened = Toolkit::standard().open(&self.from, &session(&console, "cpu")?)?;
        let Some(model) = opened.convert() else { return Err(not_for(&*opened, "`cpc convert`")) };
        if self.to.extension().is_some_and(|e| e == "pt") {
            model.to_torch(&self.to)?;
        } else {
            if self.overwrite && self.to.is_dir() && taken(&self.to) && !self.to.join("config.json").exists() {
                return Err(Error::usage(
                    format!("--overwrite: {} is not a model directory", self.to.display()),
                    "choose another name: --overwrite replaces only a model directory",
                ));
            }
            model.to_directory(&self.to)?;
        }
        let converted = Converted {
            from: opened.reference(),
            layout: model.layout(),
            to: &self.to,
            tensors: model.tensors(),
            heads: model.has_heads(),
            sha256: model.sha256()?,
            ignored: model.ignored(),
        };
        let mut text = format!(
            "{} ({})\n{} tensors{} -> {}\n",
            converted.from,
            converted.layout,
            converted.tensors,
            if converted.heads { "" } else { ", without prediction heads" },
            self.to.display()
        );
        for (name, why) in model.ignored() {
            writeln!(text, "left out: {name}: {why}").ok();
        }
        terminal.result_or_json(&converted, &text)
    }
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}
