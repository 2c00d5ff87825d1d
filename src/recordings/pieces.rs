//! Reads an utterance piece by piece, for uses that need no windows, only the samples in order.

use crate::error::{Error, Result};
use crate::recordings::{Corpus, Medium, Sound, Utterance};

/// The samples of an utterance, a fixed number at a time.
pub struct Pieces<'a, M: Medium = Sound> {
    utterance: &'a Utterance<M>,
    rate: M::Rate,
    width: usize,
    length: u64,
    at: u64,
    reader: M::Reader,
}

impl<'a, M: Medium> Pieces<'a, M> {
    /// Pieces of `length` samples of an utterance of a corpus.
    pub fn new(corpus: &Corpus<M>, utterance: &'a Utterance<M>, length: u64) -> Self {
        let (rate, width) = (corpus.sample_rate, corpus.width);
        Pieces { utterance, rate, width, length: length.max(1), at: 0, reader: M::Reader::default() }
    }

    /// The next piece; empty at the end.
    ///
    /// # Errors
    /// [`Error::BadFiles`] with its place, if it cannot be read up to there.
    pub fn read(&mut self) -> Result<Vec<f32>> {
        let Utterance { place, info, start, samples, .. } = self.utterance;
        let n = (samples - self.at).min(self.length);
        let mut piece = vec![0.0; n as usize * self.width];
        let read = M::read(&mut self.reader, place, info, start + self.at, self.rate, &mut piece);
        read.map_err(|problem| Error::BadFiles(vec![problem]))?;
        self.at += n;
        Ok(piece)
    }
}
