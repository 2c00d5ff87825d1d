//! AIFF and AIFF-C (Apple 1989, 1991): big-endian chunks, the rate as an 80-bit float.

use super::{Coding, Data, Stored, cut, take};
use crate::audio::source::Input;
use std::io::{BufReader, Seek, SeekFrom};

/// What the `COMM` chunk says.
struct Common {
    channels: u16,
    frames: u32,
    rate: u32,
    stored: Stored,
}

/// Reads the header of `input`. On failure, returns what is wrong and what to do.
pub(in crate::audio) fn probe(input: Input) -> Result<Data, String> {
    let length = input.length();
    let mut input = BufReader::with_capacity(512, input);
    input.seek(SeekFrom::Start(8)).map_err(cut)?;
    let compressible = take::<4>(&mut input)? == *b"AIFC";
    let (mut at, mut common, mut sound) = (12u64, None, None);
    // The samples may come before the chunk that describes them.
    while common.is_none() || sound.is_none() {
        input.seek(SeekFrom::Start(at)).map_err(cut)?;
        let id = take::<4>(&mut input)?;
        let size = u64::from(u32::from_be_bytes(take(&mut input)?));
        match &id {
            b"COMM" => common = Some(describe(&mut input, compressible)?),
            b"SSND" => {
                let offset = u64::from(u32::from_be_bytes(take(&mut input)?));
                sound = Some((at + 16 + offset, size.saturating_sub(8 + offset), at + 8 + size + size % 2));
            }
            _ => {}
        }
        at = at.saturating_add(8 + size + size % 2);
    }
    let (Some(common), Some((start, size, end))) = (common, sound) else {
        return Err("damaged: it has no samples".into());
    };
    let frame = common.stored.coding.bytes() * u64::from(common.channels);
    // A recorder fills in both sizes when it finishes.
    let promised = u64::from(common.frames) * frame;
    let size = match (size, promised) {
        (0, _) if end < length => None,
        (0xffff_fff7.., _) => None,
        (size, 0) => Some(size),
        (size, promised) => Some(if size < promised && end >= length { promised } else { promised.min(size) }),
    };
    let Common { channels, rate, stored, .. } = common;
    Ok(Data { rate, channels, stored, start, size, length, sound_end: true })
}

fn describe(input: &mut BufReader<Input>, compressible: bool) -> Result<Common, String> {
    let channels = u16::from_be_bytes(take(input)?);
    if channels == 0 {
        return Err("damaged: its header says 0 channels".into());
    }
    let frames = u32::from_be_bytes(take(input)?);
    let bits = u64::from(u16::from_be_bytes(take(input)?));
    let rate = extended(take(input)?);
    let kind = if compressible { take::<4>(input)? } else { *b"NONE" };
    let integers = Coding::signed(bits.div_ceil(8));
    let (coding, big_endian) = match &kind {
        b"NONE" | b"twos" => (integers, true),
        b"sowt" => (integers, false),
        b"raw " => (Some(Coding::U8), true),
        b"in24" => (Some(Coding::I24), true),
        b"in32" => (Some(Coding::I32), true),
        b"42ni" => (Some(Coding::I24), false),
        b"23ni" => (Some(Coding::I32), false),
        b"fl32" | b"FL32" => (Some(Coding::F32), true),
        b"fl64" | b"FL64" => (Some(Coding::F64), true),
        b"ulaw" | b"ULAW" => (Some(Coding::MuLaw), true),
        b"alaw" | b"ALAW" => (Some(Coding::ALaw), true),
        _ => (None, true),
    };
    let coding = coding.ok_or_else(|| {
        let kind = String::from_utf8_lossy(&kind).trim().to_string();
        format!(
            "holds {bits}-bit samples of kind `{kind}`, which are not read; convert it with `ffmpeg -i IN OUT.flac`"
        )
    })?;
    Ok(Common { channels, frames, rate, stored: Stored { coding, big_endian } })
}

/// An 80-bit float: sign and exponent in 16 bits, then a mantissa of 64 bits with its integer part.
fn extended(bytes: [u8; 10]) -> u32 {
    let exponent = i32::from(u16::from_be_bytes([bytes[0] & 0x7f, bytes[1]])) - 16_383 - 63;
    let mut mantissa = [0; 8];
    mantissa.copy_from_slice(&bytes[2..]);
    (u64::from_be_bytes(mantissa) as f64 * f64::from(exponent).exp2()).round() as u32
}
