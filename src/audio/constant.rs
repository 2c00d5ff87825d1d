//! Recordings in which nothing happens.

use super::{AudioInfo, Reader, Recording};
use crate::error::Problem;

/// The value of all samples of a recording, if they are all equal. Reading stops at the first that differs, so a usual recording costs one
/// short read.
///
/// # Errors
/// As [`Reader::read`].
pub fn constant(from: &(impl Recording + ?Sized), info: &AudioInfo) -> Result<Option<f32>, Problem> {
    let (mut reader, mut value) = (Reader::new(), None);
    let (mut at, mut size) = (0, 1024);
    let mut samples = Vec::new();
    while at < info.frames {
        samples.resize((info.frames - at).min(size) as usize, 0.0);
        reader.read(from, info, at, info.rate, &mut samples)?;
        let value = *value.get_or_insert(samples[0]);
        if samples.iter().any(|sample| *sample != value) {
            return Ok(None);
        }
        at += samples.len() as u64;
        size = (2 * size).min(1 << 22);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::{fixture, wav};
    use crate::audio::probe;

    #[test]
    fn one_sample_that_differs_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wav");
        let of = |value: fn(u64) -> i16| {
            wav(&path, 16_000, 1, 100_000, |n, _| value(n));
            constant(&path, &probe(&path).unwrap()).unwrap()
        };
        assert_eq!(of(|_| 0), Some(0.0));
        assert_eq!(of(|_| 16_384), Some(0.5));
        assert_eq!(of(|n| i16::from(n == 99_999)), None);
        assert_eq!(of(|n| n as i16), None);
        let tone = fixture("tone.flac");
        assert_eq!(constant(&tone, &probe(&tone).unwrap()).unwrap(), None);
    }
}
