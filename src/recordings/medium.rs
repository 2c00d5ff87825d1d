//! What recordings are made of. Corpora, windows, batches and validation are the same for all media.

use crate::audio::{AudioInfo, Reader};
use crate::error::Problem;
use crate::recordings::{Place, digest};
use std::fmt::Debug;

/// A kind of recording: what its header says, and how its frames are read.
pub trait Medium: Debug + Clone + Copy + Send + Sync + 'static {
    /// What the header of a recording says.
    type Info: Debug + Clone + Send + Sync;
    /// The rate of a corpus, in frames per second.
    type Rate: Debug + Copy + Into<f64> + Send + Sync;
    /// What a thread keeps from one read to the next.
    type Reader: Default + Send;

    /// Fills `out` with frames of a recording from `first` on, counted at `rate`.
    ///
    /// # Errors
    /// The recording cannot be read; the problem names it.
    fn read(
        reader: &mut Self::Reader,
        place: &Place,
        info: &Self::Info,
        first: u64,
        rate: Self::Rate,
        out: &mut [f32],
    ) -> Result<(), Problem>;

    /// The frame of the file, at `rate`, that what is read begins with.
    fn first(_info: &Self::Info, _rate: Self::Rate) -> u64 {
        0
    }

    /// SHA-256 of the bytes of a recording, in hexadecimal.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence that begins with its place.
    fn digest(place: &Place, _info: &Self::Info) -> Result<String, String> {
        digest(place)
    }
}

/// Audio: one value a frame, resampled to the rate of the corpus.
#[derive(Debug, Clone, Copy)]
pub struct Sound;

impl Medium for Sound {
    type Info = AudioInfo;
    type Rate = u32;
    type Reader = Reader;

    fn read(
        reader: &mut Reader,
        place: &Place,
        info: &AudioInfo,
        first: u64,
        rate: u32,
        out: &mut [f32],
    ) -> Result<(), Problem> {
        reader.read(place, info, first, rate, out)
    }
}
