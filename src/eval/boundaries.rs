//! Boundaries of phones, found where features change.
//!
//! Between frames t - 1 and t, the change is the cosine distance of the means of the `width` frames before and after. A boundary is a peak of the
//! change whose prominence exceeds a threshold, moved by a number of frames: features may show a change early or late. Width, threshold and shift are
//! those with the best R-value on training utterances.
//!
//! A boundary is right if it is within 20 ms of a boundary of the labels. Published figures count in two ways, which differ (Strgar and Harwath 2022,
//! arXiv 2211.01461): `harsh` matches each boundary of the labels with at most one that was found, `lenient` counts every one that is near any. The
//! R-value (Räsänen et al. 2009) of recall R and precision P punishes finding too many: with os = R / P - 1, it is 1 - (sqrt((1 - R)^2 + os^2) +
//! |os - R + 1| / sqrt 2) / 2.

use crate::error::{Error, Problem, Result};
use crate::features::FeatureSet;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a boundary may be from that of the labels, in seconds.
const TOLERANCE: f64 = 0.02;

/// Numbers of frames on either side that are tried.
const WIDTHS: [usize; 6] = [1, 2, 3, 4, 6, 8];

/// Frames that boundaries are moved by that are tried.
const SHIFTS: std::ops::RangeInclusive<i32> = -4..=4;

/// Thresholds that are tried for each.
const THRESHOLDS: usize = 50;

/// What to find boundaries in.
#[derive(Debug, Clone)]
pub struct BoundaryTask {
    /// The ids of phones of each utterance.
    pub ids: HashMap<String, Vec<u32>>,
    /// Their number per second.
    pub label_rate: f64,
    /// Frames per second of features that do not say.
    pub frame_rate: Option<f64>,
    /// Utterances that width and threshold are chosen on.
    pub train: Vec<String>,
    /// Utterances that are tested.
    pub test: Vec<String>,
    /// Raised to end the work.
    pub stop: Arc<AtomicBool>,
}

/// How well boundaries are found. Shares from 0 to 1, apart from the R-value, which can be below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Found {
    /// The share of the boundaries found that are right.
    pub precision: f64,
    /// The share of the labels' boundaries that are found.
    pub recall: f64,
    /// 2 P R / (P + R).
    pub f1: f64,
    /// The R-value.
    pub r_value: f64,
}

/// How well a set of features shows boundaries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoundaryRow {
    /// Its name.
    pub features: String,
    /// Where each boundary of the labels counts once.
    pub harsh: Found,
    /// Where every boundary near one of the labels counts.
    pub lenient: Found,
    /// The frames on either side that are compared.
    pub width: usize,
    /// The least prominence of a peak.
    pub threshold: f64,
    /// Frames that peaks are moved by.
    pub shift: i32,
}

/// How well sets of features show boundaries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoundaryOutcome {
    /// Training utterances.
    pub train: usize,
    /// Test utterances.
    pub test: usize,
    /// Boundaries in the labels of these.
    pub boundaries: usize,
    /// A row for each set of features.
    pub rows: Vec<BoundaryRow>,
}

/// Counts of boundaries.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    found: usize,
    labeled: usize,
    /// Matched one to one.
    matched: usize,
    /// Found ones near any of the labels, and those of the labels near any found.
    near: [usize; 2],
}

impl Counts {
    fn and(self, other: Counts) -> Counts {
        Counts {
            found: self.found + other.found,
            labeled: self.labeled + other.labeled,
            matched: self.matched + other.matched,
            near: [self.near[0] + other.near[0], self.near[1] + other.near[1]],
        }
    }

