//! Windows of sentences that are learned from together.

use crate::seed::Stream;
use crate::text::windows::{Layout, Windows};

/// Sentences as token ids, end to end, without padding.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TextBatch {
    /// The number of windows.
    pub rows: usize,
    /// Sentences in a window.
    pub window: usize,
    /// The ids of all sentences, window after window.
    pub ids: Vec<u32>,
    /// Where each sentence begins in `ids`, and at last their number: (rows * window + 1).
    pub offsets: Vec<u32>,
    /// The number of each window's first sentence in the text, from 0.
    pub sources: Vec<u64>,
}

impl TextBatch {
    /// The windows of these numbers.
    pub(super) fn read(windows: &Windows, layout: &Layout, numbers: impl Iterator<Item = u64>) -> TextBatch {
        let mut batch = TextBatch { window: windows.window(), offsets: vec![0], ..TextBatch::default() };
        for number in numbers {
            let first = windows.first(layout, number);
            for sentence in first..first + batch.window as u64 {
                batch.ids.extend_from_slice(windows.tokens().sentence(sentence));
                batch.offsets.push(batch.ids.len() as u32);
            }
            batch.sources.push(first);
            batch.rows += 1;
        }
        batch
    }

    /// The batch with each token dropped with probability `share`; a sentence that would lose all its tokens keeps one.
    pub fn thinned(&self, share: f64, stream: &mut Stream) -> TextBatch {
        let mut thin = TextBatch { ids: Vec::with_capacity(self.ids.len()), offsets: vec![0], ..self.clone() };
        for pair in self.offsets.windows(2) {
            let (sentence, before) = (&self.ids[pair[0] as usize..pair[1] as usize], thin.ids.len());
            thin.ids.extend(sentence.iter().filter(|_| f64::from(stream.unit()) >= share));
            if thin.ids.len() == before {
                thin.ids.extend(sentence.get(stream.below(sentence.len() as u32) as usize));
            }
            thin.offsets.push(thin.ids.len() as u32);
        }
        thin
    }

    /// The ids of sentence `at` of window `row`; empty if there is no such sentence.
    pub fn sentence(&self, row: usize, at: usize) -> &[u32] {
        let i = row * self.window + at;
        match (self.offsets.get(i), self.offsets.get(i + 1)) {
            (Some(&start), Some(&end)) if at < self.window => self.ids.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn tokens_are_left_out_with_their_probability_and_no_sentence_is_emptied() {
        let offsets: Vec<u32> = (0..=1000).map(|i| if i < 500 { i } else { 500 + (i - 500) * 20 }).collect();
        let ids: Vec<u32> = (0..offsets[1000]).collect();
        let batch = TextBatch { rows: 200, window: 5, ids, offsets, sources: vec![] };
        let thin = batch.thinned(0.3, &mut stream(1, "tokens", 0));
        assert_eq!((thin.rows, thin.window, thin.offsets.len()), (200, 5, 1001));
        for (was, is) in batch.offsets.windows(2).zip(thin.offsets.windows(2)) {
            let kept = &thin.ids[is[0] as usize..is[1] as usize];
            assert!(!kept.is_empty() && kept.is_sorted() && kept.iter().all(|id| (was[0]..was[1]).contains(id)));
        }
        let share = 1.0 - (thin.ids.len() - 500) as f64 / 10_000.0;
        assert!((share - 0.3).abs() < 0.02, "{share}");
        assert_eq!(batch.thinned(0.0, &mut stream(1, "tokens", 0)), batch);
    }
}
