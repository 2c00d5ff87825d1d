//! Baselines for learned features: MFCCs and log-mels of the same recordings.
//!
//! With an untrained model of the same shape ([`Model::untrained`](crate::kinds::Model::untrained)) these are the
//! rows of Table 1 of van den Oord et al. 2018, for any corpus.

use crate::audio::mel::{FRAME_RATE, MelFrames, MelKind};
use crate::error::Result;
use crate::features::{Format, Frames, Index, LayerInfo, Made, Normalize, Pool, Timing};
use crate::kinds::recorded;
use crate::recordings::{Corpus, Pieces};
use std::path::Path;

/// Seconds of audio read at once.
const PIECE_SECONDS: u64 = 20;

/// Writes log-mels or MFCCs of corpora that share one sampling rate to a new directory, at 100 frames per second and in the format of `cpc
/// extract`; `normalize` and `pool` are by utterance.
///
/// # Errors
/// A recording cannot be read to its end; the rate is too low for the filters; the directory is not empty, or cannot be written to.
pub fn spectral(kind: MelKind, corpora: &[Corpus], dir: &Path, normalize: Normalize, pool: Pool) -> Result<Index> {
    let rate = corpora.first().map_or(16_000, |c| c.sample_rate);
    let dim = kind.dim();
    let per_second = f64::from(FRAME_RATE);
    let hop = f64::from(rate) / per_second;
    let timing = Timing {
        sample_rate: f64::from(rate),
        hop: hop as usize,
        receptive_field: (2.5 * hop) as usize, // 25 ms
        frame_rate: per_second,
        first_frame_seconds: 0.5 / per_second,
        delay_ms: 0.0,
    };
    let made = Made {
        model: kind.name().into(),
        model_sha256: String::new(),
        layers: vec![LayerInfo { name: kind.name().into(), dim: pool.dim(dim), path: ".".into() }],
        format: Format::default(),
        normalize,
        pool,
        removed: None,
        timing: pool.timing(timing),
    };
    recorded::computed(made, corpora, dir, |corpus, utterance, files| {
        let mut frames = MelFrames::new(rate, kind)?;
        let mut pieces = Pieces::new(corpus, utterance, PIECE_SECONDS * u64::from(rate));
        let mut pooling = pool.start(&[dim], per_second);
        let mut ended = false;
        while !ended {
            let (piece, mut rows) = (pieces.read()?, Vec::new());
            ended = piece.is_empty();
            if ended {
                frames.finish(&mut rows)
            } else {
                frames.push(&piece, &mut rows)
            }
            files.take(&utterance.id, &pooling.take(Frames { count: rows.len() / dim, layers: vec![rows] }))?;
        }
        files.take(&utterance.id, &pooling.finish())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::counting;
    use crate::audio::mel::features;
    use crate::audio::{probe, read};
    use crate::features::FeatureSet;

    #[test]
    fn a_corpus_becomes_a_set_of_features() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("audio/s1/a.wav"), 40_000, 0);
        counting(&dir.path().join("audio/s2/b.wav"), 16_000, 3);
        let corpus = Corpus::inspect(&dir.path().join("audio"), 16_000, &|_| {}).unwrap();
        for kind in [MelKind::LogMel, MelKind::Mfcc] {
            let to = dir.path().join(kind.name());
            spectral(kind, std::slice::from_ref(&corpus), &to, Normalize::None, Pool::None).unwrap();
            assert!(spectral(kind, std::slice::from_ref(&corpus), &to, Normalize::None, Pool::None).is_err(), "twice");
            assert!(to.join("s1/a.npy").is_file());
            let set = FeatureSet::open(&to, None).unwrap();
            assert_eq!((set.dim(), set.frame_rate()), (kind.dim(), Some(100.0)));
            assert_eq!(set.utterances().iter().map(|u| u.frames).collect::<Vec<_>>(), [250, 100]);
            assert_eq!(set.utterances()[1].speaker.as_deref(), Some("s2"));
            let path = dir.path().join("audio/s1/a.wav");
            let info = probe(&path).unwrap();
            let want = features(16_000, kind, &read(&path, &info, 0..40_000, 16_000).unwrap()).unwrap();
            let mut rows = Vec::new();
            set.read(0, &mut rows).unwrap();
            assert_eq!(rows, want);
        }
    }
}
