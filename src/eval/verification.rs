//! Speaker verification: whether two recordings are of the same speaker, by the cosine of their vectors.
//!
//! A trial names two recordings. Its score is the cosine of the means of their frames; with linear discriminant analysis (LDA), of the projections of
//! these. The equal error rate is the rate at which as many trials of the same speaker are missed as trials of different ones are accepted; between
//! two thresholds it is interpolated. minDCF is the least detection cost over thresholds (NIST SRE: both costs 1), divided by that of always
//! deciding the same.

use crate::error::{Error, Problem, Result};
use crate::eval::probe::bootstrap::interval_of;
use crate::features::FeatureSet;
use nalgebra::{DMatrix, SymmetricEigen};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

/// The share of trials of the same speaker that minDCF assumes.
const PRIORS: [f64; 2] = [0.01, 0.05];

/// How often trials are resampled.
const DRAWS: u64 = 200;

/// Of the within-class scatter, this share of its mean diagonal is added to the diagonal, so that it can be inverted.
const SHRINKAGE: f64 = 1e-2;

/// Two recordings, and whether they are of one speaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Whether they are.
    pub target: bool,
    /// The recordings, as the file names them.
    pub pair: [String; 2],
}

/// What to project vectors by, before their cosine.
#[derive(Debug, Clone, PartialEq)]
pub struct LdaTask {
    /// The number of dimensions that are kept.
    pub dims: usize,
    /// The recordings that it is fitted on, by their speakers.
    pub train: Vec<String>,
}

/// What sets of features are worth for verification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerificationOutcome {
    /// The number of trials of the same speaker, and of different ones.
    pub trials: [usize; 2],
    /// A row for each set of features.
    pub rows: Vec<VerificationRow>,
}

/// What a set of features is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerificationRow {
    /// Its name.
    pub features: String,
    /// Values of a vector.
    pub dim: usize,
    /// The equal error rate, from 0 to 1.
    pub eer: f64,
    /// Its 95 % interval, by bootstrap over trials.
    pub ci95: Option<[f64; 2]>,
    /// minDCF where one of a hundred trials is of the same speaker, and where five are.
    pub min_dcf: [f64; 2],
}

/// Reads trials: lines of `1 a b` or `0 a b` (VoxCeleb), or of `a b target` or `a b nontarget` (Kaldi).
///
/// # Errors
/// The file cannot be read; lines of another form, each named; no trials of the same speaker, or none of different ones.
pub fn read_trials(path: &Path) -> Result<Vec<Trial>> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let (mut trials, mut problems) = (Vec::new(), Vec::new());
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let trial = |target: bool, a: &str, b: &str| Trial { target, pair: [a.into(), b.into()] };
        trials.push(match fields[..] {
            ["1", a, b] => trial(true, a, b),
            ["0", a, b] => trial(false, a, b),
            [a, b, "target"] => trial(true, a, b),
            [a, b, "nontarget"] => trial(false, a, b),
            _ => {
                problems.push(Problem::new(format!("{} line {}", path.display(), n + 1), "is no trial"));
                continue;
            }
        });
    }
    if !problems.is_empty() {
        return Err(Error::problems(problems, "a trial is `1 a b` or `0 a b`, or `a b target` or `a b nontarget`"));
    }
    let targets = trials.iter().filter(|trial| trial.target).count();
    if targets == 0 || targets == trials.len() {
        let what = if targets == 0 { "of the same speaker" } else { "of different speakers" };
        return Err(Error::failed(format!("{}: has no trials {what}", path.display()), "give trials of both kinds"));
    }
    Ok(trials)
}

