//! What the models of recordings of all media share: extraction of features as a command, and live features.

use super::described::Described;
use super::model::{ExtractRequest, Extracted, LiveStream, Source};
use crate::config::OnBadFile;
use crate::error::{Error, Result};
use crate::features::{Destination, Frames, Index, Made, Normalize, Timing};
use crate::group::Share;
use crate::observer::{Progress, Session};
use crate::options::Options;
use crate::recordings::{Corpus, Medium};
use crate::signal::{self, Extractor, FeatureStream};
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

/// How utterances are normalized.
pub(super) fn normalize(options: &Options) -> Result<Normalize> {
    Ok(options.get("normalize")?.unwrap_or(Normalize::None))
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
        "{} {}, {frames} frames, {:.1} per second; layers: {}; {:.1} s, {speed:.0}x real time\nfeatures: {}\n",
        index.utterances.len(),
        words.many,
        index.made.timing.frame_rate,
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
}
