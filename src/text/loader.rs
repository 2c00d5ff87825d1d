//! Batches of windows in a random order that is a function of the position, and the batches to validate on.

use crate::data::{Course, Permutation, Position};
use crate::group::Share;
use crate::seed::stream;
use crate::text::batch::TextBatch;
use crate::text::window_set::WindowSet;
use crate::text::windows::Layout;
use std::sync::Arc;

/// Returns batches in order, endlessly. Batch i of epoch e is a pure function of (seed, e, i).
#[derive(Debug)]
pub struct TextLoader {
    set: Arc<WindowSet>,
    seed: u64,
    at: Position,
    epoch: Epoch,
    share: Share,
}

impl TextLoader {
    /// Batches of windows of one length each, along `course`. Windows of a length that are left over at the end of an epoch are
    /// too few for a batch and are dropped.
    pub fn new(set: Arc<WindowSet>, seed: u64, course: impl Into<Course>) -> TextLoader {
        let Course { at, share } = course.into();
        let epoch = Epoch::new(&set, seed, at.epoch);
        let mut loader = TextLoader { set, seed, at, epoch, share };
        loader.turn();
        loader.pass(share.rank);
        loader
    }

    /// Returns the next batch.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> TextBatch {
        let batch = self.epoch.batch(&self.set, self.at.batch);
        self.pass(self.share.ranks);
        batch
    }

    /// Passes over `n` batches.
    fn pass(&mut self, n: u64) {
        for _ in 0..n {
            self.at.batch += 1;
            self.turn();
        }
    }

    /// The position of the batch that [`TextLoader::next`] returns next.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The number of batches of the epoch that [`TextLoader::position`] is in.
    pub fn batches(&self) -> u64 {
        self.epoch.batches
    }

    /// Moves to the next epoch if this one is at its end. Every epoch has enough windows for at least one batch.
    fn turn(&mut self) {
        if self.at.batch >= self.batches() {
            self.at = Position { epoch: self.at.epoch + 1, batch: 0 };
            self.epoch = Epoch::new(&self.set, self.seed, self.at.epoch);
        }
    }
}

/// The order of an epoch.
#[derive(Debug)]
struct Epoch {
    /// For each length of windows: their positions, their order, and the number of their batches.
    parts: Vec<(Layout, Permutation, u64)>,
    /// The order of the batches of all lengths.
    order: Permutation,
    batches: u64,
}

impl Epoch {
    fn new(set: &WindowSet, seed: u64, epoch: u64) -> Epoch {
        let parts = set.parts().iter().enumerate().map(|(i, (windows, rows))| {
            // The index of a stream holds the length's rank beside the epoch; the longest windows have rank 0.
            let index = epoch | (i as u64) << 24;
            let layout = windows.layout(Some((seed, index)));
            let order = Permutation::new(layout.windows(), &mut stream(seed, "sentence windows", index));
            let batches = layout.windows() / rows;
            (layout, order, batches)
        });
        let parts: Vec<_> = parts.collect();
        let batches = parts.iter().map(|(_, _, batches)| batches).sum();
        let order = Permutation::new(batches, &mut stream(seed, "lengths of windows", epoch));
        Epoch { parts, order, batches }
    }

    /// Batch `i` of the epoch; an empty one behind its end.
    fn batch(&self, set: &WindowSet, i: u64) -> TextBatch {
        // Batches of one length are in a random order already.
        let mut left = if self.parts.len() == 1 { i } else { self.order.at(i) };
        for ((windows, rows), (layout, order, batches)) in set.parts().iter().zip(&self.parts) {
            if left < *batches {
                let numbers = (left * rows..(left + 1) * rows).map(|place| order.at(place));
                return TextBatch::read(windows, layout, numbers);
            }
            left -= batches;
        }
        TextBatch::default()
    }
}

