//! The centroids of units in a file, `units-K.safetensors`, with what they were fitted on.

use super::kmeans::{Centroids, Pass, nearest};
use crate::error::{Error, Result};
use crate::features::Normalize;
use crate::weights::{read_matrix, write_matrix};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The key of the metadata.
const KEY: &str = "cpc-units";

/// What units were fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The version of this format: 1.
    pub format: u32,
    /// The model whose features they are of, by the name that it was given.
    pub model: String,
    /// SHA-256 of its weights, in hexadecimal.
    pub model_sha256: String,
    /// The layer of the features.
    pub layer: String,
    /// How the features of each utterance were normalized.
    pub normalize: Normalize,
    /// Whether what tells speakers apart was removed from the features.
    #[serde(default)]
    pub removed: bool,
    /// Frames per second.
    pub frame_rate: f64,
    /// The seed.
    pub seed: u64,
    /// The number of frames that they were fitted on.
    pub frames: u64,
    /// SHA-256 of the ids and lengths of the utterances, in hexadecimal.
    pub utterances_sha256: String,
    /// The last pass over these.
    pub pass: Option<Pass>,
}

/// Centroids, and what they were fitted on.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    /// What they were fitted on.
    pub about: About,
    /// (K, D).
    pub centroids: Vec<f32>,
    /// D.
    pub dim: usize,
}

impl Codebook {
    /// The file of `count` units in a directory.
    pub fn file(dir: &Path, count: usize) -> PathBuf {
        dir.join(format!("units-{count}.safetensors"))
    }

    /// K.
    pub fn count(&self) -> usize {
        self.centroids.len() / self.dim
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no file of units.
    pub fn read(path: &Path) -> Result<Codebook> {
        let other = "is no file of units; `cpc units fit` writes them";
        let (about, centroids, dim) = read_matrix(path, KEY, "centroids", other)?;
        if centroids.is_empty() {
            return Err(Error::bad_file(path, "has no centroids"));
        }
        Ok(Codebook { about, centroids, dim })
    }

    /// Writes the file, atomically.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_matrix(path, KEY, &self.about, "centroids", &self.centroids, self.dim)
    }

    /// The state of k-means that it stands for.
    pub fn state(self) -> Centroids {
        Centroids { count: self.count(), values: self.centroids, pass: self.about.pass }
    }

    /// The unit of each frame of `rows` (T, D).
    ///
    /// # Errors
    /// A tensor operation fails.
    pub fn units(&self, rows: &[f32]) -> Result<Vec<u32>> {
        nearest(rows, &self.centroids, self.dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_was_written_and_others_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let pass = Pass { number: 2, inertia: 0.1 + 0.2, sizes: vec![3, 0], converged: true };
        let about = About {
            format: 1,
            model: "runs/a".into(),
            model_sha256: "00".into(),
            layer: "c".into(),
            normalize: Normalize::None,
            removed: false,
            frame_rate: 100.0,
            seed: 7,
            frames: 3,
            utterances_sha256: "11".into(),
            pass: Some(pass),
        };
        let codebook = Codebook { about, centroids: vec![0.0, 1.0, 2.0, 3.5, -1.0, 1e-9], dim: 3 };
        let path = Codebook::file(dir.path(), 2);
        codebook.write(&path).unwrap();
        assert_eq!(Codebook::read(&path).unwrap(), codebook);
        assert_eq!(codebook.units(&[3.0, -1.0, 0.0, 0.0, 1.0, 2.0]).unwrap(), [1, 0]);
        let other = dir.path().join("model.safetensors");
        crate::weights::write_tensors(&other, &std::collections::BTreeMap::new()).unwrap();
        assert!(Codebook::read(&other).unwrap_err().to_string().contains("is no file of units"));
        std::fs::write(&other, "no").unwrap();
        assert!(Codebook::read(&other).is_err());
    }
}
