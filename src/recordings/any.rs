//! Corpora of any medium behind one interface, for what reads whole recordings and does not care what they are of.

use crate::error::Problem;
use crate::recordings::{Corpus, Medium};
use std::sync::{Mutex, PoisonError};

/// A corpus of any medium. Its recordings are numbered from 0.
pub trait AnyCorpus: Send + Sync {
    /// The number of recordings.
    fn count(&self) -> usize;

    /// The id of a recording.
    fn id(&self, i: usize) -> &str;

    /// The subject or speaker of a recording.
    fn subject(&self, i: usize) -> &str;

    /// The name of the file that a recording is in, or a part of: its path below the root of the corpus, without extension.
    fn file(&self, i: usize) -> String;

    /// The names by which a recording may be called in lists and tables of labels; the first is its id.
    fn names(&self, i: usize) -> Vec<String>;

    /// The place of a recording, for messages.
    fn place(&self, i: usize) -> String;

    /// The length of a recording, in samples.
    fn samples(&self, i: usize) -> u64;

    /// Values in a sample.
    fn width(&self) -> usize;

    /// Recordings that cannot be used.
    fn problems(&self) -> &[Problem];

    /// SHA-256 of the list of recordings.
    fn digest(&self) -> Vec<u8>;

    /// Fills `out` with samples of a recording from `first` on.
    ///
    /// # Errors
    /// The recording cannot be read; the problem names it.
    fn read(&self, i: usize, first: u64, out: &mut [f32]) -> Result<(), Problem>;
}

/// A corpus, and readers for the threads that read it.
pub struct Shelf<M: Medium> {
    corpus: Corpus<M>,
    readers: Mutex<Vec<M::Reader>>,
}

impl<M: Medium> Shelf<M> {
    /// A corpus with readers.
    pub fn new(corpus: Corpus<M>) -> Self {
        Shelf { corpus, readers: Mutex::default() }
    }
}

impl<M: Medium> AnyCorpus for Shelf<M> {
    fn count(&self) -> usize {
        self.corpus.utterances.len()
    }

    fn id(&self, i: usize) -> &str {
        &self.corpus.utterances[i].id
    }

    fn subject(&self, i: usize) -> &str {
        &self.corpus.speakers[self.corpus.utterances[i].speaker as usize]
    }

    fn file(&self, i: usize) -> String {
        self.corpus.tree_name(&self.corpus.utterances[i])
    }

    fn names(&self, i: usize) -> Vec<String> {
        let utterance = &self.corpus.utterances[i];
        // A stretch between gaps, `a:1.5-3`, has the label of `a`.
        let whole = utterance.id.rsplit_once(':').map_or(utterance.id.as_str(), |(whole, _)| whole);
        let name = utterance.place.file().file_name().map(|name| name.to_string_lossy().into_owned());
        vec![utterance.id.clone(), whole.to_string(), self.file(i), name.unwrap_or_default()]
    }

    fn place(&self, i: usize) -> String {
        self.corpus.utterances[i].place.to_string()
    }

    fn samples(&self, i: usize) -> u64 {
        self.corpus.utterances[i].samples
    }

    fn width(&self) -> usize {
        self.corpus.width
    }

    fn problems(&self) -> &[Problem] {
        &self.corpus.problems
    }

    fn digest(&self) -> Vec<u8> {
        self.corpus.digest()
    }

    fn read(&self, i: usize, first: u64, out: &mut [f32]) -> Result<(), Problem> {
        let utterance = &self.corpus.utterances[i];
        let readers = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = readers().pop().unwrap_or_default();
        let (at, rate) = (utterance.start + first, self.corpus.sample_rate);
        let read = M::read(&mut reader, &utterance.place, &utterance.info, at, rate, out);
        readers().push(reader);
        read
    }
}
