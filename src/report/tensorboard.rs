//! TensorBoard event files: scalars, in `events.out.tfevents.*`.
//!
//! A file is a sequence of TFRecords (length, its masked CRC-32C, data, its masked CRC-32C). Each holds an `Event` message of protocol
//! buffers: field 1 wall time (double), 2 step (int64), 3 file version (string), 5 summary, 8 session log. A summary's field 1 is a value
//! with field 1 tag (string) and 2 simple value (float). A session log with status START (field 1 = 1) makes TensorBoard drop the events
//! that an interrupted run had written after the step from which it is resumed.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Writes one event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

fn varint(mut v: u64, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn field_bytes(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn field_varint(number: u8, v: u64, out: &mut Vec<u8>) {
    out.push(number << 3);
    varint(v, out);
}

fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl EventWriter {
    /// Creates a new file in `dir`, for a run that resumes after `step`.
    pub fn create(dir: &Path, step: u64) -> Result<Self> {
        let now = since_epoch();
        let path = dir.join(format!("events.out.tfevents.{:010}.{:09}.cpc", now.as_secs(), now.subsec_nanos()));
        let file = File::create(&path).map_err(Error::io(&path, "create"))?;
        let mut writer = EventWriter { path, file };
        let mut version = Vec::new();
        field_bytes(3, b"brain.Event:2", &mut version);
        writer.event(0, &version)?;
        let (mut start, mut log) = (Vec::new(), Vec::new());
        field_varint(1, 1, &mut log);
        field_bytes(8, &log, &mut start);
        writer.event(step + 1, &start)?;
        Ok(writer)
    }

    /// Writes one scalar.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f64) -> Result<()> {
        let (mut inner, mut summary, mut event) = (Vec::new(), Vec::new(), Vec::new());
        field_bytes(1, tag.as_bytes(), &mut inner);
        inner.push(2 << 3 | 5);
        inner.extend_from_slice(&(value as f32).to_le_bytes());
        field_bytes(1, &inner, &mut summary);
        field_bytes(5, &summary, &mut event);
        self.event(step, &event)
    }

    fn event(&mut self, step: u64, content: &[u8]) -> Result<()> {
        let mut event = vec![1 << 3 | 1];
        event.extend_from_slice(&since_epoch().as_secs_f64().to_le_bytes());
        field_varint(2, step, &mut event);
        event.extend_from_slice(content);
        let length = (event.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend_from_slice(&masked_crc(&length));
        record.extend_from_slice(&event);
        record.extend_from_slice(&masked_crc(&event));
        self.file.write_all(&record).map_err(Error::io(&self.path, "write"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_layout_and_checksums_of_tfrecord() {
        // The CRC-32C of 32 zero bytes is 8a9136aa (RFC 3720, B.4); masked as TensorFlow masks it.
        let masked = u32::from_le_bytes(masked_crc(&[0; 32]));
        assert_eq!(masked.wrapping_sub(0xa282_ead8).rotate_left(15), 0x8a91_36aa);
        let dir = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(dir.path(), 40).unwrap();
        writer.scalar("train/loss", 300, 0.5).unwrap();
        let path = writer.path.clone();
        let bytes = std::fs::read(path).unwrap();
        let (mut at, mut events) = (0, Vec::new());
        while at < bytes.len() {
            let length: [u8; 8] = bytes[at..at + 8].try_into().unwrap();
            let n = u64::from_le_bytes(length) as usize;
            assert_eq!(bytes[at + 8..at + 12], masked_crc(&length));
            let event = &bytes[at + 12..at + 12 + n];
            assert_eq!(bytes[at + 12 + n..at + 16 + n], masked_crc(event));
            events.push(event.to_vec());
            at += 16 + n;
        }
        assert_eq!(events.len(), 3);
        assert_eq!(events[1][9..], [0x10, 41, 0x42, 2, 8, 1]);
        let mut want = vec![0x10, 0xac, 2, 0x2a, 19, 0x0a, 17, 0x0a, 10];
        want.extend(b"train/loss");
        want.push(0x15);
        want.extend(0.5f32.to_le_bytes());
        assert_eq!(events[2][9..], want);
    }
}
