//! ABX discriminability: whether a sound is closer to another of its kind than to one of another kind.
//!
//! Of three segments of speech, A and X are the same phone and B is another one. The features fail on the triple if
//!
//! ```text
//! d(X, A) > d(X, B)        error = share of triples that fail, those with equal distances counting half
//! ```
//!
//! d is the cost of dynamic time warping divided by the length of its path. A, B and X have the same neighboring phones (their context)
//! unless contexts are pooled. A and B are spoken by one speaker, X by the same speaker (within) or by another (across). Chance level is
//! 50 %. Source: Schatz et al. 2013, "Evaluating speech features with the minimal-pair ABX task". The error is computed as in CPC_audio
//! and Libri-light, with one difference, in sub-sampling: here a group is sampled once for all the triples it is part of, there again
//! for each cell.
//!
//! *Triples* is the number of ordered triples of items (A, B, X) that entered the error: with n items of phone a and m of phone b by a
//! speaker in a context, n (n - 1) m within; with k items of phone a by another speaker, n m k across.
//!
//! The steps are: [`items`](ItemFile) -> [`Slicing`] to frames -> the frames in memory -> pairs of items compared, one context and two
//! speakers at a time -> averages. Apart from the frames, memory does not grow with the size of a context.

mod distance;
mod dtw;
mod items;
mod score;
mod segments;
mod slicing;
mod tile;

pub use distance::Distance;
pub use items::{Item, ItemFile};
pub use slicing::{Decimal, Slicing};

use crate::config::from_word;
use crate::error::{Error, Result};
use crate::features::FeatureSet;
use segments::Segments;
use serde::{Deserialize, Serialize};

/// Who speaks X.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The speaker of A and B
    Within,
    /// A speaker other than that of A and B
    Across,
}

from_word!(Mode);

/// Which items are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemContext {
    /// Items with the same neighbors (the ABX of ZeroSpeech and Libri-light)
    Triphone,
    /// Items with any neighbors, for item files of single phones (`--context_mode any` of ZeroSpeech's zrc-abx2)
    Any,
}

from_word!(ItemContext);

/// What is left out to save time; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sampling {
    /// At most so many items of a phone by a speaker in a context.
    pub max_group: Option<usize>,
    /// At most so many other speakers' X for the A of a phone by a speaker in a context.
    pub max_x_across: Option<usize>,
    /// What decides which.
    #[serde(skip)]
    pub seed: u64,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct AbxConfig {
    /// Within speakers, across speakers, or both.
    pub modes: Vec<Mode>,
    /// One or more distances between frames.
    pub distances: Vec<Distance>,
    /// Whether contexts are pooled.
    pub context: ItemContext,
    /// Which frames belong to an item.
    pub slicing: Slicing,
    /// Frames per second; if `None`, the rate stored with the features.
    pub frame_rate: Option<f64>,
    /// Sub-sampling.
    pub sampling: Sampling,
}

impl Default for AbxConfig {
    /// Within and across, angular, triphones, Libri-light's slicing, no sub-sampling.
    fn default() -> Self {
        AbxConfig {
            modes: vec![Mode::Within, Mode::Across],
            distances: vec![Distance::Angular],
            context: ItemContext::Triphone,
            slicing: Slicing::LibriLight,
            frame_rate: None,
            sampling: Sampling::default(),
        }
    }
}

/// The error of one ordered pair of phones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbxPair {
    /// The phone of A and X.
    pub a: String,
    /// The phone of B.
    pub b: String,
    /// The error, from 0 to 1.
    pub error: f64,
    /// Number of triples.
    pub triples: u64,
}

/// The error for one mode and one distance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AbxRow {
    /// Who speaks X.
    pub mode: Mode,
    /// The distance between frames.
    pub distance: Distance,
    /// The error, from 0 to 1; `None` if there are no triples.
    pub error: Option<f64>,
    /// Number of triples.
    pub triples: u64,
    /// Every ordered pair of phones that has triples, sorted by name.
    pub pairs: Vec<AbxPair>,
}

