//! CPC on text as a kind of model.

use super::probe::SentenceProbing;
use super::trained::column;
use super::{TextConfig, TextModel, TextModelConfig, inspect, prepare};
use crate::config::{Preset, layers};
use crate::data::plain;
use crate::error::{Error, Problem, Result};
use crate::kinds::{Inspected, Job, Kind, Model, Options, Prepared, Probing, RunConfig};
use crate::observer::Session;
use crate::recordings::{Lists, lists};
use std::io::{BufRead, Read};
use std::path::Path;
use toml::Table;

/// CPC on text.
pub static TEXT: Text = Text;

/// CPC on text.
#[derive(Debug, Clone, Copy)]
pub struct Text;

const PRESETS: [Preset; 3] = [
    Preset { name: "text-small", toml: include_str!("../../../data/presets/text-small.toml") },
    Preset { name: "text-demo", toml: include_str!("../../../data/presets/text-demo.toml") },
    Preset { name: "text2018", toml: include_str!("../../../data/presets/text2018.toml") },
];

impl Kind for Text {
    fn name(&self) -> &'static str {
        TextModelConfig::KIND
    }

    fn models(&self) -> &'static str {
        "text models"
    }

    fn presets(&self) -> &'static [Preset] {
        &PRESETS
    }

    fn defaults(&self) -> Result<Table> {
        layers::defaults::<TextConfig>()
    }

    fn check(&self, config: Table, faults: Vec<Problem>) -> Result<Table> {
        layers::check::<TextConfig>(config, faults)
    }

    fn legacy_keys(&self) -> &'static [(&'static str, &'static str)] {
        &[("data", "tokenizer"), ("encoder", "embedding_dim")]
    }

    /// The tokenizer decides the number of tokens.
    /// The tokenizer may have fewer tokens than asked for.
    fn settles(&self, key: &str, _: &str) -> bool {
        key == "encoder.vocab_size"
    }

    /// Accepts a `.txt`, or a `.jsonl` of documents.
    fn claims(&self, data: &Path) -> Result<bool> {
        let named = |ending: &str| data.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
        Ok(named("txt") || named("jsonl") && data.is_file() && has_documents(data)?)
    }

    fn prepare(&self, config: RunConfig, job: &Job) -> Result<Prepared> {
        prepare::prepare(config, job)
    }

    fn open(&self, path: &Path, reference: &str, _: &Session) -> Result<Box<dyn Model>> {
        let mut model = TextModel::open(path)?;
        model.reference = reference.into();
        Ok(Box::new(model))
    }

    fn files(&self) -> &'static [&'static str] {
        &["config.json", "tokenizer.json", "model.safetensors"]
    }

    fn baselines(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("bag", "Sentences: the mean of 1024-dimensional random vectors, one for each word"),
            ("tfidf", "Sentences: TF-IDF, fitted in each fold"),
        ]
    }

    fn probe(&self) -> Option<&dyn Probing> {
        Some(&SentenceProbing)
    }

    fn inspect(&self, data: &Path, options: &Options, _: &Session) -> Result<Inspected> {
        options.accept(&["column"], "text")?;
        inspect::inspect(data, &column(options)?)
    }
}

/// Whether lines of JSON are documents rather than recordings, which have a `path`.
fn has_documents(path: &Path) -> Result<bool> {
    let Ok(mut start) = plain::open(path)?.map(|text| text.take(1 << 20)) else { return Ok(false) };
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        line.clear();
        if start.read_until(b'\n', &mut line).map_err(Error::io(path, "read"))? == 0 {
            return Ok(false);
        }
    }
    // A line that is cut off at a megabyte, or is not JSON, is reported when the text is read. Recordings have short lines.
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&line) else { return Ok(line.len() >= 1 << 20) };
    let documents = ["text", "sentences"].iter().any(|key| json.get(key).is_some());
    let text = || json.as_object().is_some_and(|keys| keys.values().any(serde_json::Value::is_string));
    Ok(match lists(&json) {
        // A transcript beside a recording is no document.
        Lists::Recording => false,
        Lists::File => documents,
        Lists::Nothing => json.is_string() || json.is_array() || documents || text(),
    })
}