    /// Without `near`.
    fn matched(found: &[f64], labeled: &[f64]) -> Counts {
        // Times are multiples of a frame: rounding must not decide.
        let tolerance = TOLERANCE + 1e-6;
        let (mut matched, mut next) = (0, 0);
        for at in found {
            // Both are sorted: the first that is not too early, if it is not too late, is the one to take.
            while next < labeled.len() && labeled[next] < at - tolerance {
                next += 1;
            }
            if next < labeled.len() && labeled[next] <= at + tolerance {
                matched += 1;
                next += 1;
            }
        }
        Counts { found: found.len(), labeled: labeled.len(), matched, near: [0, 0] }
    }

    fn of(found: &[f64], labeled: &[f64]) -> Counts {
        let tolerance = TOLERANCE + 1e-6;
        let near = |a: &[f64], b: &[f64]| a.iter().filter(|a| b.iter().any(|b| (*a - b).abs() <= tolerance)).count();
        Counts { near: [near(found, labeled), near(labeled, found)], ..Counts::matched(found, labeled) }
    }

    fn harsh(&self) -> Found {
        found(self.matched as f64 / self.found.max(1) as f64, self.matched as f64 / self.labeled.max(1) as f64)
    }

    fn lenient(&self) -> Found {
        found(self.near[0] as f64 / self.found.max(1) as f64, self.near[1] as f64 / self.labeled.max(1) as f64)
    }
}

fn found(precision: f64, recall: f64) -> Found {
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    let r_value = match precision > 0.0 {
        true => {
            let over = recall / precision - 1.0;
            let first = ((1.0 - recall).powi(2) + over * over).sqrt();
            let second = (recall - 1.0 - over).abs() / 2f64.sqrt();
            1.0 - (first + second) / 2.0
        }
        false => 0.0,
    };
    Found { precision, recall, f1, r_value }
}

