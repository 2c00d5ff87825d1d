//! What a user is told about a corpus before it is used.

use crate::observer::Observer;
use crate::recordings::Corpus;

/// Remarks that are told before the rest is only counted.
const TOLD: usize = 5;

/// Warns of what is not used, and of recordings that are not read as their headers say.
pub(super) fn remark(corpus: &Corpus, observer: &dyn Observer) {
    corpus.unused.warnings().iter().for_each(|warning| observer.warning(warning));
    corpus.remarks.iter().take(TOLD).for_each(|remark| observer.warning(&remark.to_string()));
    if let more @ 1.. = corpus.remarks.len().saturating_sub(TOLD) {
        observer.warning(&format!("{more} more such recordings; `cpc info` lists them"));
    }
}

/// Recordings that are looked at for silence before training.
const LOOKED_AT: usize = 100;

/// Warns of recordings in which nothing happens: nothing can be learned from them.
pub(super) fn silence(corpus: &Corpus, observer: &dyn Observer) {
    let constant = corpus.constant(LOOKED_AT);
    if let Some(first) = constant.first() {
        observer.warning(&format!(
            "{} of {} recordings that were looked at cannot be learned from: {first}; `cpc info` lists all",
            constant.len(),
            corpus.utterances.len().min(LOOKED_AT),
        ));
    }
}