/// Scores trials by sets of features, each with a name.
///
/// # Errors
/// A trial names a recording that is not among the features, or that has no frames; LDA cannot be fitted.
pub fn verify(
    trials: &[Trial],
    lda: Option<&LdaTask>,
    sets: &[(String, FeatureSet)],
    seed: u64,
) -> Result<VerificationOutcome> {
    let targets = trials.iter().filter(|trial| trial.target).count();
    let mut rows = Vec::new();
    for (features, set) in sets {
        let mut vectors = Vectors::new(set);
        let projection = lda.map(|lda| vectors.lda(lda)).transpose()?;
        let (mut scores, mut unknown) = (Vec::new(), BTreeMap::<&String, &str>::new());
        for trial in trials {
            let mut pair = Vec::new();
            for name in &trial.pair {
                match vectors.of(name)? {
                    Some(vector) => pair.push(project(&vector, projection.as_ref())),
                    None => {
                        unknown.insert(name, "is not among the features");
                    }
                }
            }
            if let [a, b] = &pair[..] {
                scores.push((cosine(a, b), trial.target));
            }
        }
        if !unknown.is_empty() {
            let problems = unknown.into_iter().map(|(name, what)| Problem::new(name, what)).collect();
            return Err(Error::problems(problems, "name recordings by their ids, or by paths that end in them"));
        }
        let of = |which: &[usize]| equal_error_rate(&which.iter().map(|&i| scores[i]).collect::<Vec<_>>());
        let all: Vec<usize> = (0..scores.len()).collect();
        let ci95 = interval_of(scores.len(), DRAWS, "verification/bootstrap", seed, of);
        rows.push(VerificationRow {
            features: features.clone(),
            dim: projection.as_ref().map_or(set.dim(), |p| p.1.nrows()),
            eer: of(&all).unwrap_or(f64::NAN),
            ci95,
            min_dcf: PRIORS.map(|prior| min_dcf(&scores, prior)),
        });
    }
    Ok(VerificationOutcome { trials: [targets, trials.len() - targets], rows })
}

/// The mean, and a matrix (L, D).
type Projection = (Vec<f64>, DMatrix<f64>);

/// The means of the frames of recordings, read once each.
struct Vectors<'a> {
    set: &'a FeatureSet,
    known: HashMap<usize, Vec<f64>>,
    /// Recordings by the end of their names.
    stems: HashMap<String, Option<usize>>,
}

/// A name without its ending.
fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !ending.contains('/') && !stem.is_empty() => stem,
        _ => name,
    }
}

impl<'a> Vectors<'a> {
    fn new(set: &'a FeatureSet) -> Self {
        let mut stems: HashMap<String, Option<usize>> = HashMap::new();
        for (i, utterance) in set.utterances().iter().enumerate() {
            let stem = utterance.id.rsplit('/').next().unwrap_or(&utterance.id).to_string();
            // Two of one name are called by their paths.
            stems.entry(stem).and_modify(|known| *known = None).or_insert(Some(i));
        }
        Vectors { set, known: HashMap::new(), stems }
    }

    /// The place of a recording: by its id, its path, or the end of its path.
    fn find(&self, name: &str) -> Option<usize> {
        let whole = without_ending(name);
        let last = whole.rsplit('/').next().unwrap_or(whole);
        let ends = |long: &str, short: &str| long == short || long.ends_with(&format!("/{short}"));
        let near = |&i: &usize| {
            let id = &self.set.utterances()[i].id;
            ends(whole, id) || ends(id, whole)
        };
        let exact = [name, whole].iter().find_map(|name| self.set.find(name));
        exact.or_else(|| self.stems.get(last).copied().flatten().filter(near))
    }

