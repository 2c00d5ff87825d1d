//! What the models of recordings of all media share: extraction of features as a command, and live features.

use super::described::Described;
use super::model::{ExtractRequest, Extracted, LiveStream, Pieces, Source};
use crate::config::OnBadFile;
use crate::error::{Error, Result};
use crate::features::{Destination, Frames, Index, Indexed, Made, Normalize, Pool, Timing, UtteranceFiles, file_names};
use crate::group::Share;
use crate::hub;
use crate::observer::{Progress, Session};
use crate::options::Options;
use crate::recordings::{Corpus, Medium, Utterance};
use crate::signal::{self, Extractor, FeatureStream};
use rayon::prelude::*;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The words for what a corpus consists of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Several recordings, such as `utterances`.
    pub many: &'static str,
    /// The seconds of them, such as `s of audio`.
    pub seconds: &'static str,
    /// Which names stand in lists of them: what to do where none fits.
    pub names: &'static str,
}

/// The contents of every path, or what `request` asks for of them. `open` opens one that is on this machine.
///
/// # Errors
/// A path cannot be opened, or holds nothing that is asked for.
pub(super) fn corpora<M: Medium>(
    paths: &[PathBuf],
    words: Words,
    request: &ExtractRequest,
    session: &Session,
    open: impl Fn(&Path) -> Result<Corpus<M>>,
) -> Result<Vec<Corpus<M>>> {
    let chosen = |input: &PathBuf| -> Result<Corpus<M>> {
        let corpus = open(&hub::data(input, session)?.path)?;
        let Some(only) = &request.only else { return Ok(corpus) };
        let corpus = corpus.only(|id| only.contains(id));
        if corpus.utterances.is_empty() {
            let what = format!("{}: none of its {} is in the lists", input.display(), words.many);
            return Err(Error::failed(what, words.names));
        }
        Ok(corpus)
    };
    paths.iter().map(chosen).collect()
}

/// Writes the features that `request` asks for. `corpora` opens its paths.
///
/// # Errors
/// The input cannot be read, or the directory holds something else.
pub(super) fn extract<M: Medium>(
    extractor: &Extractor,
    made: &Made,
    words: Words,
    corpora: impl FnOnce(&[PathBuf]) -> Result<Vec<Corpus<M>>>,
    request: &ExtractRequest,
    session: &Session,
) -> Result<Extracted> {
    let began = Instant::now();
    let shard: Option<Share> = request.options.get("shard")?;
    let mut input = request.source()?;
    let index = match &mut *input {
        Source::Samples(_) if shard.is_some() => {
            return Err(Error::usage("--shard: standard input is one recording", "leave it out"));
        }
        Source::Samples(next) => signal::extract_samples(extractor, made, "stdin", &request.out, next)?,
        Source::Paths(paths) => {
            let corpora = corpora(paths)?;
            let of: f64 = corpora.iter().map(Corpus::seconds).sum();
            let count: usize = corpora.iter().map(|c| c.utterances.len()).sum();
            session.observer.note(&format!("{count} {}, {:.2} hours", words.many, of / 3600.0));
            let to = Destination { dir: &request.out, shard };
            let of = of / shard.map_or(1.0, |shard| shard.ranks as f64);
            let (done, unit) = (Mutex::new(0.0), words.seconds);
            let progress = |seconds: f64| {
                if let Ok(mut done) = done.lock() {
                    *done += seconds;
                    session.observer.progress(&Progress { what: "", unit, done: *done, of });
                }
            };
            let bad = on_bad_file(&request.options)?;
            let watch = session.watch();
            let index = signal::extract(extractor, made, &corpora, bad, to, &progress, &session.stop);
            drop(watch);
            session.observer.done();
            index?
        }
    };
    let described = extracted(&index, &request.out, words, began.elapsed(), session)?;
    Ok(if let Some(shard) = shard { described.of_shard(shard) } else { described })
}

/// The layers of a model with a context network of `deep` layers: c, z, and those below c.
pub(super) fn layers(deep: usize) -> Vec<String> {
    let below = if deep > 1 { (1..=deep).map(|n| format!("c:{n}")).collect() } else { Vec::new() };
    ["c", "z"].map(String::from).into_iter().chain(below).collect()
}

