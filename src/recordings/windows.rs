//! All windows of a corpus, without storing any of them.
//!
//! Windows are cut from tracks: the utterances of a speaker joined end to end (as in CPC_audio), or single utterances.
//! In each epoch every track is shifted by a random offset, so that windows begin elsewhere (CPC_audio also begins its
//! batches at a random offset). Memory grows with the number of utterances, not with their length.

use crate::error::{Error, Problem, Result};
use crate::recordings::{Corpus, Medium, NoiseCorpus, Place, RecordingsConfig, Sampler, Sound, WindowCut};
use crate::seed::stream;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The windows of a corpus.
#[derive(Debug, Clone)]
pub struct Windows<M: Medium = Sound> {
    corpus: Arc<Corpus<M>>,
    cfg: RecordingsConfig,
    tracks: Vec<Track>,
    /// The end of each utterance in its track, in samples.
    ends: Vec<u64>,
    dropped: Dropped,
    noise: Option<NoiseCorpus>,
}

/// Joined utterances that windows are cut from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Track {
    utterances: Range<usize>,
    samples: u64,
    speaker: u32,
}

/// The audio that no window covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// Number of utterances in tracks shorter than a window.
    pub utterances: usize,
    /// Their length in seconds.
    pub seconds: f64,
    /// Seconds not covered at the ends of the other tracks, in an epoch without offset.
    pub ends: f64,
    /// The total length, in seconds.
    pub total: f64,
    /// The length of a window, in seconds.
    pub window: f64,
    joined: bool,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dropped { utterances, seconds, ends, total, window, joined } = self;
        match (utterances, joined) {
            (0, _) => write!(f, "no utterance is too short for a window of {window:.2} s")?,
            (n, true) => write!(
                f,
                "{n} utterances ({seconds:.1} s) of speakers with less than a window of {window:.2} s are left out"
            )?,
            (n, false) => {
                write!(f, "{n} utterances ({seconds:.1} s) are shorter than a window of {window:.2} s and left out")?;
            }
        }
        write!(f, "; {ends:.1} s of {total:.1} s lie behind the last whole windows")
    }
}

/// The positions of the windows of one epoch.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The first sample used of each track.
    offsets: Vec<u64>,
    /// The number of windows before each track, then the total.
    pub(super) first: Vec<u64>,
}

impl Layout {
    /// The number of windows.
    pub(super) fn windows(&self) -> u64 {
        self.first.last().copied().unwrap_or(0)
    }
}

impl<M: Medium> Windows<M> {
    /// The windows of a corpus. With the sampler `same-sequence`, windows are cut within utterances whatever the value of
    /// `cut`, because all windows of a batch come from one utterance.
    ///
    /// # Errors
    ///
    /// No track is long enough for a window; the error gives the length of the longest track.
    pub fn new(corpus: Arc<Corpus<M>>, cfg: &RecordingsConfig) -> Result<Self> {
        let window = cfg.window as u64;
        let joined = cfg.cut == WindowCut::Joined && cfg.sampler != Sampler::SameSequence;
        let mut tracks: Vec<Track> = Vec::new();
        let mut ends = Vec::with_capacity(corpus.utterances.len());
        for (i, utterance) in corpus.utterances.iter().enumerate() {
            match tracks.last_mut() {
                Some(track) if joined && track.speaker == utterance.speaker => {
                    track.samples += utterance.samples;
                    track.utterances.end = i + 1;
                }
                _ => {
                    tracks.push(Track { utterances: i..i + 1, samples: utterance.samples, speaker: utterance.speaker })
                }
            }
            ends.push(tracks.last().map_or(0, |t| t.samples));
        }
        let longest = tracks.iter().map(|t| t.samples).max().unwrap_or(0);
        let seconds = |samples: u64| samples as f64 / corpus.rate();
        if longest < window {
            let what = if joined { "speaker (all utterances joined)" } else { "utterance" };
            return Err(Error::failed(
                format!(
                    "a window of {:.2} s is longer than every {what}: the longest is {:.2} s",
                    seconds(window),
                    seconds(longest)
                ),
                format!("choose a window of at most {longest} samples (data.window), or provide more audio"),
            ));
        }
        let short = || tracks.iter().filter(|t| t.samples < window);
        let dropped = Dropped {
            utterances: short().map(|t| t.utterances.len()).sum(),
            seconds: seconds(short().map(|t| t.samples).sum()),
            ends: seconds(tracks.iter().filter(|t| t.samples >= window).map(|t| t.samples % window).sum()),
            total: seconds(tracks.iter().map(|t| t.samples).sum()),
            window: seconds(window),
            joined,
        };
        tracks.retain(|t| t.samples >= window);
        Ok(Windows { corpus, cfg: cfg.clone(), tracks, ends, dropped, noise: None })
    }