/// The batches a model is validated on; see [`validation_batches`].
#[derive(Debug)]
pub struct TextValidation {
    set: Arc<WindowSet>,
    /// For each length of windows: their positions, and how many of them are used.
    parts: Vec<(Layout, u64)>,
    part: usize,
    done: u64,
    index: u64,
    share: Share,
}

/// The validation batches: windows with together at most `most_sentences` sentences, spread evenly over the text, without offset, in order, and
/// the same in every call. All batches of windows of one length are equally large, so that their losses can be compared. Only if there are
/// fewer windows of a length than in a batch, they form one smaller batch. Without windows there is no batch. Of these batches, those in
/// `share`.
pub fn validation_batches(set: Arc<WindowSet>, most_sentences: usize, share: Share) -> TextValidation {
    let layouts: Vec<Layout> = set.parts().iter().map(|(windows, _)| windows.layout(None)).collect();
    let lengths = set.parts().iter().map(|(windows, _)| windows.window() as u128);
    let total: u128 = lengths.zip(&layouts).map(|(length, layout)| length * u128::from(layout.windows())).sum();
    let part = |n: u64| (u128::from(n) * total.min(most_sentences as u128) / total.max(1)) as u64;
    let parts = layouts.into_iter().zip(set.parts()).map(|(layout, (_, rows))| {
        let count = part(layout.windows());
        (layout, if count > *rows { count - count % rows } else { count })
    });
    let parts = parts.collect();
    TextValidation { set, parts, part: 0, done: 0, index: 0, share }
}

impl TextValidation {
    /// The number of windows in all batches together.
    pub fn windows(&self) -> u64 {
        self.parts.iter().map(|(_, count)| count).sum()
    }
}

impl Iterator for TextValidation {
    type Item = TextBatch;

    fn next(&mut self) -> Option<TextBatch> {
        loop {
            let (layout, count) = self.parts.get(self.part)?;
            let (windows, rows) = self.set.parts().get(self.part)?;
            let end = (*count).min(self.done + rows);
            if self.done < end {
                let numbers = self.done..end;
                let mine = self.share.has(self.index);
                (self.done, self.index) = (end, self.index + 1);
                if mine {
                    let total = u128::from(layout.windows());
                    let chosen = |number: u64| (u128::from(number) * total / u128::from(*count)) as u64;
                    return Some(TextBatch::read(windows, layout, numbers.map(chosen)));
                }
                continue;
            }
            (self.part, self.done) = (self.part + 1, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fixtures::tokens;
    use std::collections::HashSet;

    /// All windows of a text whose documents have 4 sentences or more, or, if `short`, some of them one to three.
    fn windows(dir: &std::path::Path, batch: usize, short: bool) -> Arc<WindowSet> {
        let lengths: Vec<u64> = (0..90).map(|i| if short { 1 } else { 4 } + (7 * i) % 23).collect();
        Arc::new(WindowSet::split(&tokens(dir, &lengths), 4, batch, 0.0, 1).unwrap().0)
    }

    #[test]
    fn a_loader_that_starts_in_the_middle_gives_what_one_from_the_beginning_gives() {
        for short in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let windows = windows(dir.path(), 3, short);
            let mut loader = TextLoader::new(windows.clone(), 9, Position::default());
            let (mut positions, mut batches) = (vec![loader.position()], Vec::new());
            for _ in 0..300 {
                batches.push(loader.next());
                positions.push(loader.position());
            }
            assert!(positions[300].epoch >= 3, "{:?}", positions[300]);
            for (k, at) in positions.iter().enumerate().take(300).step_by(5) {
                let mut other = TextLoader::new(windows.clone(), 9, *at);
                assert_eq!(other.position(), *at);
                assert!(other.next() == batches[k] && other.position() == positions[k + 1], "{k}");
            }
            let mut other = TextLoader::new(windows, 10, Position::default());
            assert_ne!(other.next(), batches[0]);
            let lengths: HashSet<usize> = batches.iter().map(|batch| batch.window).collect();
            assert_eq!(lengths, if short { HashSet::from([4, 2]) } else { HashSet::from([4]) });
        }
    }

    #[test]
    fn an_epoch_has_no_window_twice_and_only_whole_batches() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 16, false);
        let mut loader = TextLoader::new(windows.clone(), 1, Position::default());
        let (mut seen, mut count) = (HashSet::new(), 0);
        let batches = loader.batches();
        while loader.position().epoch == 0 {
            let batch = loader.next();
            assert_eq!((batch.rows, batch.offsets.len(), batch.sources.len()), (16, 65, 16));
            seen.extend(batch.sources);
            count += 1;
        }
        assert_eq!((count, seen.len() as u64), (batches, 16 * batches));
        assert!(batches * 16 <= windows.len() && (batches + 1) * 16 > windows.parts()[0].0.least());
    }