/// Writes features that are computed without a model to a new directory, in the format of `cpc extract`. `make` computes those of an
/// utterance.
///
/// # Errors
/// A recording cannot be read to its end; the directory is not empty, or cannot be written to.
pub(super) fn computed<M: Medium>(
    made: Made,
    corpora: &[Corpus<M>],
    dir: &Path,
    make: impl Fn(&Corpus<M>, &Utterance<M>, &mut UtteranceFiles) -> Result<()> + Sync,
) -> Result<Index> {
    if dir.exists() && std::fs::read_dir(dir).map_err(Error::io(dir, "read"))?.next().is_some() {
        let what = format!("{} is not empty", dir.display());
        return Err(Error::usage(what, "choose an empty or new directory for --out"));
    }
    std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    let all: Vec<(&Corpus<M>, &Utterance<M>)> =
        corpora.iter().flat_map(|c| c.utterances.iter().map(move |u| (c, u))).collect();
    let trees: Vec<String> = all.iter().map(|(corpus, utterance)| corpus.tree_name(utterance)).collect();
    let files = file_names(trees.iter().zip(&all).map(|(tree, (_, u))| (tree.as_str(), u.id.as_str())));
    // The index marks the directory as incomplete until everything is written.
    let mut index = Index { complete: false, made, left_out: Vec::new(), utterances: Vec::new() };
    index.write(dir)?;
    let (dims, normalize) = (index.made.layers.iter().map(|l| l.dim).collect::<Vec<_>>(), index.made.normalize);
    let one = |((corpus, utterance), file): (&(&Corpus<M>, &Utterance<M>), &String)| -> Result<Indexed> {
        let mut files = UtteranceFiles::create(&[dir.to_path_buf()], file, &dims)?;
        make(corpus, utterance, &mut files)?;
        let frames = files.finish(normalize)?;
        let speaker = &corpus.speakers[utterance.speaker as usize];
        Ok(signal::indexed(utterance, speaker, frames, corpus.rate(), file.clone()))
    };
    index.utterances = all.par_iter().zip(&files).map(one).collect::<Result<_>>()?;
    index.complete = true;
    index.write(dir)?;
    Ok(index)
}

/// How utterances are normalized.
pub(super) fn normalize(options: &Options) -> Result<Normalize> {
    Ok(options.get("normalize")?.unwrap_or(Normalize::None))
}

/// What the frames of a recording are pooled to.
///
/// # Errors
/// They are to be normalized too, which would undo it.
pub(super) fn pool(options: &Options) -> Result<Pool> {
    let pool: Pool = options.get("pool")?.unwrap_or_default();
    if !pool.is_none() && normalize(options)? != Normalize::None {
        return Err(Error::usage(
            "--normalize: the mean of normalized frames is 0, and --pool pools them",
            "leave out --normalize or --pool",
        ));
    }
    Ok(pool)
}

/// What is done about a file that cannot be read.
pub(super) fn on_bad_file(options: &Options) -> Result<OnBadFile> {
    Ok(options.get("on-bad-file")?.unwrap_or(OnBadFile::Fail))
}

/// The result that an extraction prints when it is done.
pub(super) fn extracted(
    index: &Index,
    out: &Path,
    words: Words,
    took: Duration,
    session: &Session,
) -> Result<Extracted> {
    let frames: usize = index.utterances.iter().map(|u| u.frames).sum();
    let seconds: f64 = index.utterances.iter().map(|u| u.seconds).sum();
    if !index.left_out.is_empty() {
        session.observer.warning(&format!("{} files were left out; index.json names them", index.left_out.len()));
    }
    let named: Vec<String> = index.made.layers.iter().map(|l| format!("{} ({})", l.name, l.dim)).collect();
    let speed = seconds / took.as_secs_f64().max(1e-3);
    let text = format!(
        "{} {}, {frames} {}; layers: {}; {:.1} s, {speed:.0}x real time\nfeatures: {}\n",
        index.utterances.len(),
        words.many,
        match (&index.made.pool, index.made.timing.frame_rate) {
            (Pool::None, rate) if rate > 0.0 => format!("frames, {rate:.1} per second"),
            (pool, _) => format!("rows ({pool})"),
        },
        named.join(", "),
        took.as_secs_f64(),
        out.display()
    );
    let result = json!({
        "out": out,
        "utterances": index.utterances.len(),
        "frames": frames,
        "seconds": seconds,
        "layers": index.made.layers,
        "frame_rate": index.made.timing.frame_rate,
        "left_out": index.left_out,
        "audio_seconds_per_second": speed,
    });
    let layers = index.made.layers.iter().map(|layer| layer.name.clone()).collect();
    Ok(Extracted { described: Described::new(&result, text)?, layers })
}

/// Features of a signal that arrives in pieces.
pub(super) struct Live {
    extractor: Extractor,
    stream: FeatureStream,
}

impl Live {
    /// A stream before its first sample.
    pub fn new(extractor: Extractor) -> Live {
        Live { stream: extractor.stream(), extractor }
    }
}

impl LiveStream for Live {
    fn layers(&self) -> Vec<(String, usize)> {
        let names = self.extractor.layers().iter().map(ToString::to_string);
        names.zip(self.extractor.dims().iter().copied()).collect()
    }

    fn timing(&self) -> Timing {
        self.extractor.timing()
    }

    fn push(&mut self, samples: &[f32]) -> Result<Frames> {
        self.stream.push(samples)
    }

    fn finish(&mut self) -> Result<Frames> {
        self.stream.finish()
    }

    fn run(&mut self, next: Pieces<'_>, take: &mut dyn FnMut(Frames) -> Result<()>) -> Result<()> {
        self.stream.run(rayon::current_num_threads() == 1, next, take)
    }
}