    /// The same windows, with recordings for the augmentation `noise`.
    pub fn with_noise(self, noise: Option<NoiseCorpus>) -> Self {
        Windows { noise, ..self }
    }

    /// The recordings for the augmentation `noise`, if it is not made.
    pub(super) fn noise(&self) -> Option<&NoiseCorpus> {
        self.noise.as_ref()
    }

    /// The audio that no window covers; its `Display` is a one-line message for the user.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// The number of windows in an epoch without offset; an epoch has at most this many.
    pub fn len(&self) -> u64 {
        self.tracks.iter().map(|t| t.samples / self.cfg.window as u64).sum()
    }

    /// Always false: a `Windows` without windows cannot be constructed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The corpus.
    pub fn corpus(&self) -> &Corpus<M> {
        &self.corpus
    }

    /// The settings that the windows were made with.
    pub fn config(&self) -> &RecordingsConfig {
        &self.cfg
    }

    /// Where the windows of an epoch lie: with random offsets, or (without a seed) with none.
    ///
    /// An offset is less than a window, and so small that a track with two windows or more keeps two, another keeps
    /// one: batches of a single speaker then never run dry.
    pub(super) fn layout(&self, seed_and_epoch: Option<(u64, u64)>) -> Layout {
        let window = self.cfg.window as u64;
        let mut chance = seed_and_epoch.map(|(seed, epoch)| stream(seed, "window offsets", epoch));
        let (mut offsets, mut first) = (Vec::with_capacity(self.tracks.len()), vec![0]);
        let mut count = 0;
        for track in &self.tracks {
            let slack = track.samples - window * (track.samples / window).min(2);
            let choices = window.min(slack + 1);
            let offset = chance.as_mut().map_or(0, |s| u64::from(s.below(u32::try_from(choices).unwrap_or(u32::MAX))));
            offsets.push(offset);
            count += (track.samples - offset) / window;
            first.push(count);
        }
        Layout { offsets, first }
    }

    /// The index of the first window of each group of tracks, then the total number of windows. A group is the tracks of one
    /// speaker, a single track, or all tracks.
    pub(super) fn groups(&self, layout: &Layout) -> Vec<u64> {
        let mut starts = match self.cfg.sampler {
            Sampler::Uniform | Sampler::Sequential => vec![0],
            Sampler::SameSequence => layout.first[..self.tracks.len()].to_vec(),
            Sampler::SameSpeaker => (0..self.tracks.len())
                .filter(|&i| i == 0 || self.tracks[i].speaker != self.tracks[i - 1].speaker)
                .map(|i| layout.first[i])
                .collect(),
        };
        starts.push(layout.windows());
        starts
    }

