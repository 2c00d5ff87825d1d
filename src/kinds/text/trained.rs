//! What a trained text model does for the toolkit: sentence vectors, and its card.

use super::card::TextCard;
use super::{SentenceExtractor, TextModel, TextModelConfig, Written};
use crate::config::OnBadFile;
use crate::digest::hex;
use crate::durable;
use crate::error::{Error, Result};
use crate::features::{Chunks, Pool, begin, file_names, inputs};
use crate::group::Share;
use crate::hub::{self, Here};
use crate::kinds::{Described, ExtractRequest, Extracted, Model, Options, Source};
use crate::observer::{Progress, Session};
use crate::report::model_card::Details;
use crate::text::{self, Split};
use serde_json::{Value, json};
use std::any::Any;
use std::path::{Path, PathBuf};
use std::time::Instant;

impl Model for TextModel {
    fn kind(&self) -> &'static str {
        TextModelConfig::KIND
    }

    fn subject(&self) -> &'static str {
        "text"
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn describe(&self) -> Result<Described> {
        let parameters: usize = self.tensors.values().map(|t| t.elem_count()).sum();
        let (c, sha256) = (&self.config, self.sha256()?);
        let text = format!(
            "model       {} (format {}), {parameters} parameters, float32\n\
             from        {}\n\
             sha256      {sha256}\n\
             input       sentences of up to {} tokens; a vocabulary of {} tokens\n\
             encoder     embeddings of {}, convolution over {} token{}, mean: z of {} numbers\n\
             context     {} of {} over sentences, {} layer{}\n\
             heads       linear, {} sentences ahead\n",
            c.kind,
            c.format,
            self.reference,
            c.max_tokens,
            c.encoder.vocab_size,
            c.encoder.embedding_dim,
            c.encoder.kernel,
            if c.encoder.kernel == 1 { "" } else { "s" },
            c.encoder.hidden_dim,
            c.context.kind.title(),
            c.context.hidden_dim,
            c.context.num_layers,
            if c.context.num_layers == 1 { "" } else { "s" },
            c.heads.steps,
        );
        let info = json!({
            "path": self.path, "config": c, "sha256": sha256, "dtype": "float32", "parameters": parameters,
        });
        Described::new(&info, text)
    }

    fn layers(&self) -> Vec<String> {
        vec!["z".into()]
    }

    fn extract_options(&self) -> &'static [&'static str] {
        &["layer", "format", "split", "on-bad-file", "column", "shard", "pool"]
    }

    /// Each input becomes a file of vectors, one row per sentence.
    fn extract(&self, request: &ExtractRequest, session: &Session) -> Result<Extracted> {
        if request.layers.iter().any(|layer| layer != "z") {
            return Err(Error::usage("the only layer of sentence vectors is z", "leave out --layer"));
        }
        let mut input = request.source()?;
        let Source::Paths(paths) = &mut *input else {
            return Err(Error::usage("sentences are read from files", "give text files as INPUT"));
        };
        let (began, out) = (Instant::now(), &request.out);
        let extractor = SentenceExtractor::open(self.clone(), &session.device)?;
        let (sha256, given) = (self.sha256()?, inputs(&*paths));
        let made = !out.exists();
        let shard: Option<Share> = request.options.get("shard")?;
        let written = write(&extractor, paths, request, (&sha256, &given, shard), session);
        if written.is_err() && made && shard.is_none() {
            // Removes the directory if nothing is in it but the mark that it is not complete.
            let _ = std::fs::remove_file(out.join("index.json"));
            let _ = std::fs::remove_dir(out);
        }
        let (files, [sentences, rows], remarks, chunks) = written?;
        let pool: Pool = request.options.get("pool")?.unwrap_or_default();
        if let Some(shard) = shard {
            chunks.end()?;
            let text = format!("{sentences} sentences in all; {:.1} s\n", began.elapsed().as_secs_f64());
            let result = json!({ "out": out, "shard": shard.to_string(), "sentences": sentences });
            let described = Described::new(&result, text)?;
            return Ok(Extracted { described, layers: vec!["z".into()] }.of_shard(shard));
        }
        let index = json!({
            "complete": true, "model": self.reference, "model_sha256": sha256, "dim": pool.dim(extractor.dim()), "pool": pool,
            "inputs": given, "files": files,
        });
        durable::write(&out.join("index.json"), format!("{index:#}\n").as_bytes())?;
        chunks.end()?;
        let took = began.elapsed().as_secs_f64();
        let pooled = if pool.is_none() { String::new() } else { format!(" in {rows} rows ({pool} of each document)") };
        let text = format!(
            "{sentences} sentences{pooled}, vectors of {}; {took:.1} s, {:.0} sentences per second\n{remarks}vectors: {}\n",
            pool.dim(extractor.dim()),
            sentences as f64 / took.max(1e-3),
            out.display()
        );
        let result = json!({ "out": out, "sentences": sentences, "dim": pool.dim(extractor.dim()), "files": files });
        Ok(Extracted { described: Described::new(&result, text)?, layers: vec!["z".into()] })
    }

    fn directory(&self, _: &Path) -> Result<Option<PathBuf>> {
        Ok(Some(self.path.clone()))
    }

    fn files(&self) -> &'static [&'static str] {
        &["config.json", "tokenizer.json", "model.safetensors"]
    }

    fn card(&self, dir: &Path, details: &Details) -> Result<Option<Vec<u8>>> {
        details.card("text models", dir, |about| TextCard { about, config: &self.config }.markdown()).map(Some)
    }
}

