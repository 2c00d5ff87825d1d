//! Reads an utterance piece by piece, for uses that need no windows, only the samples in order.

use crate::audio::Reader;
use crate::error::{Error, Result};
use crate::recordings::Utterance;

/// The samples of an utterance, a fixed number of seconds at a time.
pub struct Pieces<'a> {
    utterance: &'a Utterance,
    rate: u32,
    length: u64,
    at: u64,
    reader: Reader,
}

impl<'a> Pieces<'a> {
    /// Pieces of `seconds` seconds, at the rate that the utterance's length is counted in.
    pub fn new(utterance: &'a Utterance, rate: u32, seconds: u64) -> Self {
        Pieces { utterance, rate, length: seconds * u64::from(rate), at: 0, reader: Reader::new() }
    }

    /// The next piece; empty at the end.
    ///
    /// # Errors
    /// [`Error::BadFiles`] with its place, if it cannot be read up to there.
    pub fn read(&mut self) -> Result<Vec<f32>> {
        let Utterance { place, info, start, samples, .. } = self.utterance;
        let n = (samples - self.at).min(self.length);
        let mut piece = vec![0.0; n as usize];
        let read = self.reader.read(place, info, start + self.at, self.rate, &mut piece);
        read.map_err(|problem| Error::BadFiles(vec![problem]))?;
        self.at += n;
        Ok(piece)
    }
}
