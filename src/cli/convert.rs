//! `cpc convert`: from any MODEL to a model directory, or back to a file of PyTorch.

use super::{Terminal, model};
use crate::durable;
use crate::error::{Error, Result};
use crate::weights::cpc_audio;
use crate::weights::torch::write_torch;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options of `cpc convert`.
#[derive(Debug, Args)]
#[command(
    about = "Convert a model: from a checkpoint of PyTorch to a model directory, and back",
    long_about = "Convert a model.\n\n\
        FROM is any MODEL: a model or run directory, a .safetensors with its config.json, a checkpoint of CPC_audio (checkpoint_N.pt or its \
        released weights, in either container of PyTorch). A pickle is read, never run.\n\n\
        TO is a model directory, or a file ending in .pt. That file is for both loaders of CPC_audio: {config, weights} as in its released \
        models, {gEncoder, cpcCriterion} as in its checkpoints; named checkpoint_N.pt it gets checkpoint_args.json and \
        checkpoint_logs.json beside it, which CPC_audio asks for. Its scores are means, so heads are multiplied until its loss is this model's.",
    after_help = "Examples:\n  \
        cpc convert 60k_epoch4-d0f474de.pt models/cpc-60k\n  \
        cpc convert runs/demo demo.pt\n\n\
        Read the file in Python with:\n  \
        torch.load('demo.pt', weights_only=True)['weights']"
)]
pub struct Convert {
    /// The model to convert
    from: String,
    /// A directory to write, or a file ending in .pt
    to: PathBuf,
    /// Replace what is at TO
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

impl Convert {
    pub(super) fn run(&self, terminal: &Terminal) -> Result<()> {
        let taken = |path: &Path| path.exists() && !(path.is_dir() && is_empty(path));
        if taken(&self.to) && !self.overwrite {
            return Err(Error::usage(
                format!("{}: is there already", self.to.display()),
                "choose another name, or replace it with --overwrite",
            ));
        }
        let model = model::open(&self.from, terminal)?;
        if self.to.extension().is_some_and(|e| e == "pt") {
            let value = cpc_audio::write(&model.config, &model.tensors, &model.origin.reference)?;
            let folder = self.to.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
            write_torch(&self.to, &value)?;
            self.beside(&cpc_audio::arguments_json(&model.config)?)?;
        } else {
            if self.overwrite && self.to.is_dir() && taken(&self.to) && !self.to.join("config.json").exists() {
                return Err(Error::usage(
                    format!("--overwrite: {} is not a model directory", self.to.display()),
                    "choose another name: only a model is replaced by a model",
                ));
            }
            model.write(&self.to)?;
        }
        let converted = Converted {
            from: &model.origin.reference,
            layout: &model.origin.layout,
            to: &self.to,
            tensors: model.tensors.len(),
            heads: model.has_heads(),
            sha256: model.sha256()?,
            ignored: &model.ignored,
        };
        let mut text = format!(
            "{} ({})\n{} tensors{} -> {}\n",
            converted.from,
            converted.layout,
            converted.tensors,
            if converted.heads { "" } else { ", without prediction heads" },
            self.to.display()
        );
        for (name, why) in &model.ignored {
            writeln!(text, "left out: {name}: {why}").ok();
        }
        terminal.result_or_json(&converted, &text)
    }

    /// What CPC_audio's loader reads beside `checkpoint_N.pt`.
    fn beside(&self, arguments: &serde_json::Value) -> Result<()> {
        let name = self.to.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        let Some(number) = name.strip_prefix("checkpoint_").and_then(|n| n.parse::<u64>().ok()) else { return Ok(()) };
        let logs = serde_json::json!({ "epoch": [number], "iter": [], "saveStep": 1, "logging_step": 1000 });
        for (file, json) in [("checkpoint_args.json", arguments), ("checkpoint_logs.json", &logs)] {
            durable::write(&self.to.with_file_name(file), format!("{json:#}\n").as_bytes())?;
        }
        Ok(())
    }
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}
