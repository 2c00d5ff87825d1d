//! Batches of windows in a random order that is a function of the position, and the batches to validate on.

use crate::data::{Permutation, Position};
use crate::error::{Error, Result};
use crate::seed::stream;
use crate::text::batch::TextBatch;
use crate::text::windows::{Layout, Windows};
use std::sync::Arc;

/// Returns batches in order, endlessly. Batch i of epoch e is a pure function of (seed, e, i).
#[derive(Debug)]
pub struct TextLoader {
    windows: Arc<Windows>,
    batch: u64,
    seed: u64,
    at: Position,
    layout: Layout,
    order: Permutation,
}

impl TextLoader {
    /// Batches of `batch` windows, starting at position `at`. Windows left over at the end of an epoch are too few for a batch
    /// and are dropped.
    ///
    /// # Errors
    ///
    /// `batch` is 0, or some epoch may have no batch.
    pub fn new(windows: Arc<Windows>, batch: usize, seed: u64, at: Position) -> Result<TextLoader> {
        let least = windows.least();
        if batch == 0 {
            return Err(Error::usage("a batch of 0 windows is empty", "choose a train.batch_size of at least 2"));
        }
        if least < batch as u64 {
            return Err(Error::failed(
                format!(
                    "there may be no batch: {} documents have {least} windows of {} sentences, or a few more, and a batch needs {batch}",
                    windows.documents(),
                    windows.window()
                ),
                format!("choose a train.batch_size of at most {least} or a shorter window, or provide more text"),
            ));
        }
        let (layout, order) = epoch(&windows, seed, at.epoch);
        let mut loader = TextLoader { windows, batch: batch as u64, seed, at, layout, order };
        loader.turn();
        Ok(loader)
    }

    /// Returns the next batch.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> TextBatch {
        let first = self.at.batch * self.batch;
        let numbers = (first..first + self.batch).map(|place| self.order.at(place));
        let batch = TextBatch::read(&self.windows, &self.layout, numbers);
        self.at.batch += 1;
        self.turn();
        batch
    }

    /// The position of the batch that [`TextLoader::next`] returns next.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The number of batches of the epoch that [`TextLoader::position`] is in.
    pub fn batches(&self) -> u64 {
        self.layout.windows() / self.batch
    }

    /// Moves to the next epoch if this one is at its end. Every epoch has enough windows for at least one batch.
    fn turn(&mut self) {
        if self.at.batch >= self.batches() {
            self.at = Position { epoch: self.at.epoch + 1, batch: 0 };
            (self.layout, self.order) = epoch(&self.windows, self.seed, self.at.epoch);
        }
    }
}

/// The positions of the windows of an epoch, and their order.
fn epoch(windows: &Windows, seed: u64, epoch: u64) -> (Layout, Permutation) {
    let layout = windows.layout(Some((seed, epoch)));
    let order = Permutation::new(layout.windows(), &mut stream(seed, "sentence windows", epoch));
    (layout, order)
}

/// The batches a model is validated on; see [`validation_batches`].
#[derive(Debug)]
pub struct TextValidation {
    windows: Arc<Windows>,
    layout: Layout,
    count: u64,
    batch: u64,
    done: u64,
}

/// The validation batches: at most `most_windows` windows, spread evenly over the text, without offset, in order, and the
/// same in every call. All batches have `batch` windows, so that their losses can be compared. Only if there are fewer
/// than `batch` windows in total, they form one smaller batch. Without windows there is no batch.
pub fn validation_batches(windows: Arc<Windows>, batch: usize, most_windows: usize) -> TextValidation {
    let layout = windows.layout(None);
    let batch = batch.max(1) as u64;
    let mut count = layout.windows().min(most_windows as u64);
    if count > batch {
        count -= count % batch;
    }
    TextValidation { windows, layout, count, batch, done: 0 }
}

impl TextValidation {
    /// The number of windows in all batches together.
    pub fn windows(&self) -> u64 {
        self.count
    }
}

impl Iterator for TextValidation {
    type Item = TextBatch;