    fn of(&mut self, name: &str) -> Result<Option<Vec<f64>>> {
        let Some(i) = self.find(name) else { return Ok(None) };
        if let Some(vector) = self.known.get(&i) {
            return Ok(Some(vector.clone()));
        }
        let (mut rows, dim) = (Vec::new(), self.set.dim());
        self.set.read(i, &mut rows)?;
        if rows.is_empty() {
            return Err(Error::bad_file(&self.set.utterances()[i].id, "has no frames"));
        }
        let mut mean = vec![0.0; dim];
        for row in rows.chunks_exact(dim) {
            mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let n = (rows.len() / dim) as f64;
        mean.iter_mut().for_each(|sum| *sum /= n);
        self.known.insert(i, mean.clone());
        Ok(Some(mean))
    }

    /// Linear discriminant analysis (Fisher 1936): the directions in which speakers differ most, as measured by how recordings of one speaker do.
    fn lda(&mut self, task: &LdaTask) -> Result<Projection> {
        let dim = self.set.dim();
        let mut by_speaker: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
        let mut unknown = Vec::new();
        for name in &task.train {
            let Some(vector) = self.of(name)? else {
                unknown.push(Problem::new(name, "is not among the features"));
                continue;
            };
            let speaker = self.find(name).and_then(|i| self.set.utterances()[i].speaker.clone()).unwrap_or_default();
            by_speaker.entry(speaker).or_default().push(vector);
        }
        if !unknown.is_empty() {
            return Err(Error::problems(unknown, "name recordings of the data in --train"));
        }
        let most = dim.min(by_speaker.len().saturating_sub(1));
        if task.dims == 0 || task.dims > most {
            return Err(Error::usage(
                format!("--lda {}: {} speakers in vectors of {dim} leave at most {most}", task.dims, by_speaker.len()),
                "choose fewer dimensions, or name recordings of more speakers in --train",
            ));
        }
        let n = by_speaker.values().map(Vec::len).sum::<usize>() as f64;
        let mean_of = |vectors: &mut dyn Iterator<Item = &Vec<f64>>| {
            let (mut sum, mut n) = (vec![0.0; dim], 0.0);
            for vector in vectors {
                sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
                n += 1.0;
            }
            sum.into_iter().map(|sum| sum / n).collect::<Vec<f64>>()
        };
        let mean = mean_of(&mut by_speaker.values().flatten());
        let (mut within, mut between) = (DMatrix::<f64>::zeros(dim, dim), DMatrix::<f64>::zeros(dim, dim));
        for vectors in by_speaker.values() {
            let own = mean_of(&mut vectors.iter());
            let add = |to: &mut DMatrix<f64>, a: &[f64], b: &[f64], weight: f64| {
                let away = nalgebra::DVector::from_iterator(dim, a.iter().zip(b).map(|(a, b)| a - b));
                to.ger(weight / n, &away, &away, 1.0);
            };
            vectors.iter().for_each(|vector| add(&mut within, vector, &own, 1.0));
            add(&mut between, &own, &mean, vectors.len() as f64);
        }
        if within.trace() <= 1e-12 * between.trace() {
            return Err(Error::failed(
                "--train names one recording of each speaker, and LDA compares several",
                "name several recordings of each speaker in --train",
            ));
        }
        let ridge = SHRINKAGE * within.trace() / dim as f64;
        (0..dim).for_each(|j| within[(j, j)] += ridge);
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(within);
        let mut whitening = eigenvectors;
        for (mut column, value) in whitening.column_iter_mut().zip(eigenvalues.iter()) {
            column /= value.max(f64::MIN_POSITIVE).sqrt();
        }
        let SymmetricEigen { eigenvectors, eigenvalues } =
            SymmetricEigen::new(whitening.transpose() * between * &whitening);
        let mut order: Vec<usize> = (0..dim).collect();
        order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
        let chosen: Vec<_> = order[..task.dims].iter().map(|&j| eigenvectors.column(j)).collect();
        Ok((mean, (whitening * DMatrix::from_columns(&chosen)).transpose()))
    }
}

fn project(vector: &[f64], projection: Option<&Projection>) -> Vec<f64> {
    let Some((mean, matrix)) = projection else { return vector.to_vec() };
    let away = nalgebra::DVector::from_iterator(vector.len(), vector.iter().zip(mean).map(|(a, b)| a - b));
    (matrix * away).iter().copied().collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norm = dot(a, a).sqrt() * dot(b, b).sqrt();
    if norm > 0.0 { dot(a, b) / norm } else { 0.0 }
}

/// Misses and false alarms, as shares, at each threshold, from the one that accepts nothing on.
fn errors(scores: &[(f64, bool)]) -> Option<Vec<(f64, f64)>> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let targets = sorted.iter().filter(|(_, target)| *target).count() as f64;
    let others = sorted.len() as f64 - targets;
    if targets == 0.0 || others == 0.0 {
        return None;
    }
    let (mut points, mut hits, mut alarms) = (vec![(1.0, 0.0)], 0.0, 0.0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let here = equal.iter().filter(|(_, target)| *target).count() as f64;
        hits += here;
        alarms += equal.len() as f64 - here;
        points.push((1.0 - hits / targets, alarms / others));
    }
    Some(points)
}

