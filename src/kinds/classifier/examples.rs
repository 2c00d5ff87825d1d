//! Windows of recordings, with their targets.

use super::targets::Targets;
use crate::data::{Course, Permutation, Position};
use crate::error::{Error, Problem, Result};
use crate::recordings::AnyCorpus;
use crate::seed::stream;
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Values of recordings that are kept in memory, of 4 bytes each.
const KEPT: u64 = 1 << 26;

/// Windows of several recordings.
pub(super) struct Examples {
    /// (B, T, C), row after row; 0 after the end of a recording.
    pub(super) samples: Vec<f32>,
    /// The samples of each row that are of the recording.
    pub(super) lengths: Vec<usize>,
    /// (B, K).
    pub(super) targets: Vec<f32>,
    /// The recordings.
    pub(super) recordings: Vec<usize>,
}

/// Reads windows of a corpus.
pub(super) struct Shop {
    pub(super) corpus: Arc<dyn AnyCorpus>,
    pub(super) targets: Targets,
    /// Samples in a window.
    pub(super) window: usize,
    /// If windows are only as long as the longest recording of a batch: how long they are at least.
    fitted: Option<usize>,
    seed: u64,
    /// The recordings that are read again and again, whole once they were read; none if there is no room for all.
    kept: HashMap<usize, OnceLock<Vec<f32>>>,
}

impl Shop {
    pub(super) fn new(
        corpus: Arc<dyn AnyCorpus>,
        mut targets: Targets,
        window: usize,
        fitted: Option<usize>,
        seed: u64,
    ) -> Shop {
        if fitted.is_some() {
            // Those of about the same length share a batch.
            targets.valid.sort_by_key(|&i| corpus.samples(i));
        }
        let used = [&targets.train, &targets.valid];
        let values: u64 = used.into_iter().flatten().map(|&i| corpus.samples(i)).sum::<u64>() * corpus.width() as u64;
        let kept = match values <= KEPT {
            true => used.into_iter().flatten().map(|&i| (i, OnceLock::new())).collect(),
            false => HashMap::new(),
        };
        Shop { corpus, targets, window, fitted, seed, kept }
    }

    /// Fills `out` with samples of a recording from `first` on.
    fn read(&self, i: usize, first: u64, out: &mut [f32]) -> std::result::Result<(), Problem> {
        let Some(kept) = self.kept.get(&i) else { return self.corpus.read(i, first, out) };
        let width = self.corpus.width();
        if kept.get().is_none() {
            let mut whole = vec![0.0; self.corpus.samples(i) as usize * width];
            self.corpus.read(i, 0, &mut whole)?;
            let _ = kept.set(whole);
        }
        if let Some(whole) = kept.get() {
            out.copy_from_slice(&whole[first as usize * width..][..out.len()]);
        }
        Ok(())
    }

    /// Windows that begin at these samples of recordings.
    pub(super) fn at(&self, rows: &[(usize, u64)]) -> Result<Examples> {
        let width = self.corpus.width();
        let length = |&(i, first): &(usize, u64)| (self.corpus.samples(i) - first).min(self.window as u64) as usize;
        let window = match self.fitted {
            Some(least) => rows.iter().map(length).max().unwrap_or(0).max(least),
            None => self.window,
        };
        let mut samples = vec![0.0; rows.len() * window * width];
        let read = |(row, out): (&(usize, u64), &mut [f32])| -> std::result::Result<usize, Problem> {
            let n = length(row);
            self.read(row.0, row.1, &mut out[..n * width])?;
            Ok(n)
        };
        let lengths: Vec<_> = rows.par_iter().zip(samples.par_chunks_mut(window * width)).map(read).collect();
        let lengths = lengths.into_iter().collect::<std::result::Result<Vec<usize>, Problem>>();
        let lengths = lengths.map_err(|problem| Error::BadFiles(vec![problem]))?;
        let targets = rows.iter().flat_map(|(i, _)| self.targets.row(*i)).collect();
        Ok(Examples { samples, lengths, targets, recordings: rows.iter().map(|(i, _)| *i).collect() })
    }

