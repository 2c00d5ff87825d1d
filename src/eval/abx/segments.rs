//! The frames of every item: read once, scaled to length 1, and held in memory while the score is computed.
//!
//! For each utterance named by an item, the frames from its first item to its last are kept as 32-bit floats: dim x 4 bytes per frame,
//! or 2 GB for the 5.4 hours of LibriSpeech's dev-clean at 100 frames per second and 256 dimensions.

use crate::error::{Error, Problem, Result};
use crate::eval::abx::distance::Frames;
use crate::eval::abx::items::ItemFile;
use crate::eval::abx::slicing::{Decimal, Slicing};
use crate::features::FeatureSet;
use rayon::prelude::*;

/// An item that has frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    utterance: u32,
    /// Its first frame, counted from the first frame that is kept.
    first: u32,
    pub frames: u32,
    pub phone: u32,
    pub context: u32,
    pub speaker: u32,
}

/// All items that have frames, in the order of the item file, and their frames.
#[derive(Debug)]
pub(super) struct Segments {
    pub dim: usize,
    pub items: Vec<Segment>,
    utterances: Vec<Frames>,
    /// Number of items that are too short to have a frame.
    pub too_short: usize,
    /// The share of the utterances' frames that lie before the end of their last items.
    pub reach: f64,
}

/// The frames of an utterance that an item file needs.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// The utterance's index in the feature set.
    index: usize,
    frames: usize,
    first: usize,
    end: usize,
}

/// Number of frames by which an item may extend beyond the end of the features: a model without padding at the end gives one frame fewer.
const TOLERANCE: i64 = 1;

impl Segments {
    /// Reads the frames of all items.
    ///
    /// # Errors
    /// Utterances that the features lack, items that end more than one frame after the features, and features that cannot be read or are
    /// not finite; all of these are reported together.
    pub fn load(features: &FeatureSet, items: &ItemFile, slicing: Slicing, rate: Decimal) -> Result<Segments> {
        let place = |line: u32| format!("{}:{line}", items.path.display());
        let mut problems = Vec::new();
        // The first line that names an utterance; the line of the first item beyond its end, the farthest frame, and the number of such
        // items.
        let mut named = vec![0u32; items.utterances.len()];
        let mut behind = vec![(0u32, 0i64, 0usize); items.utterances.len()];
        let find = |name: &String| {
            let index = features.find(name)?;
            Some(Span { index, frames: features.utterances().get(index)?.frames, first: usize::MAX, end: 0 })
        };
        let mut spans: Vec<Option<Span>> = items.utterances.iter().map(find).collect();
        let (mut kept, mut too_short) = (Vec::with_capacity(items.items.len()), 0);
        for item in &items.items {
            let at = item.utterance as usize;
            if named[at] == 0 {
                named[at] = item.line;
            }
            let Some(span) = spans[at].as_mut() else { continue };
            let (start, end) = slicing.frames(item.onset, item.offset, rate);
            if end > span.frames as i64 + TOLERANCE {
                let (line, far, count) = &mut behind[at];
                (*line, *count) = (if *count == 0 { item.line } else { *line }, *count + 1);
                *far = end.max(*far);
                continue;
            }
            let (start, end) = (start.max(0) as usize, (end.max(0) as usize).min(span.frames));
            if start >= end {
                too_short += 1;
                continue;
            }
            (span.first, span.end) = (span.first.min(start), span.end.max(end));
            kept.push(Segment {
                utterance: item.utterance,
                first: start as u32,
                frames: (end - start) as u32,
                phone: item.phone,
                context: item.context,
                speaker: item.speaker,
            });
        }
        for (at, name) in items.utterances.iter().enumerate() {
            let (line, far, count) = behind[at];
            if let Some(span) = &spans[at]
                && count > 0
            {
                let more = if count > 1 { format!(" ({count} such items in all)") } else { String::new() };
                let what = format!(
                    "`{name}` has {} frames, but at {} frames per second its items reach to frame {far}{more}",
                    span.frames,
                    rate.value()
                );
                problems.push(Problem::new(place(line), what));
            } else if spans[at].is_none() {
                problems.push(Problem::new(place(named[at]), format!("the features have no utterance `{name}`")));
            }
        }
        let dim = features.dim();
        let read = |scratch: &mut Vec<f32>, span: &Option<Span>| -> Result<Frames> {
            let mut frames = Frames::default();
            if let Some(span) = span.filter(|s| s.first < s.end) {
                features.read(span.index, scratch)?;
                let rows = scratch.get(span.first * dim..span.end * dim).ok_or_else(|| {
                    let id = &features.utterances()[span.index].id;
                    Error::failed(format!("`{id}` has fewer frames than its header says"), "extract the features again")
                })?;
                frames.unit.reserve_exact(rows.len());
                match features.is_units() {
                    true => frames.push_units(rows),
                    false => frames.push(rows, dim),
                }
            }
            Ok(frames)
        };
        let frames: Vec<Result<Frames>> = spans.par_iter().map_init(Vec::new, read).collect();
        let mut utterances = Vec::with_capacity(frames.len());
        for (frames, name) in frames.into_iter().zip(&items.utterances) {
            match frames {
                Ok(frames) => utterances.push(frames),
                Err(Error::BadFiles(more)) => problems.extend(more),
                Err(error) => problems.push(Problem::new(name, error)),
            }
        }
        if !problems.is_empty() {
            let remedy = format!(
                "give the features of the recordings that {} describes, and their frame rate (--frame-rate, here {})",
                items.path.display(),
                rate.value()
            );
            return Err(Error::problems(problems, remedy));
        }
        for segment in &mut kept {
            if let Some(span) = &spans[segment.utterance as usize] {
                segment.first -= span.first as u32;
            }
        }
        let (reached, of) = spans.iter().flatten().fold((0, 0), |(r, o), span| (r + span.end, o + span.frames));
        Ok(Segments { dim, items: kept, utterances, too_short, reach: reached as f64 / (of as f64).max(1.0) })
    }

    /// Appends the frames of item `i` to `to`.
    #[inline]
    pub fn copy(&self, i: usize, to: &mut Frames) {
        let item = &self.items[i];
        let (first, frames) = (item.first as usize, item.frames as usize);
        to.copy(&self.utterances[item.utterance as usize], first, first + frames, self.dim);
    }
}