/// The result.
#[derive(Debug, Clone, PartialEq)]
pub struct AbxReport {
    /// Frames per second.
    pub frame_rate: f64,
    /// Number of items that have frames.
    pub items: usize,
    /// Number of items that are too short to have a frame, and so were skipped.
    pub too_short: usize,
    /// One row for each mode and distance.
    pub rows: Vec<AbxRow>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// The frame rate to use: the requested one, or the one stored with the features; if both are given they must agree.
fn frame_rate(asked: Option<f64>, known: Option<f64>) -> Result<Decimal> {
    if let Some(rate) = asked.filter(|&rate| !(rate > 0.0 && rate <= 1e6)) {
        let remedy = "give the number of feature vectors per second, such as 100 for a hop of 10 ms";
        return Err(Error::usage(format!("--frame-rate {rate}: is not a valid number of frames per second"), remedy));
    }
    let rate = match (asked, known) {
        (None, None) => {
            return Err(Error::usage(
                "the frame rate of the features is not known: they have no index.json that contains it",
                "give it with --frame-rate HZ: 100 for cpc's own features and for a hop of 10 ms, 50 for HuBERT's",
            ));
        }
        // Rates are often given rounded, such as 86.13.
        (Some(asked), Some(known)) if (asked - known).abs() > 1e-3 * known => {
            return Err(Error::usage(
                format!("--frame-rate {asked}: the index.json of the features says {known}"),
                "omit --frame-rate, or repair index.json",
            ));
        }
        (Some(rate), _) | (None, Some(rate)) => rate,
    };
    Decimal::from_f64(rate).filter(|r| r.value() > 0.0).ok_or_else(|| {
        Error::usage(format!("{rate} is not a valid number of frames per second"), "give it with --frame-rate HZ")
    })
}

/// The ABX error of `features` on `items`; `progress(mode, distance, share done)` is called from time to time, from any thread.
///
/// # Errors
/// The frame rate is not known or contradicted (usage); the features do not fit the items; there are no triples. For errors of the item
/// file itself see [`ItemFile::read`].
pub fn abx(
    features: &FeatureSet,
    items: &ItemFile,
    config: &AbxConfig,
    progress: &(dyn Fn(Mode, Distance, f64) + Sync),
) -> Result<AbxReport> {
    let rate = frame_rate(config.frame_rate, features.frame_rate())?;
    if config.distances.iter().any(|distance| distance.of_units() != features.is_units()) {
        let (these, others) = match features.is_units() {
            true => ("units", "identical or edit"),
            false => ("features", "angular or euclidean"),
        };
        return Err(Error::usage(
            format!("{}: are {these}", features.path().display()),
            format!("take --distance {others}"),
        ));
    }
    let segments = Segments::load(features, items, config.slicing, rate)?;
    let mut warnings = Vec::new();
    if segments.too_short > 0 {
        warnings.push(format!(
            "{} of {} items are shorter than a frame with this slicing and were skipped",
            segments.too_short,
            items.items.len()
        ));
    }
    if segments.reach < 0.6 && items.utterances.len() >= 5 {
        warnings.push(format!(
            "the items end after {:.0} % of the features: is {} the right frame rate?",
            100.0 * segments.reach,
            rate.value()
        ));
    }
    let pooled = config.context == ItemContext::Any;
    let mut rows: Vec<AbxRow> = Vec::new();
    for &distance in &config.distances {
        for &mode in &config.modes {
            let share = |done: f64| progress(mode, distance, done);
            let scored = score::score(&segments, mode, distance, pooled, &config.sampling, &share)?;
            let mean = scored.iter().map(|p| p.error).sum::<f64>() / scored.len() as f64;
            let name = |phone: u32| items.phones[phone as usize].clone();
            let mut pairs: Vec<AbxPair> = scored
                .iter()
                .map(|p| AbxPair { a: name(p.a), b: name(p.b), error: p.error, triples: p.triples })
                .collect();
            pairs.sort_by(|x, y| (&x.a, &x.b).cmp(&(&y.a, &y.b)));
            rows.push(AbxRow {
                mode,
                distance,
                error: (!pairs.is_empty()).then_some(mean),
                triples: pairs.iter().map(|p| p.triples).sum(),
                pairs,
            });
        }
    }
    let wanting = |mode: Mode| match mode {
        Mode::Within => "within: no speaker has one phone twice and another phone in the same context",
        Mode::Across => {
            "across: no two speakers share a phone in a context in which one of them also has another phone"
        }
    };
    let empty = |row: &&AbxRow| row.triples == 0 && config.distances.first() == Some(&row.distance);
    let reasons: Vec<&str> = rows.iter().filter(empty).map(|row| wanting(row.mode)).collect();
    if rows.iter().all(|row| row.triples == 0) {
        let what = format!("{}: has no triple ({})", items.path.display(), reasons.join("; "));
        let remedy = match (config.context, items.speakers.len()) {
            (_, 1) if !config.modes.contains(&Mode::Within) => "it has one speaker: take --mode within",
            (ItemContext::Triphone, _) => {
                "take --context any to compare items of all contexts, or an item file with more items"
            }
            (ItemContext::Any, _) => "take an item file with more items",
        };
        return Err(Error::failed(what, remedy));
    }
    warnings.extend(reasons.iter().map(|reason| format!("no triple {reason}")));
    Ok(AbxReport {
        frame_rate: rate.value(),
        items: segments.items.len(),
        too_short: segments.too_short,
        rows,
        warnings,
    })
}
