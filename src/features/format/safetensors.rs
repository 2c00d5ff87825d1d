//! `.safetensors`: one file per layer, with one tensor (T, D) per utterance.

use super::{FeatureFormat, RowWriter, file_name, no_rows, parts};
use crate::error::{Error, Result};
use crate::features::index::{Index, Indexed, LayerInfo};
use crate::features::npy::{NpyFile, to_bytes};
use crate::features::{FeatureSet, FeatureUtterance, ROWS, Timing};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

/// `.safetensors`.
pub(super) struct Safetensors;

impl FeatureFormat for Safetensors {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn about(&self) -> &'static str {
        "One .safetensors file per layer, with a tensor (T, D) per utterance"
    }

    fn layer_path(&self, layer: &str, _: bool) -> String {
        format!("{}.safetensors", file_name(layer))
    }

    fn join(&self, path: &Path, folder: &Path, utterances: &[Indexed], _: &Timing) -> Result<()> {
        safetensors(path, folder, utterances)
    }

    fn open(&self, dir: &Path, index: &Index, layer: &LayerInfo) -> Result<FeatureSet> {
        tensors(&dir.join(&layer.path), Some(index))
    }

    fn rows(&self, _: &Path, _: usize, _: bool) -> Result<Box<dyn RowWriter>> {
        let why = "rows without names cannot be tensors";
        Err(no_rows(self.name(), why, "npy, or parquet to store each sentence with its vector"))
    }
}

fn safetensors(path: &Path, folder: &Path, utterances: &[Indexed]) -> Result<()> {
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut at = 0;
    for part in parts(folder, utterances) {
        let (utterance, file) = part?;
        let end = at + file.rows * file.dim * 4;
        let entry = json!({ "dtype": "F32", "shape": [file.rows, file.dim], "data_offsets": [at, end] });
        header.insert(utterance.id.clone(), entry);
        at = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let io = || Error::io(path, "write");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(Error::io(path, "create"))?);
    out.write_all(&(header.len() as u64).to_le_bytes()).and_then(|()| out.write_all(&header)).map_err(io())?;
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    for part in parts(folder, utterances) {
        let (_, file) = part?;
        for first in (0..file.rows).step_by(ROWS) {
            file.read_range(first, ROWS.min(file.rows - first), &mut rows)?;
            to_bytes(&rows, &mut bytes);
            out.write_all(&bytes).map_err(io())?;
        }
    }
    out.into_inner().map_err(|e| e.into_error()).and_then(|f| f.sync_all()).map_err(io())
}

/// A file with one tensor per utterance.
pub(in crate::features) fn tensors(path: &Path, index: Option<&Index>) -> Result<FeatureSet> {
    let broken = |what: String| Error::bad_file(path, format!("not a complete safetensors file of features: {what}"));
    let mut file = File::open(path).map_err(Error::io(path, "open"))?;
    let held = file.metadata().map_err(Error::io(path, "read"))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| broken(format!("it has {held} bytes")))?;
    let length = u64::from_le_bytes(length);
    if length.saturating_add(8) > held {
        return Err(broken("its header is truncated".into()));
    }
    let mut header = Vec::new();
    (&mut file).take(length).read_to_end(&mut header).map_err(Error::io(path, "read"))?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|e| broken(e.to_string()))?;
    let speakers: HashMap<&str, (&str, f64)> =
        index.iter().flat_map(|i| &i.utterances).map(|u| (u.id.as_str(), (u.speaker.as_str(), u.seconds))).collect();
    let mut found = Vec::new();
    for (id, info) in metadata.tensors() {
        let (from, to) = info.data_offsets;
        let &[frames, dim] = info.shape.as_slice() else {
            return Err(broken(format!("{id} has the shape {:?}; features are (frames, dimensions)", info.shape)));
        };
        if info.dtype != Dtype::F32 || dim == 0 {
            return Err(broken(format!("{id} is {:?} with {dim} dimensions; features are F32", info.dtype)));
        }
        let bytes = frames.checked_mul(dim).and_then(|n| n.checked_mul(4));
        if to.checked_sub(from) != bytes || (to as u64).saturating_add(8 + length) > held {
            return Err(broken(format!("{id} is truncated")));
        }
        let known = speakers.get(id.as_str());
        let utterance = FeatureUtterance {
            speaker: known.map(|(speaker, _)| speaker.to_string()),
            seconds: known.map(|(_, seconds)| *seconds),
            id,
            frames,
        };
        found.push((utterance, NpyFile::within(path, frames, dim, 8 + length + from as u64)));
    }
    FeatureSet::new(path, found, index.map(|i| i.made.timing.frame_rate))
}
