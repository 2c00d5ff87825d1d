//! Removing what tells speakers apart from features.
//!
//! A linear classifier of speakers is trained on frames. What it looks at is the space of the rows of its weights; each frame is projected on the
//! space orthogonal to it (its nullspace), as in the submission of the University of Wroclaw to the Zero Resource Speech Challenge 2021 (Chorowski et
//! al. 2021). Then the mean of each speaker is subtracted (van Niekerk et al. 2021).

use crate::error::{Error, Result};
use crate::eval::probe::lbfgs::Stop;
use crate::eval::probe::logistic;
use crate::eval::probe::standardize::standardize;
use crate::eval::probe::table::Table;
use crate::features::FeatureSet;
use crate::seed::stream;
use crate::weights::{read_matrix, write_matrix};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Frames that the classifier is trained on, at most.
const FRAMES: usize = 60_000;

/// The penalty of the classifier, on the sum of its losses.
const L2: f64 = 10.0;

/// The key of the metadata.
const KEY: &str = "cpc-removal";

/// What a removal was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemovalAbout {
    /// What is removed: `speaker`.
    pub what: String,
    /// SHA-256 of the weights of the model whose features it is for, in hexadecimal.
    pub model_sha256: String,
    /// The layer.
    pub layer: String,
    /// The speakers that it was fitted on.
    pub speakers: usize,
}

/// Directions that are removed from frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Removal {
    /// What it was fitted on.
    pub about: RemovalAbout,
    /// (R, D), orthogonal and of length 1.
    directions: Vec<f32>,
    dim: usize,
}

impl Removal {
    /// Directions by which the speakers of some features are told apart. `stop` ends the work.
    ///
    /// # Errors
    /// The features do not name their speakers, or there is one alone; they cannot be read.
    pub fn fit(set: &FeatureSet, about: &RemovalAbout, seed: u64, stop: &Arc<AtomicBool>) -> Result<Removal> {
        let speaker = |i: usize| set.utterances()[i].speaker.as_deref().unwrap_or("-");
        let mut names: Vec<&str> = (0..set.utterances().len()).map(speaker).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 {
            return Err(Error::failed(
                format!("{}: has one speaker alone", set.path().display()),
                "give recordings of several speakers: the first folder is the speaker",
            ));
        }
        let (dim, all): (usize, usize) = (set.dim(), set.utterances().iter().map(|u| u.frames).sum());
        let share = FRAMES as f64 / all.max(1) as f64;
        let (mut rows, mut labels, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..set.utterances().len() {
            set.read(i, &mut scratch)?;
            let mut draws = stream(seed, &format!("removal/{}", set.utterances()[i].id), 0);
            for row in scratch.chunks_exact(dim) {
                if draws.unit64() < share {
                    rows.extend_from_slice(row);
                    labels.push(speaker(i).to_string());
                }
            }
        }
        let table = Table::of_rows(dim, rows, &labels, stop.clone())?;
        let items: Vec<usize> = (0..labels.len()).collect();
        let standard = standardize(&table, &items)?;
        let stop = Stop { gradient: 1e-4, iterations: 200 };
        let found = logistic::fit(&table, &items, &standard, L2, logistic::start(&table, &items), stop)?;
        let classes = table.names().len();
        // Weights of standardized columns are weights of the columns times their deviation; all classes' mean changes no decision.
        let weight = |k: usize, j: usize| found.x[k * dim + j] * f64::from(standard.scale_of(j));
        let mean: Vec<f64> =
            (0..dim).map(|j| (0..classes).map(|k| weight(k, j)).sum::<f64>() / classes as f64).collect();
        let centered = (0..classes).map(|k| (0..dim).map(|j| weight(k, j) - mean[j]).collect()).collect();
        let directions = orthonormal(centered);
        let about = RemovalAbout { speakers: names.len(), ..about.clone() };
        Ok(Removal { about, directions: directions.concat(), dim })
    }

    /// The number of directions.
    pub fn count(&self) -> usize {
        self.directions.len() / self.dim.max(1)
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Removes the directions from frames (T, D), in place.
    pub fn project(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.dim) {
            for direction in self.directions.chunks_exact(self.dim) {
                let along: f32 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(direction).for_each(|(value, d)| *value -= along * d);
            }
        }
    }

    /// Reads the file that [`Removal::write`] wrote.
    ///
    /// # Errors
    /// It cannot be read, or is another file.
    pub fn read(path: &Path) -> Result<Removal> {
        let other = "is no removal; `cpc extract --remove` writes them";
        let (about, directions, dim) = read_matrix(path, KEY, "directions", other)?;
        Ok(Removal { about, directions, dim })
    }

    /// Writes a file, atomically.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_matrix(path, KEY, &self.about, "directions", &self.directions, self.dim)
    }
}

/// An orthonormal basis of the space of some vectors, by Gram and Schmidt, twice for precision.
fn orthonormal(vectors: Vec<Vec<f64>>) -> Vec<Vec<f32>> {
    let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let longest = vectors.iter().map(|v| length(v)).fold(0.0, f64::max);
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for mut vector in vectors {
        for _ in 0..2 {
            for direction in &basis {
                let along: f64 = vector.iter().zip(direction).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(direction).for_each(|(value, d)| *value -= along * d);
            }
        }
        let left = length(&vector);
        if left > 1e-6 * longest {
            basis.push(vector.iter().map(|x| x / left).collect());
        }
    }
    basis.into_iter().map(|v| v.into_iter().map(|x| x as f32).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::NpyWriter;

    #[test]
    fn what_tells_speakers_apart_is_gone_and_the_rest_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut random = stream(1, "removal", 0);
        let dim = 6;
        for speaker in 0..3 {
            for u in 0..4 {
                let path = dir.path().join(format!("s{speaker}/u{speaker}{u}.npy"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let mut out = NpyWriter::create(&path, dim).unwrap();
                for _ in 0..100 {
                    let mut row: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
                    row[0] += 4.0 * speaker as f32;
                    row[1] += if speaker == 1 { 4.0 } else { 0.0 };
                    out.write(&row).unwrap();
                }
                out.finish().unwrap();
            }
        }
        let set = FeatureSet::open(dir.path(), None).unwrap();
        let about = RemovalAbout { what: "speaker".into(), model_sha256: "0".into(), layer: "c".into(), speakers: 0 };
        let removal = Removal::fit(&set, &about, 0, &Arc::default()).unwrap();
        assert_eq!((removal.count(), removal.about.speakers), (2, 3));
        // The plane of the first two columns is gone, what is orthogonal to it stays.
        let mut rows = vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        removal.project(&mut rows);
        let size = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>().sqrt();
        assert!(size(&rows[..6]) < 0.15 && size(&rows[6..12]) < 0.15 && size(&rows[12..]) > 0.98, "{rows:?}");
        let before = rows.clone();
        removal.project(&mut rows);
        assert!(rows.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-5));
        let path = dir.path().join("removal.safetensors");
        removal.write(&path).unwrap();
        assert_eq!(Removal::read(&path).unwrap(), removal);
        std::fs::remove_dir_all(dir.path().join("s0")).unwrap();
        std::fs::remove_dir_all(dir.path().join("s1")).unwrap();
        let one = FeatureSet::open(dir.path(), None).unwrap();
        assert!(Removal::fit(&one, &about, 0, &Arc::default()).unwrap_err().to_string().contains("one speaker alone"));
    }
}
