//! Vectors of sentences: `cpc extract` with a model of text.

use super::Extract;
use crate::cli::{Terminal, remote};
use crate::device;
use crate::durable;
use crate::error::{Error, Result};
use crate::features::{Format, Normalize, SentenceExtractor};
use crate::text::Source;
use crate::weights::TextModel;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

impl Extract {
    /// Vectors of sentences, by a text model.
    pub(super) fn sentences(&self, here: remote::Here, terminal: &Terminal) -> Result<()> {
        let ending = match self.format {
            Format::Npy => "npy",
            Format::Parquet => "parquet",
            Format::Safetensors => {
                return Err(Error::usage(
                    "--format safetensors: sentences have no names that tensors could be under",
                    "choose npy, or parquet to have each sentence beside its vector",
                ));
            }
        };
        let other_layer = self.layer.iter().any(|layer| layer != "z");
        if other_layer || self.normalize != Normalize::None || self.stream {
            return Err(Error::usage(
                "vectors of sentences are z, written as they are",
                "leave out --normalize, --stream and --layer",
            ));
        }
        let Some(out) = &self.out else {
            return Err(Error::usage("no --out is given", "name the directory to write to"));
        };
        let (began, mut model) = (Instant::now(), TextModel::open(&here.path)?);
        model.reference = here.name.clone();
        let sha256 = model.sha256()?;
        let extractor = SentenceExtractor::open(model, &device::parse(&self.device)?)?;
        let made = !out.exists();
        std::fs::create_dir_all(out).map_err(Error::io(out, "create"))?;
        let written = self.write_sentences(&extractor, out, ending, terminal);
        if written.is_err() && made {
            // Gone if nothing is in it.
            let _ = std::fs::remove_dir(out);
        }
        let (files, sentences) = written?;
        let index = json!({
            "complete": true, "model": here.name, "model_sha256": sha256, "dim": extractor.dim(), "files": files,
        });
        durable::write(&out.join("index.json"), format!("{index:#}\n").as_bytes())?;
        let took = began.elapsed().as_secs_f64();
        let text = format!(
            "{sentences} sentences, vectors of {}; {took:.1} s, {:.0} sentences a second\nvectors: {}\n",
            extractor.dim(),
            sentences as f64 / took.max(1e-3),
            out.display()
        );
        let result = json!({ "out": out, "sentences": sentences, "dim": extractor.dim(), "files": files });
        terminal.result_or_json(&result, &text)
    }

    /// Writes the vectors of every INPUT; gives what the index says of the files, and how many sentences there are in all.
    fn write_sentences(
        &self,
        extractor: &SentenceExtractor,
        out: &Path,
        ending: &str,
        terminal: &Terminal,
    ) -> Result<(Vec<serde_json::Value>, u64)> {
        let mut files: Vec<serde_json::Value> = Vec::new();
        let mut sentences = 0;
        for input in &self.input {
            let place = remote::recordings(input, terminal)?;
            let source = Source::open(&place.path, self.split, self.columns.text(), self.on_bad_file)?;
            let name = place.path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let file = format!("{name}.{ending}");
            if files.iter().any(|f| f["file"] == file) {
                return Err(Error::usage(
                    format!("{}: {file} would be written twice", input.display()),
                    "give inputs of different names, or extract them one at a time",
                ));
            }
            let progress = |n: u64| {
                if terminal.verbose {
                    terminal.note(&format!("{}: {n} sentences", input.display()));
                }
            };
            let counts = extractor.write(&source, &out.join(&file), self.format, &progress)?;
            for problem in &counts.problems {
                terminal.warning(&format!("left out: {problem}"));
            }
            sentences += counts.sentences;
            files.push(json!({
                "file": file, "input": place.name, "sentences": counts.sentences, "blank_lines": counts.blank,
            }));
        }
        Ok((files, sentences))
    }
}