/// The equal error rate of scores and whether each is of a target; `None` if all or none are.
pub fn equal_error_rate(scores: &[(f64, bool)]) -> Option<f64> {
    let points = errors(scores)?;
    let crossing = points.windows(2).find(|pair| pair[1].0 <= pair[1].1)?;
    let [(miss, alarm), (next_miss, next_alarm)] = [crossing[0], crossing[1]];
    // Where the segment from one point to the next has as many misses as false alarms.
    let (before, after) = (miss - alarm, next_miss - next_alarm);
    let at = before / (before - after);
    Some(miss + at * (next_miss - miss))
}

/// The least detection cost, if this share of trials is of targets, and both errors cost 1; 1 is that of always deciding the same.
pub fn min_dcf(scores: &[(f64, bool)], prior: f64) -> f64 {
    let cost = |(miss, alarm): &(f64, f64)| prior * miss + (1.0 - prior) * alarm;
    let least = errors(scores).iter().flatten().map(cost).fold(f64::INFINITY, f64::min);
    least / prior.min(1.0 - prior)
}

impl fmt::Display for VerificationOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.features.chars().count()).max().unwrap_or(0).max(8);
        writeln!(
            f,
            "{:<width$}  {:>5}  {:>22}  {:>12}  {:>12}",
            "features", "dim", "equal error rate", "minDCF .01", "minDCF .05"
        )?;
        for row in &self.rows {
            let eer = match row.ci95 {
                Some([low, high]) => {
                    format!("{:.2} % ({:.2} - {:.2})", 100.0 * row.eer, 100.0 * low, 100.0 * high)
                }
                None => format!("{:.2} %", 100.0 * row.eer),
            };
            let [a, b] = row.min_dcf;
            writeln!(f, "{:<width$}  {:>5}  {eer:>22}  {a:>12.4}  {b:>12.4}", row.features, row.dim)?;
        }
        let [same, different] = self.trials;
        writeln!(f, "\n{same} trials of the same speaker, {different} of different ones; cosine of the means of frames")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores and truths; the figures are those of scikit-learn's roc_curve with `drop_intermediate=False`, its curve interpolated linearly where
    /// misses equal false alarms, and of the least of p miss + (1 - p) alarm over its points, divided by p.
    fn scores() -> Vec<(f64, bool)> {
        (0..60)
            .map(|i| {
                let x = (i * 7919 % 1009) as f64 / 1009.0;
                (0.6 * x + if i % 3 == 0 { 0.25 } else { 0.0 } + if i == 5 { 0.6 } else { 0.0 }, i % 3 == 0)
            })
            .collect()
    }

    #[test]
    fn figures_are_those_of_scikit_learns_curve() {
        let scores = scores();
        let golden = include_str!("verification.golden.txt");
        let want: Vec<f64> = golden.split_whitespace().map(|v| v.parse().unwrap()).collect();
        assert!((equal_error_rate(&scores).unwrap() - want[0]).abs() < 1e-9, "{:?}", equal_error_rate(&scores));
        assert!((min_dcf(&scores, 0.01) - want[1]).abs() < 1e-9);
        assert!((min_dcf(&scores, 0.05) - want[2]).abs() < 1e-9);
        assert_eq!(equal_error_rate(&[(1.0, true), (0.0, false)]), Some(0.0));
        assert_eq!(equal_error_rate(&[(0.0, true), (1.0, false)]), Some(1.0));
        assert_eq!(equal_error_rate(&[(0.5, true), (0.5, false)]), Some(0.5));
        assert_eq!(equal_error_rate(&[(0.5, true)]), None);
    }

    #[test]
    fn trials_are_read_in_both_forms_and_others_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trials.txt");
        std::fs::write(&path, "1 a b\n0 a c.wav\n\nd e target\nd f nontarget\n").unwrap();
        let trials = read_trials(&path).unwrap();
        assert_eq!(trials.iter().map(|t| t.target).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(trials[1].pair, ["a", "c.wav"]);
        std::fs::write(&path, "1 a b\nyes a b\n2 a b\n").unwrap();
        let error = read_trials(&path).unwrap_err().to_string();
        assert!(error.contains("line 2: is no trial") && error.contains("line 3"), "{error}");
        std::fs::write(&path, "1 a b\n").unwrap();
        assert!(read_trials(&path).unwrap_err().to_string().contains("no trials of different speakers"));
    }

    #[test]
    fn discriminant_analysis_finds_the_direction_of_speakers() {
        let dir = tempfile::tempdir().unwrap();
        let mut random = crate::seed::stream(1, "lda", 0);
        let mut train = Vec::new();
        for speaker in 0..12 {
            // Speakers differ a little in column 2, and recordings a lot in the others.
            let level = f64::from(speaker) / 4.0;
            for u in 0..8 {
                let id = format!("u{speaker}-{u}");
                let path = dir.path().join(format!("s{speaker}/{id}.npy"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let mut out = crate::features::NpyWriter::create(&path, 4).unwrap();
                let mut row: Vec<f32> = (0..4).map(|_| 10.0 * random.normal()).collect();
                row[2] = level as f32 + 0.02 * random.normal();
                out.write(&row).unwrap();
                out.finish().unwrap();
                train.push(id);
            }
        }
        let set = FeatureSet::open(dir.path(), None).unwrap();
        let lda = LdaTask { dims: 2, train: train.clone() };
        let (_, matrix) = Vectors::new(&set).lda(&lda).unwrap();
        let first = matrix.row(0);
        assert!(first[2].abs() > 20.0 * (0..4).filter(|j| *j != 2).map(|j| first[j].abs()).fold(0.0, f64::max));
        let trials: Vec<Trial> = (0..96)
            .flat_map(|i| (i + 1..96).map(move |j| (i, j)))
            .map(|(i, j)| Trial { target: i / 8 == j / 8, pair: [train[i].clone(), format!("x/{}.wav", train[j])] })
            .collect();
        let sets = vec![("a".to_string(), set)];
        let plain = verify(&trials, None, &sets, 0).unwrap().rows[0].eer;
        assert!(plain > 0.3, "{plain}");
        let too_many = verify(&trials, Some(&LdaTask { dims: 5, train: train.clone() }), &sets, 0).unwrap_err();
        assert!(too_many.to_string().contains("leave at most 4"), "{too_many}");
        let single: Vec<String> = train.iter().step_by(8).cloned().collect();
        let one = verify(&trials, Some(&LdaTask { dims: 2, train: single }), &sets, 0).unwrap_err();
        assert!(one.to_string().contains("one recording of each speaker"), "{one}");
        let other = vec![Trial { target: true, pair: ["u0-0".into(), "s1/x/u1-0.wav".into()] }];
        assert!(verify(&other, None, &sets, 0).is_ok());
        let unknown = vec![Trial { target: true, pair: ["u0-0".into(), "nobody".into()] }];
        assert!(verify(&unknown, None, &sets, 0).unwrap_err().to_string().contains("nobody: is not among"));
    }
}