    #[test]
    fn every_sentence_is_covered_over_the_epochs() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 3, true);
        let mut loader = TextLoader::new(windows.clone(), 5, Position::default());
        let mut seen = HashSet::new();
        while loader.position().epoch < 80 {
            let batch = loader.next();
            assert_eq!(batch.rows * batch.window, 12);
            seen.extend(batch.sources.iter().flat_map(|first| *first..first + batch.window as u64));
        }
        // All but the documents of one sentence.
        let usable: u64 = windows.parts().iter().map(|(part, _)| part.sentences()).sum();
        assert_eq!((windows.parts().len(), seen.len() as u64), (2, usable));
    }

    #[test]
    fn the_ids_of_a_batch_are_those_of_its_sentences() {
        let dir = tempfile::tempdir().unwrap();
        let batch = TextLoader::new(windows(dir.path(), 8, false), 2, Position::default()).next();
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
    fn a_position_behind_the_end_of_its_epoch_is_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = Position { epoch: 2, batch: u64::MAX };
        let loader = TextLoader::new(windows(dir.path(), 16, false), 1, at);
        assert_eq!(loader.position(), Position { epoch: 3, batch: 0 });
    }

    #[test]
    fn validation_is_the_same_at_every_call_and_spread_over_the_text() {
        let dir = tempfile::tempdir().unwrap();
        let all =
            |batch, most| validation_batches(windows(dir.path(), batch, false), most, Share::ALL).collect::<Vec<_>>();
        let first = all(8, 4 * 50);
        assert_eq!(first, all(8, 4 * 50));
        assert_eq!(first.iter().map(|b| b.rows).collect::<Vec<_>>(), [8; 6]);
        let sources: Vec<u64> = first.iter().flat_map(|b| b.sources.clone()).collect();
        let windows = windows(dir.path(), 8, false);
        let sentences = windows.parts()[0].0.sentences();
        assert!(sources.is_sorted() && *sources.last().unwrap() > sentences * 9 / 10);
        assert_eq!(all(8, 4 * 5).iter().map(|b| b.rows).collect::<Vec<_>>(), [5]);
        assert_eq!(all(1, usize::MAX).len() as u64, windows.len());
        assert!(all(8, 0).is_empty());
    }

    #[test]
    fn validation_has_its_share_of_every_length() {
        let dir = tempfile::tempdir().unwrap();
        let windows = windows(dir.path(), 2, true);
        let [(long, _), (short, _)] = windows.parts() else { panic!("two lengths") };
        let (half, batches) =
            ((4 * long.len() + 2 * short.len()) / 2, |most| validation_batches(windows.clone(), most, Share::ALL));
        let of =
            |length: usize| batches(half as usize).filter(|b| b.window == length).map(|b| b.rows as u64).sum::<u64>();
        assert_eq!([of(4), of(2)], [long.len() / 2 / 2 * 2, short.len() / 2 / 4 * 4]);
        assert_eq!(batches(half as usize).windows(), of(4) + of(2));
    }
}
