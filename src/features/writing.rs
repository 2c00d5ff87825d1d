//! Writes the features of one utterance to disk atomically: files under their final names are complete.

use super::{Frames, Normalize, NpyWriter};
use crate::durable;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use tempfile::TempPath;

/// The files of one utterance, one per layer, under temporary names.
pub struct UtteranceFiles {
    files: Vec<(NpyWriter, TempPath, PathBuf)>,
    moments: Vec<Moments>,
}

impl UtteranceFiles {
    /// Creates the file `file` in each layer's folder, for features of dimensions `dims`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn create(folders: &[PathBuf], file: &str, dims: &[usize]) -> Result<Self> {
        let mut files = Vec::with_capacity(folders.len());
        for (folder, &dim) in folders.iter().zip(dims) {
            let path = folder.join(file);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
            let unfinished = durable::unfinished(&path)?;
            files.push((NpyWriter::create(&unfinished, dim)?, unfinished, path));
        }
        Ok(UtteranceFiles { files, moments: dims.iter().map(|&dim| Moments::new(dim)).collect() })
    }

    /// Adds frames of the utterance `id`.
    ///
    /// # Errors
    /// A number is not finite; the disk refuses.
    pub fn take(&mut self, id: &str, frames: &Frames) -> Result<()> {
        for (((file, ..), rows), moments) in self.files.iter_mut().zip(&frames.layers).zip(&mut self.moments) {
            if rows.iter().any(|v| !v.is_finite()) {
                return Err(Error::failed(
                    format!("{id}: the model's output is not finite"),
                    "its training diverged; use an earlier checkpoint",
                ));
            }
            moments.add(rows);
            file.write(rows)?;
        }
        Ok(())
    }

    /// Normalizes, renames the files to their final names, and returns the number of frames.
    pub fn finish(self, normalize: Normalize) -> Result<u64> {
        let mut rows = 0;
        for ((mut file, unfinished, path), moments) in self.files.into_iter().zip(&self.moments) {
            if normalize != Normalize::None {
                let (mean, scale) = moments.finish(normalize == Normalize::MeanVar);
                file.map(|row| row.iter_mut().zip(&mean).zip(&scale).for_each(|((v, m), s)| *v = (*v - m) * s))?;
            }
            rows = file.finish()?;
            durable::keep(unfinished, &path)?;
        }
        Ok(rows)
    }
}

/// Sums over the frames of one utterance.
struct Moments {
    rows: u64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(dim: usize) -> Self {
        Moments { rows: 0, sums: vec![0.0; dim], squares: vec![0.0; dim] }
    }

    fn add(&mut self, rows: &[f32]) {
        for row in rows.chunks_exact(self.sums.len()) {
            self.rows += 1;
            for ((v, sum), square) in row.iter().zip(&mut self.sums).zip(&mut self.squares) {
                let v = f64::from(*v);
                *sum += v;
                *square += v * v;
            }
        }
    }

    /// The mean, and the reciprocal of the standard deviation if `variance` is true (1 otherwise, and for a dimension that does not vary).
    fn finish(&self, variance: bool) -> (Vec<f32>, Vec<f32>) {
        let n = self.rows.max(1) as f64;
        let mean: Vec<f64> = self.sums.iter().map(|s| s / n).collect();
        let scale = self.squares.iter().zip(&mean).map(|(square, mean)| {
            let v = square / n - mean * mean;
            if variance && v > 1e-10 * mean * mean + 1e-20 { (1.0 / v.sqrt()) as f32 } else { 1.0 }
        });
        (mean.iter().map(|&m| m as f32).collect(), scale.collect())
    }
}

/// The `.npy` file of each utterance, given its name in the input tree and its id: a different one for each, also where capitals do not count.
///
/// It is the name in the tree, or the id if two utterances would have the same name (two formats, two sections, or two inputs). If an id is the
/// name of another, all are ids; if two ids become one name, numbers tell them apart.
pub fn file_names<'a>(utterances: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<String> {
    let mut names: HashMap<String, usize> = HashMap::new();
    utterances.clone().for_each(|(name, _)| *names.entry(inside(name).to_lowercase()).or_default() += 1);
    let repeated = |name: &str| names.get(&inside(name).to_lowercase()).is_some_and(|n| *n > 1);
    let mixed: Vec<String> =
        utterances.clone().map(|(name, id)| inside(if repeated(name) { id } else { name })).collect();
    let wanted = if distinct(&mixed) { mixed } else { utterances.map(|(_, id)| inside(id)).collect() };
    let mut taken: HashSet<String> = wanted.iter().map(|name| name.to_lowercase()).collect();
    let mut given = HashSet::new();
    let one = |name: String| {
        let mut own = name.clone();
        let mut number = 2;
        while !given.insert(own.to_lowercase()) {
            // A number that makes it the name of nobody else.
            loop {
                own = format!("{name}-{number}");
                number += 1;
                if taken.insert(own.to_lowercase()) {
                    break;
                }
            }
        }
        own + ".npy"
    };
    wanted.into_iter().map(one).collect()
}

/// Whether names differ in more than their capitals.
fn distinct(names: &[String]) -> bool {
    let mut seen = HashSet::new();
    names.iter().all(|name| seen.insert(name.to_lowercase()))
}

/// Makes a name into a relative path that stays inside the directory it is joined to.
fn inside(name: &str) -> String {
    let parts = Path::new(name).components().filter_map(|c| match c {
        Component::Normal(part) => Some(part.to_string_lossy().replace(':', "_")),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_utterance_has_a_file_of_its_own() {
        let names = |utterances: &[(&str, &str)]| file_names(utterances.iter().copied());
        assert_eq!(names(&[("s1/a", "a"), ("s1/b", "b")]), ["s1/a.npy", "s1/b.npy"]);
        assert_eq!(names(&[("s1/a", "s1/a.wav"), ("s1/a", "s1/a.flac")]), ["s1/a.wav.npy", "s1/a.flac.npy"]);
        let three = [("s1/a", "s1/a.wav"), ("s1/a", "s1/a.flac"), ("s1/a.wav", "s1/a.wav.wav")];
        assert_eq!(names(&three), ["s1/a.wav.npy", "s1/a.flac.npy", "s1/a.wav.wav.npy"]);
        assert_eq!(names(&[("a", "a:1-2"), ("a", "a_1-2")]), ["a_1-2.npy", "a_1-2-2.npy"]);
        assert_eq!(names(&[("A", "A"), ("a", "a"), ("b", "a-2")]), ["A.npy", "a-3.npy", "a-2.npy"]);
        assert_eq!(names(&[("../x", "x"), ("x", "x2")]), ["x.npy", "x2.npy"]);
    }

    proptest! {
        #[test]
        fn no_two_files_are_equal(names in proptest::collection::vec(("[aA.:/2-]{1,4}", "[aA.:/2-]{1,4}"), 1..12)) {
            let files = file_names(names.iter().map(|(name, id)| (name.as_str(), id.as_str())));
            prop_assert!(distinct(&files), "{:?}", files);
        }
    }
}