/// What is to be said about the vectors in `file`: which lines have none, or one together.
fn remarks(written: &Written, lines: &str, max_tokens: usize) -> String {
    let Written { counts: c, cut, unknown, .. } = written;
    let mut text = format!("lines       {} read", c.lines);
    for (n, what) in [
        (c.blank + c.ends, "blank, without a vector"),
        (c.joined, "going on with the sentence of a line before, without a vector of their own"),
        (c.problems.len() as u64 + c.more_problems, "left out, because they cannot be read"),
    ] {
        if n > 0 {
            text += &format!("; {n} {what}");
        }
    }
    text += &format!("; {lines} has the line of each vector\n");
    if *cut > 0 {
        text += &format!(
            "cut         {cut} of {} sentences, to the {max_tokens} tokens that the model takes\n",
            c.sentences
        );
    }
    if *unknown > 0 {
        text += &format!("unknown     {unknown} of {} sentences have no word that the model knows\n", c.sentences);
    }
    text
}

/// Writes the vectors of every input, or a shard of them. Returns the entries of the index for the files, the total number of sentences, what is
/// to be said, and the chunks to remove at the end.
fn write(
    extractor: &SentenceExtractor,
    paths: &[PathBuf],
    request: &ExtractRequest,
    (model_sha256, given, shard): (&str, &[String], Option<Share>),
    session: &Session,
) -> Result<(Vec<Value>, [u64; 2], String, Chunks)> {
    let options = &request.options;
    let split = options.get("split")?.unwrap_or(Split::Lines);
    let bad = options.get("on-bad-file")?.unwrap_or(OnBadFile::Fail);
    let pool: Pool = options.get("pool")?.unwrap_or_default();
    let column = column(options)?;
    let mut files: Vec<Value> = Vec::new();
    let (mut counted, mut said) = ([0, 0], String::new());
    let places = paths.iter().map(|input| hub::data(input, session)).collect::<Result<Vec<_>>>()?;
    let open = |place: &Here| text::Source::open(&place.path, split, &column, bad);
    let sources = places.iter().map(open).collect::<Result<Vec<_>>>()?;
    let chunks = begin(&request.out, model_sha256, given, shard, || {
        let digests = sources.iter().map(|source| source.digest().map(|digest| hex(&digest)));
        Ok(format!("{model_sha256}{}", digests.collect::<Result<String>>()?))
    })?;
    for (((input, place), source), name) in paths.iter().zip(&places).zip(&sources).zip(names(&places)) {
        let file = format!("{name}.{}", request.format);
        let what = input.display().to_string();
        let progress = |n: u64| {
            session.observer.progress(&Progress { what: &what, unit: "sentences", done: n as f64, of: 0.0 });
        };
        let lines = format!("{name}-lines.tsv");
        let [to, lines_to] = [&file, &lines].map(|name| request.out.join(name));
        let folder = to.parent().unwrap_or(&request.out);
        if !chunks.is_shard() {
            std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        }
        let written = extractor.write(source, [&to, &lines_to], request.format, pool, (&chunks, &file), &progress);
        session.observer.done();
        let written = written?;
        said += &remarks(&written, &lines, extractor.max_tokens());
        let Written { counts, cut, unknown, rows } = written;
        for problem in &counts.problems {
            session.observer.warning(&format!("left out: {problem}"));
        }
        counted = [counted[0] + counts.sentences, counted[1] + rows];
        files.push(json!({
            "file": file, "lines_file": lines, "input": place.name, "sentences": counts.sentences, "rows": rows, "lines": counts.lines,
            "blank_lines": counts.blank + counts.ends, "joined_lines": counts.joined, "cut": cut, "unknown": unknown,
        }));
    }
    Ok((files, counted, said, chunks))
}

/// The name of each input's files, a different one for each: that of the input, or its path if two are named alike.
fn names(places: &[Here]) -> Vec<String> {
    let named = places.iter().map(|place| {
        let stem = place.path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        (stem, place.path.with_extension("").to_string_lossy().into_owned())
    });
    let named: Vec<(String, String)> = named.collect();
    let files = file_names(named.iter().map(|(name, path)| (name.as_str(), path.as_str())));
    files.iter().map(|file| file.trim_end_matches(".npy").to_string()).collect()
}

/// The text column; empty if none is named.
pub(super) fn column(options: &Options) -> Result<String> {
    let mut column = String::new();
    for (what, name) in options.columns()? {
        if what != "text" {
            return Err(Error::usage(
                format!("--column {what}={name}: text tables have no such column"),
                "name the column of text",
            ));
        }
        column = name;
    }
    Ok(column)
}
