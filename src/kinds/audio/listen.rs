//! Writes what training hears as recordings: the first windows of a run, as c is computed from them and as they are predicted.

use super::AudioConfig;
use super::prepare::datasets;
use crate::data::Position;
use crate::error::{Error, Result};
use crate::kinds::{Described, Job};
use crate::recordings::RecordingLoader;
use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Windows that are written.
const WINDOWS: usize = 8;

/// Writes `1-past.wav`, `1-future.wav` and so on to `job.out`; a window that is the same on both sides is `1.wav`.
///
/// # Errors
/// The data or the directory cannot be used.
pub(super) fn listen(config: &AudioConfig, job: &Job) -> Result<Described> {
    let (train, dir) = (datasets(config, job)?.train, job.out);
    let mut loader =
        RecordingLoader::start(Arc::new(train), config.train.batch_size, config.seed, Position::default(), 1)?;
    std::fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
    let (mut files, mut text, mut number) = (Vec::new(), String::new(), 0);
    while number < WINDOWS {
        let batch = loader.next()?;
        let window = |view: &[f32], row: usize| view[row * batch.window..][..batch.window].to_vec();
        for row in 0..batch.rows.min(WINDOWS - number) {
            number += 1;
            let views = match batch.past.is_empty() {
                true => vec![("", window(&batch.samples, row))],
                false => vec![("-past", window(&batch.past, row)), ("-future", window(&batch.samples, row))],
            };
            let sources: Vec<String> = batch.files[row].iter().map(ToString::to_string).collect();
            for (side, samples) in views {
                let path = dir.join(format!("{number}{side}.wav"));
                write(&path, config.data.sample_rate, &samples)?;
                text += &format!("{:<24}  {}\n", path.display(), sources.join(", "));
                files.push(json!({"path": path, "sources": sources}));
            }
        }
    }
    Described::new(&json!({ "files": files }), text)
}

/// Writes mono samples as 16-bit WAV; what is louder than full scale is clipped.
fn write(path: &Path, rate: u32, samples: &[f32]) -> Result<()> {
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let failed =
        |e: hound::Error| Error::failed(format!("{}: cannot be written: {e}", path.display()), "check the directory");
    let mut writer = WavWriter::create(path, spec).map_err(failed)?;
    for sample in samples {
        writer.write_sample((sample * 32_768.0).round() as i16).map_err(failed)?;
    }
    writer.finalize().map_err(failed)
}
