//! All windows of consecutive sentences, without storing any of them.
//!
//! A window has W sentences of one document. In each epoch each document is cut, starting at an offset, into as many
//! windows as fit. The offset is drawn again for every epoch, so that over the epochs every W consecutive sentences form a
//! window. Documents shorter than W have none. Only one bit per document is stored; its offset is drawn again when it is
//! needed.
//!
//! These are the windows of one length. [`WindowSet`](super::WindowSet) has those of several, for texts of short documents.

use crate::data::Permutation;
use crate::error::{Error, Result};
use crate::seed::stream;
use crate::text::tokens::Tokens;
use std::sync::Arc;

/// Number of documents whose offsets come from one random stream.
const BLOCK: u64 = 64;

/// The windows of a text, or of a part of its documents.
#[derive(Debug, Clone)]
pub struct Windows {
    tokens: Arc<Tokens>,
    window: u64,
    /// The documents that windows are cut from have fewer sentences than this.
    below: u64,
    /// The documents that windows are cut from, [`BLOCK`] bits each.
    chosen: Vec<u64>,
    documents: u64,
    sentences: u64,
    most: u64,
    least: u64,
}

/// The positions of the windows of one epoch.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Seed and epoch of the offsets; `None` for no offsets.
    chance: Option<(u64, u64)>,
    /// The number of windows before each block of documents, then the total.
    before: Vec<u64>,
}

impl Layout {
    /// The number of windows.
    pub(super) fn windows(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }
}

impl Windows {
    /// Windows of `window` sentences in all documents.
    ///
    /// # Errors
    ///
    /// `window` is 0, or longer than every document.
    pub fn new(tokens: Arc<Tokens>, window: usize) -> Result<Windows> {
        let all = Windows::choose(tokens, window as u64, u64::MAX, |_| true);
        all.check()?;
        Ok(all)
    }

    /// Training windows and validation windows of `window` sentences in the documents with fewer than `below`: a seeded `share` of these
    /// documents (rounded, at least one of two or more, unless `share` is 0) is kept for validation. Either part may have no windows.
    pub(super) fn split(
        tokens: &Arc<Tokens>,
        window: u64,
        below: u64,
        share: f64,
        (seed, draw): (u64, u64),
    ) -> (Windows, Windows) {
        let n = Windows::choose(tokens.clone(), window, below, |_| true).documents;
        let kept = if share > 0.0 && n >= 2 { ((share * n as f64).round() as u64).clamp(1, n - 1) } else { 0 };
        let order = Permutation::new(n, &mut stream(seed, "validation documents", draw));
        let valid = Windows::choose(tokens.clone(), window, below, |number| order.at(number) < kept);
        let train = Windows::choose(tokens.clone(), window, below, |number| order.at(number) >= kept);
        (train, valid)
    }

    /// Windows of the documents with fewer than `below` sentences that are selected by `wanted`, which gets the index of a document among
    /// those that have a window.
    pub(super) fn choose(tokens: Arc<Tokens>, window: u64, below: u64, wanted: impl Fn(u64) -> bool) -> Windows {
        let blocks = tokens.documents().div_ceil(BLOCK) as usize;
        let mut all =
            Windows { tokens, window, below, chosen: vec![0; blocks], documents: 0, sentences: 0, most: 0, least: 0 };
        let mut number = 0;
        for document in 0..all.tokens.documents() {
            let range = all.tokens.document(document);
            let n = range.end.saturating_sub(range.start);
            if n < window || n >= below || window == 0 {
                continue;
            }
            if wanted(number) {
                all.chosen[(document / BLOCK) as usize] |= 1 << (document % BLOCK);
                all.documents += 1;
                all.sentences += n;
                all.most += n / window;
                all.least += (n + 1 - all.choices(n)) / window;
            }
            number += 1;
        }
        all
    }

