//! Windows of several lengths: what a text of long and of short documents is learned from.
//!
//! Most windows have W sentences. Documents that are too short for one are cut into windows of half as many, or a quarter, and so on down to
//! two sentences: a pair of sentences is the least that a prediction can be made in. A batch has windows of one length, more of them the
//! shorter they are, so that all batches have about as many sentences. A length with too few windows for a batch is not used; its documents
//! are cut into the next shorter windows.

use crate::error::{Error, Result};
use crate::text::tokens::Tokens;
use crate::text::windows::Windows;
use std::fmt;
use std::sync::Arc;

/// The windows of a text, or of a part of its documents; the `Display` is a line for the user.
#[derive(Debug, Clone)]
pub struct WindowSet {
    /// Windows of each length, the longest first, and how many of them are in a batch.
    parts: Vec<(Windows, u64)>,
}

impl WindowSet {
    /// Training windows and validation windows. A batch has `batch` windows of `window` sentences, or as many sentences in shorter ones. Of
    /// the documents of each length, a seeded `share` is kept for validation (rounded, at least one of two or more, unless `share` is 0).
    /// The validation part may have no windows.
    ///
    /// # Errors
    /// A size is 0, or there is no batch for training.
    pub fn split(
        tokens: &Arc<Tokens>,
        window: usize,
        batch: usize,
        share: f64,
        seed: u64,
    ) -> Result<(WindowSet, WindowSet)> {
        if batch == 0 {
            return Err(Error::usage("a batch of 0 windows is empty", "choose a train.batch_size of at least 2"));
        }
        let (mut train, mut valid) = (Vec::new(), Vec::new());
        let (mut below, mut length, mut draw) = (u64::MAX, window as u64, 0);
        loop {
            let rows = (batch * window) as u64 / length.max(1);
            let (learned, held) = Windows::split(tokens, length, below, share, (seed, draw));
            if learned.least() >= rows && rows > 0 {
                train.push((learned, rows));
                valid.push((held, rows));
                below = length;
            }
            if length <= 2 {
                break;
            }
            (length, draw) = ((length / 2).max(2), draw + 1);
        }
        if train.is_empty() {
            Windows::new(tokens.clone(), window)?;
            let (learned, _) = Windows::split(tokens, window as u64, u64::MAX, share, (seed, 0));
            let least = learned.least();
            return Err(Error::failed(
                format!(
                    "there may be no batch: {} documents have {least} windows of {window} sentences, or a few more, and a batch needs {batch}",
                    learned.documents(),
                ),
                format!("choose a train.batch_size of at most {least} or a shorter window, or provide more text"),
            ));
        }
        Ok((WindowSet { parts: train }, WindowSet { parts: valid }))
    }

    /// Windows of the same lengths in all documents of another text.
    ///
    /// # Errors
    /// All of these lengths are longer than every document.
    pub fn of(&self, tokens: &Arc<Tokens>) -> Result<WindowSet> {
        let alike = |like: &Windows| Windows::choose(tokens.clone(), like.window() as u64, like.below(), |_| true);
        let set = WindowSet { parts: self.parts.iter().map(|(like, rows)| (alike(like), *rows)).collect() };
        if let (true, Some((shortest, _))) = (set.is_empty(), self.parts.last()) {
            Windows::new(tokens.clone(), shortest.window())?;
        }
        Ok(set)
    }

    /// The windows of each length, the longest first, and how many of them are in a batch.
    pub(super) fn parts(&self) -> &[(Windows, u64)] {
        &self.parts
    }

    /// The number of windows in an epoch without offsets; an epoch has at most this many.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|(windows, _)| windows.len()).sum()
    }

    /// Whether there are no windows: nothing was kept for validation.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of sentences of the documents that windows are cut from.
    pub fn sentences(&self) -> u64 {
        self.parts.iter().map(|(windows, _)| windows.sentences()).sum()
    }

    /// Number of these documents.
    pub fn documents(&self) -> u64 {
        self.parts.iter().map(|(windows, _)| windows.documents()).sum()
    }
}

impl fmt::Display for WindowSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (windows, _)) in self.parts.iter().enumerate() {
            match i {
                0 => write!(f, "{} windows of {} sentences", windows.len(), windows.window())?,
                _ => write!(f, ", {} of {}", windows.len(), windows.window())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fixtures::tokens;

    /// The lengths in use, the windows in a batch, and the documents.
    fn cut(lengths: &[u64], window: usize, batch: usize) -> Result<Vec<(usize, u64, u64)>> {
        let dir = tempfile::tempdir().unwrap();
        let (set, _) = WindowSet::split(&tokens(dir.path(), lengths), window, batch, 0.0, 1)?;
        Ok(set.parts().iter().map(|(w, rows)| (w.window(), *rows, w.documents())).collect())
    }

    #[test]
    fn short_documents_have_short_windows_and_batches_have_as_many_sentences() {
        let documents = [vec![9; 10], vec![5; 20], vec![3; 40], vec![1; 7]].concat();
        assert_eq!(cut(&documents, 9, 8).unwrap(), [(9, 8, 10), (4, 18, 20), (2, 36, 40)]);
        // Too few windows of 9 for a batch, so their documents are cut into windows of 4: each has one or two, at the offset's mercy.
        assert_eq!(cut(&documents, 9, 12).unwrap(), [(4, 27, 30)]);
        // A text of long documents has windows of one length.
        assert_eq!(cut(&[9, 18, 27], 9, 2).unwrap(), [(9, 2, 3)]);
        assert_eq!(cut(&[3, 3, 2, 2, 2], 3, 2).unwrap(), [(3, 2, 2), (2, 3, 3)]);
        assert_eq!(cut(&[2, 2, 2], 2, 2).unwrap(), [(2, 2, 3)]);
    }

    #[test]
    fn a_text_without_a_batch_is_refused_with_what_to_change() {
        let error = cut(&[8, 8], 4, 20).unwrap_err();
        assert!(
            error.to_string().starts_with("there may be no batch: 2 documents have 2 windows of 4 sentences"),
            "{error}"
        );
        assert!(error.remedy().contains("train.batch_size of at most 2"), "{}", error.remedy());
        assert_eq!(cut(&[8], 4, 0).unwrap_err().exit_code(), 2);
        assert_eq!(cut(&[8], 0, 4).unwrap_err().exit_code(), 2);
        let error = cut(&[5, 8, 1], 9, 64).unwrap_err().to_string();
        assert!(error.starts_with("a window of 9 sentences is longer than every document: of 3 documents"), "{error}");
    }

    #[test]
    fn another_text_is_cut_alike_and_what_is_cut_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let documents = [vec![9; 10], vec![3; 40]].concat();
        let (set, held) = WindowSet::split(&tokens(dir.path(), &documents), 9, 8, 0.1, 1).unwrap();
        assert_eq!(set.to_string(), "9 windows of 9 sentences, 36 of 2");
        assert_eq!((set.documents(), held.documents(), held.len()), (45, 5, 5));
        let other = set.of(&tokens(dir.path(), &[30, 8, 1])).unwrap();
        assert_eq!(other.to_string(), "3 windows of 9 sentences, 4 of 2");
        let error = set.of(&tokens(dir.path(), &[1, 1, 1])).unwrap_err().to_string();
        assert!(error.starts_with("a window of 2 sentences is longer than every document: of 3 documents"), "{error}");
    }
}
