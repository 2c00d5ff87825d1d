//! AU (Sun, NeXT): a header of six big-endian numbers.

use super::{Coding, Data, Stored, cut, take};
use crate::audio::source::Input;
use std::io::{BufReader, Seek, SeekFrom};

/// Reads the header of `input`. On failure, returns what is wrong and what to do.
pub(in crate::audio) fn probe(input: Input) -> Result<Data, String> {
    let length = input.length();
    let mut input = BufReader::with_capacity(64, input);
    input.seek(SeekFrom::Start(4)).map_err(cut)?;
    let mut number = || take(&mut input).map(u32::from_be_bytes);
    let (start, size, kind, rate, channels) = (number()?, number()?, number()?, number()?, number()?);
    let coding = match kind {
        1 => Coding::MuLaw,
        2 => Coding::I8,
        3 => Coding::I16,
        4 => Coding::I24,
        5 => Coding::I32,
        6 => Coding::F32,
        7 => Coding::F64,
        27 => Coding::ALaw,
        kind => {
            return Err(format!(
                "holds AU samples of kind {kind}, which are not read; convert it with `ffmpeg -i IN OUT.flac`"
            ));
        }
    };
    let channels = u16::try_from(channels).map_err(|_| format!("damaged: its header says {channels} channels"))?;
    let start = u64::from(start);
    let size = match size {
        u32::MAX => None,
        0 if start < length => None,
        size => Some(u64::from(size)),
    };
    let stored = Stored { coding, big_endian: true };
    Ok(Data { rate, channels, stored, start, size, length, sound_end: true })
}