    fn check(&self) -> Result<()> {
        if self.window == 0 {
            return Err(Error::usage("a window of 0 sentences is empty", "choose at least 2"));
        }
        if self.documents > 0 {
            return Ok(());
        }
        let lengths =
            (0..self.tokens.documents()).map(|d| self.tokens.document(d)).map(|r| r.end.saturating_sub(r.start));
        let longest = lengths.max().unwrap_or(0);
        Err(Error::failed(
            format!(
                "a window of {} sentences is longer than every document: of {} documents, the longest has {longest}",
                self.window,
                self.tokens.documents()
            ),
            "choose a shorter window, or provide longer documents (a blank line ends a document)",
        ))
    }

    /// The number of offsets, from 0, at which a document of `n` sentences can be cut: all that leave it a window.
    fn choices(&self, n: u64) -> u64 {
        self.window.min(n + 1 - self.window)
    }

    /// The number of windows in an epoch without offsets; an epoch has at most this many.
    pub fn len(&self) -> u64 {
        self.most
    }

    /// Whether there are no windows: nothing was kept for validation.
    pub fn is_empty(&self) -> bool {
        self.most == 0
    }

    /// The number of windows that every epoch has at least, whatever its offsets.
    pub fn least(&self) -> u64 {
        self.least
    }

    /// Number of documents that windows are cut from.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Number of sentences in these documents.
    pub fn sentences(&self) -> u64 {
        self.sentences
    }

    /// Number of sentences per window.
    pub fn window(&self) -> usize {
        self.window as usize
    }

    /// The documents have fewer sentences than this.
    pub(super) fn below(&self) -> u64 {
        self.below
    }

    /// The text.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The positions of the windows of an epoch: with random offsets, or (without a seed) with none.
    pub(super) fn layout(&self, chance: Option<(u64, u64)>) -> Layout {
        let mut before = Vec::with_capacity(self.chosen.len() + 1);
        before.push(0);
        let mut count = 0;
        for block in 0..self.chosen.len() {
            self.each(chance, block, |_, windows| {
                count += windows;
                true
            });
            before.push(count);
        }
        Layout { chance, before }
    }

    /// The first sentence of window `number` of an epoch; 0 if there is no such window.
    pub(super) fn first(&self, layout: &Layout, number: u64) -> u64 {
        let block = layout.before.partition_point(|&before| before <= number).saturating_sub(1);
        let mut left = number.saturating_sub(layout.before.get(block).copied().unwrap_or(0));
        let mut found = 0;
        self.each(layout.chance, block, |start, windows| {
            if left < windows {
                found = start + left * self.window;
                return false;
            }
            left -= windows;
            true
        });
        found
    }

