//! Windows of sentences that are learned from together.

use super::windows::{Layout, Windows};

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

    /// The ids of sentence `at` of window `row`; none if there is no such sentence.
    pub fn sentence(&self, row: usize, at: usize) -> &[u32] {
        let i = row * self.window + at;
        match (self.offsets.get(i), self.offsets.get(i + 1)) {
            (Some(&start), Some(&end)) if at < self.window => self.ids.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}