/// The change between frames t - 1 and t, for t from 1 on; `rows` is (T, dim).
fn changes(rows: &[f32], dim: usize, width: usize) -> Vec<f64> {
    let frames = rows.len() / dim;
    let mean = |from: usize, to: usize| {
        let mut sum = vec![0.0f64; dim];
        for row in rows[from * dim..to * dim].chunks_exact(dim) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        sum
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    (1..frames)
        .map(|t| {
            let (before, after) = (mean(t.saturating_sub(width), t), mean(t, (t + width).min(frames)));
            let norm = (dot(&before, &before) * dot(&after, &after)).sqrt();
            if norm > 0.0 { 1.0 - dot(&before, &after) / norm } else { 0.0 }
        })
        .collect()
}

/// The peaks of a curve and their prominences: how far one has to go down before going up higher.
fn peaks(curve: &[f64]) -> Vec<(usize, f64)> {
    let mut out = Vec::new();
    for i in 0..curve.len() {
        let here = curve[i];
        let rises = i == 0 || curve[i - 1] < here;
        // Of equal values in a row, the first is the peak if the curve falls after them.
        let falls = curve[i..].iter().find(|v| **v != here).is_none_or(|next| *next < here);
        if !rises || !falls {
            continue;
        }
        let lowest = |side: &mut dyn Iterator<Item = &f64>| {
            let mut least = here;
            for value in side {
                if *value > here {
                    break;
                }
                least = least.min(*value);
            }
            least
        };
        let left = lowest(&mut curve[..i].iter().rev());
        let right = lowest(&mut curve[i + 1..].iter());
        out.push((i, here - left.max(right)));
    }
    out
}

/// The labels' boundaries of an utterance, in seconds.
fn labeled(ids: &[u32], rate: f64) -> Vec<f64> {
    (1..ids.len()).filter(|&i| ids[i] != ids[i - 1]).map(|i| i as f64 / rate).collect()
}

/// The peaks of an utterance with their prominences, and the boundaries of its labels in seconds.
type Curve = (Vec<(usize, f64)>, Vec<f64>);

/// Finds boundaries in sets of features, each with a name.
///
/// # Errors
/// An utterance of the lists has no features, or no labels, or labels of another length.
pub fn boundaries(task: &BoundaryTask, sets: &[(String, FeatureSet)]) -> Result<BoundaryOutcome> {
    let mut rows = Vec::new();
    let mut total = 0;
    for (features, set) in sets {
        let rate = task.frame_rate.or(set.frame_rate()).unwrap_or(100.0);
        let mut problems = Vec::new();
        for id in task.train.iter().chain(&task.test) {
            let what = match (set.find(id), task.ids.get(id)) {
                (None, _) => "has no features".into(),
                (_, None) => "has no labels".into(),
                (Some(i), Some(ids)) => {
                    let frames = set.utterances()[i].frames;
                    let expected = ids.len() as f64 / task.label_rate * rate;
                    if (expected - frames as f64).abs() <= 0.05 * expected + 2.0 {
                        continue;
                    }
                    format!("has {} labels for {frames} frames", ids.len())
                }
            };
            problems.push(Problem::new(id, what));
        }
        if !problems.is_empty() {
            return Err(Error::problems(problems, "correct the lists, the labels, or --label-rate"));
        }
        // Peaks of each utterance, by width.
        let of = |ids: &[String], width: usize| -> Result<Vec<Curve>> {
            ids.par_iter()
                .map(|id| {
                    if task.stop.load(Ordering::Relaxed) {
                        return Err(Error::Interrupted { kept: "nothing was written".into() });
                    }
                    let mut frames = Vec::new();
                    set.read(set.find(id).unwrap_or(0), &mut frames)?;
                    Ok((peaks(&changes(&frames, set.dim(), width)), labeled(&task.ids[id], task.label_rate)))
                })
                .collect()
        };
        type Count = fn(&[f64], &[f64]) -> Counts;
        let count = |utterances: &[Curve], threshold: f64, shift: i32, count: Count| {
            let one = |(peaks, labeled): &Curve| {
                let high = peaks.iter().filter(|(_, prominence)| *prominence >= threshold);
                // The first change is that before frame 1.
                let times: Vec<f64> = high.map(|(i, _)| (*i as f64 + 1.0 + f64::from(shift)) / rate).collect();
                count(&times, labeled)
            };
            utterances.par_iter().map(one).reduce(Counts::default, Counts::and)
        };
        let mut best: Option<(f64, usize, f64, i32)> = None;
        for width in WIDTHS {
            let utterances = of(&task.train, width)?;
            let mut prominences: Vec<f64> =
                utterances.iter().flat_map(|(peaks, _)| peaks.iter().map(|p| p.1)).collect();
            prominences.sort_by(f64::total_cmp);
            for step in 0..THRESHOLDS {
                let Some(&threshold) = prominences.get(step * prominences.len() / THRESHOLDS) else { continue };
                for shift in SHIFTS {
                    let r_value = count(&utterances, threshold, shift, Counts::matched).harsh().r_value;
                    if best.is_none_or(|(most, ..)| r_value > most) {
                        best = Some((r_value, width, threshold, shift));
                    }
                }
            }
        }
        let Some((_, width, threshold, shift)) = best else {
            return Err(Error::failed(
                format!("{features}: the training utterances show no changes"),
                "name longer utterances in --train",
            ));
        };
        let counts = count(&of(&task.test, width)?, threshold, shift, Counts::of);
        total = counts.labeled;
        let (harsh, lenient, features) = (counts.harsh(), counts.lenient(), features.clone());
        rows.push(BoundaryRow { features, harsh, lenient, width, threshold, shift });
    }
    Ok(BoundaryOutcome { train: task.train.len(), test: task.test.len(), boundaries: total, rows })
}

impl fmt::Display for BoundaryOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.features.chars().count()).max().unwrap_or(0).max(8);
        writeln!(
            f,
            "{:<width$}  {:<8}  {:>9}  {:>9}  {:>9}  {:>9}  {:>5}  {:>5}",
            "features", "counted", "precision", "recall", "F1", "R-value", "width", "shift"
        )?;
        for row in &self.rows {
            for (name, found) in [("harsh", row.harsh), ("lenient", row.lenient)] {
                let [p, r, f1, value] = [found.precision, found.recall, found.f1, found.r_value].map(|x| 100.0 * x);
                writeln!(
                    f,
                    "{:<width$}  {name:<8}  {p:>7.2} %  {r:>7.2} %  {f1:>7.2} %  {value:>9.2}  {:>5}  {:>5}",
                    row.features, row.width, row.shift
                )?;
            }
        }
        writeln!(
            f,
            "\n{} boundaries in {} test utterances, within 20 ms; width, shift (in frames) and threshold chosen on {} others\n\
             harsh: each boundary of the labels counts once; lenient: all that are near one count",
            self.boundaries, self.test, self.train
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::NpyWriter;

    #[test]
    fn peaks_and_prominences_are_scipys() {
        // scipy.signal.find_peaks(x, prominence=0) and its prominences; the ends count here.
        let curve = [0.0, 2.0, 1.0, 3.0, 0.5, 1.0, 1.0, 0.8, 4.0, 0.0];
        let found = peaks(&curve);
        assert_eq!(found.iter().map(|p| p.0).collect::<Vec<_>>(), [1, 3, 5, 8]);
        let want = [1.0, 2.5, 0.2, 4.0];
        assert!(found.iter().zip(want).all(|((_, p), want)| (p - want).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn boundaries_count_once_or_as_often_as_they_are_near() {
        let counts = Counts::of(&[0.10, 0.11, 0.50], &[0.12, 0.30, 0.49, 0.50]);
        let (harsh, lenient) = (counts.harsh(), counts.lenient());
        assert_eq!((harsh.precision, harsh.recall), (2.0 / 3.0, 0.5));
        assert_eq!((lenient.precision, lenient.recall), (1.0, 0.75));
        // R = .5, P = 2/3: os = -.25.
        let want = 1.0 - ((0.25f64 + 0.0625).sqrt() + 0.25 / 2f64.sqrt()) / 2.0;
        assert!((harsh.r_value - want).abs() < 1e-12);
        assert_eq!(found(1.0, 1.0).r_value, 1.0);
        assert_eq!(Counts::of(&[], &[0.1]).harsh().r_value, 0.0);
    }

    #[test]
    fn changes_of_features_are_boundaries() {
        let dir = tempfile::tempdir().unwrap();
        let mut random = crate::seed::stream(1, "boundaries", 0);
        let mut ids = HashMap::new();
        for u in 0..6 {
            let phones: Vec<u32> = (0..100u32).map(|t| (t / 10 + u) % 7).collect();
            let mut out = NpyWriter::create(&dir.path().join(format!("u{u}.npy")), 8).unwrap();
            for phone in &phones {
                let row: Vec<f32> =
                    (0..8).map(|j| if j == *phone { 1.0 } else { 0.0 } + 0.05 * random.normal()).collect();
                out.write(&row).unwrap();
            }
            out.finish().unwrap();
            ids.insert(format!("u{u}"), phones);
        }
        let names = |of: std::ops::Range<u32>| of.map(|u| format!("u{u}")).collect::<Vec<_>>();
        let (train, test) = (names(0..3), names(3..6));
        let task = BoundaryTask { ids, label_rate: 100.0, frame_rate: Some(100.0), train, test, stop: Arc::default() };
        let sets = vec![("a".to_string(), FeatureSet::open(dir.path(), None).unwrap())];
        let outcome = boundaries(&task, &sets).unwrap();
        assert_eq!(outcome.boundaries, 27);
        assert!(outcome.rows[0].harsh.r_value > 0.9, "{outcome}");
        let task = BoundaryTask { label_rate: 50.0, test: names(3..7), ..task };
        let error = boundaries(&task, &sets).unwrap_err().to_string();
        assert!(
            error.contains("u0: has 100 labels for 100 frames") && error.contains("u6: has no features"),
            "{error}"
        );
    }
}