    fn next(&mut self) -> Option<TextBatch> {
        let end = self.count.min(self.done + self.batch);
        if self.done >= end {
            return None;
        }
        let total = u128::from(self.layout.windows());
        let chosen = |number: u64| (u128::from(number) * total / u128::from(self.count)) as u64;
        let batch = TextBatch::read(&self.windows, &self.layout, (self.done..end).map(chosen));
        self.done = end;
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fixtures::tokens;
    use std::collections::HashSet;

    fn windows(dir: &std::path::Path, window: usize) -> Arc<Windows> {
        let lengths: Vec<u64> = (0..90).map(|i| 3 + (7 * i) % 23).collect();
        Arc::new(Windows::new(tokens(dir, &lengths), window).unwrap())
    }

    #[test]
    fn a_loader_that_starts_in_the_middle_gives_what_one_from_the_beginning_gives() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 4);
        let mut loader = TextLoader::new(windows.clone(), 16, 9, Position::default()).unwrap();
        let (mut positions, mut batches) = (vec![loader.position()], Vec::new());
        for _ in 0..60 {
            batches.push(loader.next());
            positions.push(loader.position());
        }
        assert!(positions[60].epoch >= 3, "{:?}", positions[60]);
        for (k, at) in positions.iter().enumerate().take(60) {
            let mut other = TextLoader::new(windows.clone(), 16, 9, *at).unwrap();
            assert_eq!(other.position(), *at);
            assert!(other.next() == batches[k] && other.position() == positions[k + 1], "{k}");
        }
        let mut other = TextLoader::new(windows, 16, 10, Position::default()).unwrap();
        assert_ne!(other.next(), batches[0]);
    }

    #[test]
    fn an_epoch_has_no_window_twice_and_only_whole_batches() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 4);
        let mut loader = TextLoader::new(windows.clone(), 16, 1, Position::default()).unwrap();
        let (mut seen, mut count) = (HashSet::new(), 0);
        let batches = loader.batches();
        while loader.position().epoch == 0 {
            let batch = loader.next();
            assert_eq!((batch.rows, batch.offsets.len(), batch.sources.len()), (16, 65, 16));
            seen.extend(batch.sources);
            count += 1;
        }
        assert_eq!((count, seen.len() as u64), (batches, 16 * batches));
        assert!(batches * 16 <= windows.len() && (batches + 1) * 16 > windows.least());
    }

    #[test]
    fn every_sentence_is_covered_over_the_epochs() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 4);
        let mut loader = TextLoader::new(windows.clone(), 16, 5, Position::default()).unwrap();
        let mut seen = HashSet::new();
        while loader.position().epoch < 60 {
            seen.extend(loader.next().sources.iter().flat_map(|first| *first..first + 4));
        }
        assert_eq!(seen.len() as u64, windows.sentences());
    }

    #[test]
    fn the_ids_of_a_batch_are_those_of_its_sentences() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 4);
        let batch = TextLoader::new(windows, 8, 2, Position::default()).unwrap().next();
        assert_eq!(batch.offsets.last().copied(), Some(batch.ids.len() as u32));
        for row in 0..8 {
            for at in 0..4 {
                // The fixture's sentence i begins with token i + 1 and has 1 to 3 tokens.
                let number = batch.sources[row] as usize + at + 1;
                let ids = batch.sentence(row, at);
                assert_eq!((ids[0] as usize, ids.len()), (number, 1 + number % 3));
            }
        }
        assert!(batch.sentence(0, 4).is_empty() && batch.sentence(8, 0).is_empty());
    }

    #[test]
    fn too_few_windows_for_a_batch_are_refused_with_what_to_change() {
        let dir = tempfile::tempdir().unwrap();
        // Three documents of 2 windows each; an offset costs one of the two.
        let windows = Arc::new(Windows::new(tokens(dir.path(), &[8, 8, 8]), 4).unwrap());
        let new = |batch| TextLoader::new(windows.clone(), batch, 1, Position::default());
        assert!(new(3).is_ok());
        let error = new(4).unwrap_err();
        assert!(error.to_string().starts_with("there may be no batch: 3 documents have 3 windows of 4 sentences"));
        assert!(error.remedy().contains("train.batch_size of at most 3"), "{}", error.remedy());
        assert_eq!(new(0).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_position_behind_the_end_of_its_epoch_is_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = Position { epoch: 2, batch: u64::MAX };
        let loader = TextLoader::new(windows(dir.path(), 4), 16, 1, at).unwrap();
        assert_eq!(loader.position(), Position { epoch: 3, batch: 0 });
    }

    #[test]
    fn validation_is_the_same_at_every_call_and_spread_over_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 4);
        let all = |batch, most| validation_batches(windows.clone(), batch, most).collect::<Vec<_>>();
        let first = all(8, 50);
        assert_eq!(first, all(8, 50));
        assert_eq!(first.iter().map(|b| b.rows).collect::<Vec<_>>(), [8; 6]);
        let sources: Vec<u64> = first.iter().flat_map(|b| b.sources.clone()).collect();
        assert!(sources.is_sorted() && *sources.last().unwrap() > windows.sentences() * 9 / 10);
        assert_eq!(all(8, 5).iter().map(|b| b.rows).collect::<Vec<_>>(), [5]);
        let total = windows.len() as usize;
        assert_eq!(all(1, usize::MAX).len(), total);
        assert_eq!(validation_batches(windows.clone(), total, 9999).windows(), total as u64);
        assert!(all(8, 0).is_empty());
    }
}
