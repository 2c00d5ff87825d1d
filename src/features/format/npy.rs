//! NumPy's `.npy`: one file (T, D) per utterance, or one file of all rows.

use super::{FeatureFormat, RowWriter, file_name};
use crate::error::{Error, Problem, Result};
use crate::features::index::{FILE_NAME, Index, Indexed, LayerInfo};
use crate::features::npy::{NpyFile, NpyWriter};
use crate::features::{FeatureSet, FeatureUtterance, Timing};
use std::path::Path;

/// `.npy`.
pub(super) struct Npy;

impl FeatureFormat for Npy {
    fn name(&self) -> &'static str {
        "npy"
    }

    fn about(&self) -> &'static str {
        "One float32 .npy file (T, D) per utterance, in the same tree as the input"
    }

    fn separate(&self) -> bool {
        true
    }

    fn layer_path(&self, layer: &str, many: bool) -> String {
        if many { file_name(layer) } else { ".".into() }
    }

    fn join(&self, _: &Path, _: &Path, _: &[Indexed], _: &Timing) -> Result<()> {
        Ok(())
    }

    fn open(&self, dir: &Path, index: &Index, layer: &LayerInfo) -> Result<FeatureSet> {
        let path = dir.join(&layer.path);
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for u in &index.utterances {
            let file = path.join(u.file.as_deref().unwrap_or_default());
            match NpyFile::open(&file) {
                Ok(npy) if npy.rows != u.frames || npy.dim != layer.dim => {
                    let what =
                        format!("is {} x {}, but {FILE_NAME} says {} x {}", npy.rows, npy.dim, u.frames, layer.dim);
                    problems.push(Problem::new(file.display(), what));
                }
                Ok(npy) => {
                    let (speaker, seconds) = (Some(u.speaker.clone()), Some(u.seconds));
                    let frames = npy.rows;
                    found.push((FeatureUtterance { id: u.id.clone(), speaker, frames, seconds }, npy));
                }
                Err(Error::BadFiles(bad)) => problems.extend(bad),
                Err(e) => problems.push(Problem::new(file.display(), e)),
            }
        }
        if !problems.is_empty() {
            return Err(Error::BadFiles(problems));
        }
        FeatureSet::new(dir, found, Some(index.made.timing.frame_rate))
    }

    fn rows(&self, path: &Path, dim: usize, _: bool) -> Result<Box<dyn RowWriter>> {
        Ok(Box::new(NpyWriter::create(path, dim)?))
    }
}

/// A `.npy` file cannot store texts; its rows are in the order of the texts.
impl RowWriter for NpyWriter {
    fn write(&mut self, _: &[String], rows: &[f32]) -> Result<()> {
        NpyWriter::write(self, rows)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        NpyWriter::finish(*self).map(drop)
    }
}
