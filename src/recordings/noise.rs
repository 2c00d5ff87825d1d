//! Recordings of noise that training windows are mixed with (`data.noise`).

use crate::audio::Reader;
use crate::error::{Error, Problem, Result};
use crate::recordings::Corpus;
use crate::seed::Stream;
use std::sync::Arc;

/// Recordings of noise.
#[derive(Debug, Clone)]
pub struct NoiseCorpus {
    corpus: Arc<Corpus>,
    /// The end of each recording, in samples, if they were concatenated.
    ends: Vec<u64>,
}

impl NoiseCorpus {
    /// The recordings of a corpus.
    ///
    /// # Errors
    /// They contain no sample.
    pub fn new(corpus: Arc<Corpus>) -> Result<Self> {
        let add = |sum: &mut u64, samples: u64| {
            *sum += samples;
            Some(*sum)
        };
        let ends: Vec<u64> = corpus.utterances.iter().map(|u| u.samples).scan(0, |sum, n| add(sum, n)).collect();
        match ends.last() {
            Some(&samples) if samples > 0 => Ok(NoiseCorpus { corpus, ends }),
            _ => Err(Error::failed("data.noise: the recordings are empty", "name a folder with recordings of noise")),
        }
    }

    /// `length` samples from a random place on: every second of the recordings is equally likely. A recording that ends before is repeated.
    pub(super) fn draw(
        &self,
        length: usize,
        random: &mut Stream,
        reader: &mut Reader,
    ) -> std::result::Result<Vec<f32>, Problem> {
        let total = self.ends.last().copied().unwrap_or(1);
        let at = ((u128::from(random.next_u64()) * u128::from(total)) >> 64) as u64;
        let number = self.ends.partition_point(|&end| end <= at);
        let utterance = &self.corpus.utterances[number];
        let mut from = at - (self.ends[number] - utterance.samples);
        let mut noise = vec![0.0; length];
        let mut filled = 0;
        while filled < length {
            let n = (length - filled).min((utterance.samples - from) as usize);
            let slots = &mut noise[filled..filled + n];
            reader.read(&utterance.place, &utterance.info, utterance.start + from, self.corpus.sample_rate, slots)?;
            (filled, from) = (filled + n, 0);
        }
        Ok(noise)
    }
}
