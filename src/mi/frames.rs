//! How much features say: of labels, and of themselves some frames later.
//!
//! Frames are drawn from all utterances, in their order, and reduced to principal components: what is computed from features cannot know more than they
//! do, so a lower bound stays one. Folds are runs of frames ([`Protocol::blocked`](super::neural::Protocol)), so that hardly any utterance is in two.

use super::samples::Samples;
use super::variable::Variable;
use crate::error::{Error, Result};
use crate::eval::probe::labels::Labels;
use crate::eval::probe::pca::coordinates;
use crate::features::FeatureSet;

/// Frames that were drawn: for each the utterance's place in both sets, and t.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn(Vec<(usize, usize)>);

impl Drawn {
    /// About `wanted` frames, evenly over all utterances of `set`, none of them among an utterance's last `ahead`.
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
            // Every so many frames of all utterances laid end to end.
            drawn.extend((0..frames).filter(|t| (at + t) % every == 0).map(|t| (i, t)));
            at += frames;
        }
        if drawn.len() < 100 {
            let what = format!("{}: {} frames are too few", set.path().display(), drawn.len());
            return Err(Error::failed(what, "give more recordings, or fewer --steps"));
        }
        Ok(Drawn(drawn))
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: there are a hundred at least.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The features of `set`, `ahead` frames after those that were drawn, along `components` principal components (n, components).
    ///
    /// # Errors
    /// The set has not the same utterances, or they cannot be read.
    pub fn features(&self, set: &FeatureSet, ahead: usize, components: usize) -> Result<Samples> {
        let (mut rows, mut frames, mut open) = (Vec::new(), Vec::new(), usize::MAX);
        let dim = set.dim();
        for &(utterance, t) in &self.0 {
            if utterance != open {
                set.read(utterance, &mut frames)?;
                open = utterance;
            }
            let row = frames.get((t + ahead) * dim..(t + ahead + 1) * dim).ok_or_else(|| {
                let what = format!("{}: its utterances are not those of the other layer", set.path().display());
                Error::failed(what, "extract both layers together: `cpc extract MODEL DATA --layer c,z`")
            })?;
            rows.extend_from_slice(row);
        }
        let reduced = coordinates(&rows, dim, components);
        Samples::new(reduced.into_iter().map(f64::from).collect(), components.min(dim))
    }

    /// The labels of the frames; frames beyond their utterance's labels take the last.
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
                Error::failed(what, "give labels of all utterances")
            })?);
        }
        let column = super::discrete::Column::new("label", &texts);
        Ok(Variable::Labels(column.codes, column.variable.values))
    }
}
