//! The windows to train and validate on.

use crate::config::OnBadFile;
use crate::error::Result;
use crate::observer::Observer;
use crate::recordings::split::Unit;
use crate::recordings::{Corpus, Medium, RecordingsConfig, Sound, Windows};
use std::path::Path;
use std::sync::Arc;

/// The data to train and validate on.
pub struct Datasets<M: Medium = Sound> {
    /// The windows to train on.
    pub train: Windows<M>,
    /// The windows to validate on, if there are any.
    pub valid: Option<Windows<M>>,
    /// The amount of training data.
    pub amount: Amount,
}

/// The amount of training data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    /// The length of all utterances.
    pub hours: f64,
    /// The number of utterances.
    pub utterances: usize,
    /// The number of speakers, or of subjects.
    pub speakers: usize,
}

impl<M: Medium> Datasets<M> {
    /// Divides a corpus into windows to train and to validate on, and tells the observer what is in them. What shares a `unit` stays together.
    /// `of` is the word for what the corpus has many of, such as `utterances`.
    ///
    /// # Errors
    /// A list names what is not in the corpus, or no window is left to train on.
    pub fn of(
        corpus: Corpus<M>,
        cfg: &RecordingsConfig,
        unit: Unit<M>,
        seed: u64,
        of: &str,
        observer: &dyn Observer,
    ) -> Result<Self> {
        for problem in &corpus.problems {
            observer.warning(&format!("left out: {problem}"));
        }
        if cfg.on_bad_file == OnBadFile::Skip && !corpus.problems.is_empty() {
            observer.warning(&format!("{} files are left out", corpus.problems.len()));
        }
        let list = |name: &str| (!name.is_empty()).then(|| Path::new(name).to_path_buf());
        let (train_list, valid_list) = (list(&cfg.train), list(&cfg.valid));
        let (train, valid) = corpus.split(train_list.as_deref(), valid_list.as_deref(), cfg.valid_share, unit, seed)?;
        let held = valid.utterances.len();
        let amount = Amount {
            hours: train.seconds() / 3600.0,
            utterances: train.utterances.len(),
            speakers: train.speakers.len(),
        };
        let train = Windows::new(Arc::new(train), cfg)?;
        observer.note(&format!("training on {} windows; {}", train.len(), train.dropped()));
        let valid = if held == 0 {
            observer.note(&format!("no validation: no {of} are held out; model/ will be the model of the last step"));
            None
        } else {
            match Windows::new(Arc::new(valid), cfg) {
                Ok(valid) => {
                    observer.note(&format!(
                        "validating on {} of {} windows from {held} {of}",
                        valid.len().min(cfg.valid_windows as u64),
                        valid.len()
                    ));
                    Some(valid)
                }
                Err(e) if valid_list.is_some() => return Err(e),
                Err(_) => {
                    observer.warning(&format!(
                        "no validation: the {held} held-out {of} are shorter than a window; name longer ones with --valid"
                    ));
                    None
                }
            }
        };
        Ok(Datasets { train, valid, amount })
    }
}
