//! The information that features carry about labels, and about features some frames later.
//!
//! Frames are drawn from all utterances, in order, and reduced to principal components. A function of the features cannot carry more
//! information than the features do, so a lower bound remains a lower bound. Folds are runs of consecutive frames
//! ([`Protocol::blocked`](crate::mi::neural::Protocol)), so that hardly any utterance is in two folds.

use crate::error::{Error, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::pca::coordinates;
use crate::features::FeatureSet;
use crate::mi::samples::Samples;
use crate::mi::variable::Variable;

/// The frames drawn: for each one the utterance's index in both sets, and t.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn(Vec<(usize, usize)>);

impl Drawn {
    /// About `wanted` frames, spread evenly over all utterances of `set`. None is among the last `ahead` frames of an utterance.
    ///
    /// # Errors
    /// No utterance is longer than `ahead` frames.
    pub fn evenly(set: &FeatureSet, ahead: usize, wanted: usize) -> Result<Drawn> {
        let usable = |frames: usize| frames.saturating_sub(ahead);
        let total: usize = set.utterances().iter().map(|u| usable(u.frames)).sum();
        let every = total.div_ceil(wanted.max(1)).max(1);
        let mut at = 0;
        let mut drawn = Vec::new();
        for (i, utterance) in set.utterances().iter().enumerate() {
            let frames = usable(utterance.frames);
            // Every `every`-th of the usable frames of all utterances, concatenated.
            drawn.extend((0..frames).filter(|t| (at + t) % every == 0).map(|t| (i, t)));
            at += frames;
        }
        if drawn.len() < 100 {
            let what = format!("{}: {} frames are too few", set.path().display(), drawn.len());
            return Err(Error::failed(what, "give more recordings, or a smaller --steps"));
        }
        Ok(Drawn(drawn))
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Always false: there are at least 100 frames.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The features of `set`, `ahead` frames after the drawn frames, projected onto `components` principal components (n, components).
    ///
    /// # Errors
    /// The set does not have the same utterances, or they cannot be read.
    pub fn features(&self, set: &FeatureSet, ahead: usize, components: usize) -> Result<Samples> {
        let (mut rows, mut frames, mut open) = (Vec::new(), Vec::new(), usize::MAX);
        let dim = set.dim();
        for &(utterance, t) in &self.0 {
            if utterance != open {
                set.read(utterance, &mut frames)?;
                open = utterance;
            }
            let row = frames.get((t + ahead) * dim..(t + ahead + 1) * dim).ok_or_else(|| {
                let what = format!("{}: its utterances differ from those of the other layer", set.path().display());
                Error::failed(what, "extract both layers together: `cpc extract MODEL DATA --layer c,z`")
            })?;
            rows.extend_from_slice(row);
        }
        let reduced = coordinates(&rows, dim, components);
        Samples::new(reduced.into_iter().map(f64::from).collect(), components.min(dim))
    }

    /// The labels of the frames. A frame beyond the labels of its utterance gets the last label.
    ///
    /// # Errors
    /// An utterance has no label.
    pub fn labels(&self, set: &FeatureSet, labels: &Labels) -> Result<Variable> {
        let mut texts = Vec::with_capacity(self.len());
        for &(utterance, t) in &self.0 {
            let utterance = &set.utterances()[utterance];
            let text = match labels {
                Labels::Speakers => utterance.speaker.clone(),
                Labels::Utterances { labels, .. } => labels.get(&utterance.id).cloned(),
                Labels::Frames { ids, .. } => {
                    ids.get(&utterance.id).and_then(|ids| ids.get(t).or(ids.last())).map(u32::to_string)
                }
            };
            texts.push(text.ok_or_else(|| {
                let what = format!("{}: {} has no label", labels.name(), utterance.id);
                Error::failed(what, "give labels for all utterances")
            })?);
        }
        let column = crate::mi::discrete::Column::new("label", &texts);
        Ok(Variable::Labels(column.codes, column.variable.values))
    }
}