    /// Reads window `number` of an epoch into `out`, and returns its sources.
    ///
    /// # Errors
    ///
    /// A file cannot be read; the problem names the file.
    pub(super) fn read(
        &self,
        layout: &Layout,
        number: u64,
        reader: &mut M::Reader,
        out: &mut [f32],
    ) -> std::result::Result<Vec<Place>, Problem> {
        let track = layout.first.partition_point(|&first| first <= number).saturating_sub(1);
        let mut at = layout.offsets[track] + (number - layout.first[track]) * self.cfg.window as u64;
        let track = &self.tracks[track];
        let ends = &self.ends[track.utterances.clone()];
        let mut files = Vec::with_capacity(1);
        let (width, frames) = (self.corpus.width, out.len() / self.corpus.width.max(1));
        let mut filled = 0;
        let mut i = ends.partition_point(|&end| end <= at);
        while filled < frames && i < ends.len() {
            let utterance = &self.corpus.utterances[track.utterances.start + i];
            let begin = ends[i] - utterance.samples;
            let n = ((ends[i] - at) as usize).min(frames - filled);
            if n > 0 {
                let from = utterance.start + at - begin;
                let slots = &mut out[filled * width..(filled + n) * width];
                M::read(reader, &utterance.place, &utterance.info, from, self.corpus.sample_rate, slots)?;
                files.push(utterance.place.clone());
            }
            filled += n;
            at += n as u64;
            i += 1;
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Reader;
    use crate::audio::fixtures::counting;

    fn corpus(lengths: &[(&str, u64)]) -> (tempfile::TempDir, Arc<Corpus>) {
        let dir = tempfile::tempdir().unwrap();
        lengths.iter().for_each(|(path, n)| counting(&dir.path().join(path), *n, 0));
        let corpus = Corpus::inspect(dir.path(), 16_000, &|_| {}).unwrap();
        (dir, Arc::new(corpus))
    }

    fn config(window: usize, cut: WindowCut) -> RecordingsConfig {
        RecordingsConfig { window, cut, ..RecordingsConfig::default() }
    }

    #[test]
    fn what_no_window_covers_is_counted_and_said() {
        let (_dir, corpus) = corpus(&[("a/1.wav", 1600), ("a/2.wav", 2000), ("b/3.wav", 400), ("b/4.wav", 800)]);
        let joined = Windows::new(corpus.clone(), &config(1600, WindowCut::Joined)).unwrap();
        assert_eq!(joined.len(), 2);
        assert_eq!(
            joined.dropped().to_string(),
            "2 utterances (0.1 s) of speakers with less than a window of 0.10 s are left out; 0.0 s of 0.3 s lie behind \
             the last whole windows"
        );
        let single = Windows::new(corpus.clone(), &config(800, WindowCut::Utterance)).unwrap();
        assert_eq!((single.len(), single.dropped().utterances), (5, 1));
        assert!(single.dropped().to_string().starts_with("1 utterances (0.0 s) are shorter than a window"));
        let all = Windows::new(corpus, &config(400, WindowCut::Utterance)).unwrap();
        assert!(all.dropped().to_string().starts_with("no utterance is too short for a window of 0.03 s"));
    }

    #[test]
    fn a_window_longer_than_everything_is_refused_with_both_lengths() {
        let (_dir, corpus) = corpus(&[("a/1.wav", 1600), ("a/2.wav", 1600)]);
        assert!(Windows::new(corpus.clone(), &config(3200, WindowCut::Joined)).is_ok());
        let error = Windows::new(corpus.clone(), &config(3201, WindowCut::Joined)).unwrap_err();
        assert!(error.to_string().contains("the longest is 0.20 s"), "{error}");
        let error = Windows::new(corpus, &config(3200, WindowCut::Utterance)).unwrap_err();
        assert!(error.to_string().contains("longer than every utterance: the longest is 0.10 s"), "{error}");
        assert!(error.remedy().contains("1600 samples"), "{}", error.remedy());
    }

    #[test]
    fn offsets_differ_by_epoch_and_keep_windows_inside_their_track() {
        let (_dir, corpus) = corpus(&[("a/1.wav", 1050), ("b/2.wav", 130), ("c/3.wav", 200), ("d/4.wav", 280)]);
        let windows = Windows::new(corpus, &config(100, WindowCut::Joined)).unwrap();
        let plain = windows.layout(None);
        assert_eq!((plain.offsets.as_slice(), plain.first.as_slice()), (&[0; 4][..], &[0, 10, 11, 13, 15][..]));
        let mut seen = std::collections::HashSet::new();
        for epoch in 0..200 {
            let layout = windows.layout(Some((3, epoch)));
            assert!(layout.offsets[0] < 100 && layout.offsets[1] <= 30, "{:?}", layout.offsets);
            assert!(layout.offsets[2] == 0 && layout.offsets[3] <= 80, "{:?}", layout.offsets);
            for (i, samples) in [1050, 130, 200, 280].into_iter().enumerate() {
                let count = layout.first[i + 1] - layout.first[i];
                assert!(layout.offsets[i] + 100 * count <= samples && count >= [9, 1, 2, 2][i]);
            }
            assert_eq!(layout.offsets, windows.layout(Some((3, epoch))).offsets);
            seen.insert(layout.offsets);
        }
        assert!(seen.len() > 190, "{}", seen.len());
    }

    #[test]
    fn sections_and_other_rates_are_read_where_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        counting(&dir.path().join("a.wav"), 16_000, 0);
        let list = dir.path().join("list.jsonl");
        let lines = "{\"path\":\"a.wav\",\"start\":0.5,\"end\":0.52}\n{\"path\":\"a.wav\",\"start\":0.25,\"end\":0.27}";
        std::fs::write(&list, lines).unwrap();
        let corpus = Arc::new(Corpus::inspect(&list, 16_000, &|_| {}).unwrap());
        let windows = Windows::new(corpus, &config(320, WindowCut::Joined)).unwrap();
        let mut samples = vec![0.0; 320];
        for (number, start) in [(0, 4000.0), (1, 8000.0)] {
            let layout = windows.layout(None);
            windows.read(&layout, number, &mut Reader::new(), &mut samples).unwrap();
            assert_eq!((samples[0] * 32_768.0, samples[319] * 32_768.0), (start, start + 319.0));
        }
    }
}