    /// A window of each recording, at a place drawn for the epoch.
    pub(super) fn drawn(&self, recordings: &[usize], epoch: u64) -> Result<Examples> {
        let place = |&i: &usize| {
            let room = self.corpus.samples(i).saturating_sub(self.window as u64);
            let drawn = stream(self.seed, &format!("window/{}", self.corpus.id(i)), epoch).next_u64();
            (i, if room == 0 { 0 } else { drawn % (room + 1) })
        };
        self.at(&recordings.iter().map(place).collect::<Vec<_>>())
    }

    /// The window in the middle of each recording.
    pub(super) fn middle(&self, recordings: &[usize]) -> Result<Examples> {
        let place = |&i: &usize| (i, self.corpus.samples(i).saturating_sub(self.window as u64) / 2);
        self.at(&recordings.iter().map(place).collect::<Vec<_>>())
    }

    /// The windows that a recording is cut into: side by side. The last one is shorter, and is left out if it has no frame.
    pub(super) fn parts(&self, i: usize) -> Vec<(usize, u64)> {
        let (n, window) = (self.corpus.samples(i), self.window as u64);
        let enough = |first: &u64| *first == 0 || n - first >= self.fitted.unwrap_or(1) as u64;
        (0..n.div_ceil(window).max(1)).map(|k| k * window).filter(enough).map(|first| (i, first)).collect()
    }

    /// The windows that cover a recording: side by side, the last one at its end.
    pub(super) fn covering(&self, i: usize) -> Vec<(usize, u64)> {
        let (n, window) = (self.corpus.samples(i), self.window as u64);
        let mut starts: Vec<u64> = (0..n / window).map(|k| k * window).collect();
        if n % window > 0 {
            starts.push(n.saturating_sub(window));
        }
        starts.into_iter().map(|first| (i, first)).collect()
    }
}

/// Batches among which recordings are sorted by length.
const SORTED: u64 = 8;

/// Deals the training recordings to batches, in another order in each epoch.
pub(super) struct Dealer {
    train: usize,
    batch: usize,
    /// The length of each, if recordings of about the same length share a batch.
    lengths: Option<Vec<u64>>,
    seed: u64,
    /// The position of the next batch of this process.
    pub(super) at: Position,
    /// Batches of other processes between two of this one.
    others: u64,
}

impl Dealer {
    /// The batches along `course`. Of fewer recordings than a batch, each batch has all.
    pub(super) fn new(shop: &Shop, batch: usize, seed: u64, course: Course) -> Dealer {
        let train = shop.targets.train.len();
        let length = |&i: &usize| shop.corpus.samples(i);
        let lengths = shop.fitted.map(|_| shop.targets.train.iter().map(length).collect());
        let (batch, others) = (batch.min(train.max(1)), course.share.ranks - 1);
        let mut dealer = Dealer { train, batch, lengths, seed, at: course.at, others };
        (0..course.share.rank).for_each(|_| dealer.pass());
        dealer
    }

    fn pass(&mut self) {
        self.at.batch += 1;
        if self.at.batch >= (self.train / self.batch) as u64 {
            self.at = Position { epoch: self.at.epoch + 1, batch: 0 };
        }
    }

    /// The places of the next batch's recordings in the training part, and its epoch.
    pub(super) fn next(&mut self) -> (Vec<usize>, u64) {
        let Position { epoch, batch } = self.at;
        let order = Permutation::new(self.train as u64, &mut stream(self.seed, "example order", epoch));
        let size = self.batch as u64;
        let dealt = |batches: std::ops::Range<u64>| -> Vec<usize> {
            (batches.start * size..batches.end * size).map(|i| order.at(i) as usize).collect()
        };
        let places = match &self.lengths {
            None => dealt(batch..batch + 1),
            Some(lengths) => {
                // Of some batches together, each gets recordings of about the same length, and they come in any order.
                let first = batch - batch % SORTED;
                let count = (self.train as u64 / size - first).min(SORTED);
                let mut places = dealt(first..first + count);
                places.sort_unstable_by_key(|&place| (lengths[place], place));
                let turns = Permutation::new(count, &mut stream(self.seed, &format!("batch order/{first}"), epoch));
                let at = turns.at(batch - first) as usize * self.batch;
                places[at..at + self.batch].to_vec()
            }
        };
        (0..=self.others).for_each(|_| self.pass());
        (places, epoch)
    }
}
