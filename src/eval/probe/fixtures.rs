//! Small corpora of features and labels for the tests of this module.

use crate::eval::probe::labels::Labels;
use crate::eval::probe::protocol::{LabelCut, Protocol};
use crate::eval::probe::table::Reading;
use crate::features::FeatureSet;
use crate::seed::stream;
use std::collections::HashMap;
use std::path::PathBuf;
use tempfile::TempDir;

/// Utterances `u000`, `u001`, ... of speakers `s0`, `s1`, `s2` in turn. The frames of each class are scattered around a center.
pub struct Corpus {
    dir: TempDir,
    dim: usize,
    /// The frames of each utterance, (T, D).
    pub rows: Vec<Vec<f32>>,
    /// The label of each frame.
    pub ids: Vec<Vec<u32>>,
}

/// A reading at 100 frames and labels per second.
pub fn reading(protocol: Protocol) -> Reading {
    let (cut, names, limit, stop) = (LabelCut::End, None, usize::MAX, Default::default());
    Reading { protocol, cut, label_rate: 100.0, frame_rate: 100.0, names, limit, by_subject: false, stop }
}

impl Corpus {
    /// `utterances` utterances of `frames` `dim`-dimensional frames each, with `classes` classes.
    pub fn new(utterances: usize, frames: usize, dim: usize, classes: usize) -> Corpus {
        let centers: Vec<f32> = {
            let mut rng = stream(1, "centres", 0);
            (0..classes * dim).map(|_| rng.normal()).collect()
        };
        let (mut rows, mut ids) = (Vec::new(), Vec::new());
        for u in 0..utterances {
            let mut rng = stream(1, "frames", u as u64);
            let labels: Vec<u32> = (0..frames).map(|t| ((t / 7 + u * 5) % classes) as u32).collect();
            let center = |label: &u32| &centers[*label as usize * dim..][..dim];
            rows.push(labels.iter().flat_map(center).map(|c| c + rng.normal()).collect());
            ids.push(labels);
        }
        Corpus { dir: tempfile::tempdir().unwrap(), dim, rows, ids }
    }

    /// The utterances.
    pub fn ids(&self) -> Vec<String> {
        (0..self.rows.len()).map(|u| format!("u{u:03}")).collect()
    }

    /// The frame labels.
    pub fn labels(&self) -> Labels {
        let ids = self.ids().into_iter().zip(self.ids.clone()).collect::<HashMap<_, _>>();
        Labels::Frames { path: PathBuf::from("phones.txt"), ids }
    }

    /// The features, written as `.npy` files in one folder per speaker.
    pub fn set(&self) -> FeatureSet {
        for (u, (id, rows)) in self.ids().iter().zip(&self.rows).enumerate() {
            let (frames, dim) = (rows.len() / self.dim, self.dim);
            let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({frames}, {dim}), }}");
            header.push_str(&" ".repeat(63 - (10 + header.len()) % 64));
            header.push('\n');
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.extend(rows.iter().flat_map(|x| x.to_le_bytes()));
            let speaker = self.dir.path().join(format!("s{}", u % 3));
            std::fs::create_dir_all(&speaker).unwrap();
            std::fs::write(speaker.join(format!("{id}.npy")), bytes).unwrap();
        }
        FeatureSet::open(self.dir.path(), None).unwrap()
    }
}