    /// Calls `go` with the first sentence used and the number of windows of each document of a block, until it returns false.
    fn each(&self, chance: Option<(u64, u64)>, block: usize, mut go: impl FnMut(u64, u64) -> bool) {
        let mut bits = self.chosen.get(block).copied().unwrap_or(0);
        let mut rng = chance.map(|(seed, epoch)| stream(seed, "sentence offsets", (epoch << 32) ^ block as u64));
        while bits != 0 {
            let range = self.tokens.document(block as u64 * BLOCK + u64::from(bits.trailing_zeros()));
            bits &= bits - 1;
            let n = range.end.saturating_sub(range.start);
            if n < self.window {
                continue;
            }
            let choices = u32::try_from(self.choices(n)).unwrap_or(u32::MAX);
            let offset = rng.as_mut().map_or(0, |rng| u64::from(rng.below(choices)));
            if !go(range.start + offset, (n - offset) / self.window) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fixtures::tokens;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The first sentences of all windows of an epoch.
    fn firsts(windows: &Windows, chance: Option<(u64, u64)>) -> Vec<u64> {
        let layout = windows.layout(chance);
        (0..layout.windows()).map(|i| windows.first(&layout, i)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_window_crosses_a_document_and_none_overlap(
            lengths in prop::collection::vec(1u64..30, 1..150), window in 1usize..12, seed: u64, epoch in 0u64..1000,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let tokens = tokens(dir.path(), &lengths);
            prop_assume!(lengths.iter().any(|n| *n >= window as u64));
            let windows = Windows::new(tokens.clone(), window).unwrap();
            let document = |s: u64| (0..tokens.documents()).find(|d| tokens.document(*d).contains(&s));
            let firsts = firsts(&windows, Some((seed, epoch)));
            prop_assert!(firsts.len() as u64 >= windows.least() && firsts.len() as u64 <= windows.len());
            for first in &firsts {
                let last = first + window as u64 - 1;
                prop_assert!(document(*first).is_some() && document(*first) == document(last), "{first}");
            }
            prop_assert!(firsts.windows(2).all(|pair| pair[1] >= pair[0] + window as u64));
            let long: u64 = lengths.iter().filter(|n| **n >= window as u64).sum();
            prop_assert_eq!(windows.sentences(), long);
        }
    }

    #[test]
    fn every_cut_comes_over_the_epochs() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens(dir.path(), &[9, 2, 10, 26, 9 * 4]);
        let windows = Windows::new(tokens.clone(), 9).unwrap();
        let mut seen = BTreeSet::new();
        (0..300).for_each(|epoch| seen.extend(firsts(&windows, Some((3, epoch)))));
        let every: BTreeSet<u64> =
            (0..5).flat_map(|d| tokens.document(d).start..(tokens.document(d).end + 1).saturating_sub(9)).collect();
        // All runs of 9 consecutive sentences of a document: 1 + 2 + 18 + 28 of them.
        assert_eq!((seen.len(), &seen), (49, &every));
        assert_eq!((windows.len(), windows.least()), (1 + 1 + 2 + 4, 1 + 1 + 2 + 3));
    }

    #[test]
    fn without_chance_documents_are_cut_from_their_beginnings() {
        let dir = tempfile::tempdir().unwrap();
        let windows = Windows::new(tokens(dir.path(), &[7, 2, 3, 6]), 3).unwrap();
        assert_eq!(firsts(&windows, None), [0, 3, 9, 12, 15]);
        assert_eq!((windows.documents(), windows.sentences()), (3, 16));
    }

    #[test]
    fn a_seeded_share_of_documents_is_kept_for_validation() {
        let dir = tempfile::tempdir().unwrap();
        let lengths: Vec<u64> = (0..200).map(|i| 2 + i % 9).collect();
        let tokens = tokens(dir.path(), &lengths);
        let split = |share, seed| Windows::split(&tokens, 4, 9, share, (seed, 0));
        let usable = lengths.iter().filter(|n| (4..9).contains(*n)).count() as u64;
        let (train, valid) = split(0.05, 7);
        assert_eq!(
            (train.documents() + valid.documents(), valid.documents()),
            (usable, (usable as f64 * 0.05).round() as u64)
        );
        let both = [firsts(&train, None), firsts(&valid, None)].concat();
        let all = firsts(&Windows::choose(tokens.clone(), 4, 9, |_| true), None);
        assert_eq!(BTreeSet::from_iter(both), BTreeSet::from_iter(all));
        assert_eq!(firsts(&split(0.05, 7).1, None), firsts(&valid, None));
        assert_ne!(firsts(&split(0.05, 8).1, None), firsts(&valid, None));
        let kept = |share| split(share, 7).1.documents();
        assert_eq!([kept(0.0), kept(1e-6), kept(1.0)], [0, 1, usable - 1]);
        assert!(split(0.0, 7).1.is_empty());
    }

    #[test]
    fn one_document_is_trained_on_and_of_two_one_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let documents = |lengths: &[u64]| {
            let (train, valid) = Windows::split(&tokens(dir.path(), lengths), 3, u64::MAX, 0.05, (1, 0));
            (train.documents(), valid.documents())
        };
        assert_eq!([documents(&[5]), documents(&[5, 1]), documents(&[5, 3])], [(1, 0), (1, 0), (1, 1)]);
    }

    #[test]
    fn a_window_longer_than_every_document_is_refused_with_both_lengths() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = tokens(dir.path(), &[5, 8, 1]);
        let error = Windows::new(tokens.clone(), 9).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a window of 9 sentences is longer than every document: of 3 documents, the longest has 8"
        );
        assert!(Windows::new(tokens.clone(), 8).is_ok());
        assert_eq!(Windows::new(tokens.clone(), 0).unwrap_err().exit_code(), 2);
        assert!(Windows::new(tokens, usize::MAX).is_err());
    }
}
