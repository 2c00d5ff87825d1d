//! The part of an MP4 that is to be heard: encoders of AAC put 1024 to 2112 frames of their own before the first, and fill the last packet.
//!
//! The edit list says so (ISO/IEC 14496-12, `elst`), or a comment of iTunes (`iTunSMPB`), which players heed if there is no edit list.

use crate::audio::source::Input;
use std::io::{Read, Result, Seek, SeekFrom};

/// The largest `moov` box that is looked into.
const LARGEST: u64 = 256 << 20;

/// The first frame to be heard and, if it is said, how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub first: u64,
    pub frames: Option<u64>,
}

/// The frames of track `track`, at `rate` frames a second, that are to be heard.
pub(super) fn heard(input: &mut Input, track: u32, rate: u32) -> Result<Option<Heard>> {
    let Some(moov) = moov(input)? else { return Ok(None) };
    Ok(by_edits(&moov, track, rate).or_else(|| by_itunes(&moov)))
}

/// The contents of the `moov` box.
fn moov(input: &mut Input) -> Result<Option<Vec<u8>>> {
    let (mut at, end) = (0u64, input.length());
    while at + 8 <= end {
        input.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        let n = 16.min(end - at) as usize;
        input.read_exact(&mut head[..n])?;
        let (size, header) = match word(&head, 0) {
            0 => (end - at, 8),
            1 => (head[8..16].iter().fold(0, |sum, b| (sum << 8) | u64::from(*b)), 16),
            size => (u64::from(size), 8),
        };
        if size < header || size > end - at {
            return Ok(None);
        }
        if head[4..8] == *b"moov" && size <= LARGEST {
            input.seek(SeekFrom::Start(at + header))?;
            let mut bytes = Vec::new();
            input.take(size - header).read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
        at += size;
    }
    Ok(None)
}

/// The boxes inside a box: name and contents.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let size = word(bytes, 0) as usize;
        let content = bytes.get(8..size)?;
        let name = &bytes[4..8];
        bytes = &bytes[size..];
        Some((name, content))
    })
}

fn inside<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|(n, _)| n == name).map(|(_, content)| content)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn double(bytes: &[u8], at: usize) -> u64 {
    (u64::from(word(bytes, at)) << 32) | u64::from(word(bytes, at + 4))
}

/// The one edit of a track that is not empty. Boxes of version 1 have times of 64 bits.
fn by_edits(moov: &[u8], track: u32, rate: u32) -> Option<Heard> {
    let wide = |content: &[u8]| content.first() == Some(&1);
    let scale = |content: &[u8]| u64::from(word(content, if wide(content) { 20 } else { 12 }));
    let movie = scale(inside(moov, b"mvhd")?);
    let of_track =
        |trak: &&[u8]| inside(trak, b"tkhd").is_some_and(|head| word(head, if wide(head) { 20 } else { 12 }) == track);
    let trak = boxes(moov).filter(|(name, _)| name == b"trak").map(|(_, content)| content).find(of_track)?;
    let media = scale(inside(inside(trak, b"mdia")?, b"mdhd")?);
    let list = inside(inside(trak, b"edts")?, b"elst")?;
    let entry = if wide(list) { 20 } else { 12 };
    let edits = (0..word(list, 4) as usize).map_while(|i| list.get(8 + i * entry..8 + (i + 1) * entry));
    let mut edits = edits.map(|e| match entry {
        20 => (double(e, 0), double(e, 8).cast_signed()),
        _ => (u64::from(word(e, 0)), i64::from(word(e, 4).cast_signed())),
    });
    // An edit without a place in the medium is silence before it, which has no samples.
    let (duration, first) = edits.find(|(_, time)| *time >= 0)?;
    if media == 0 || movie == 0 || edits.any(|(_, time)| time >= 0) {
        return None;
    }
    let scaled = |n: u64, of: u64| {
        let frames = (u128::from(n) * u128::from(rate) + u128::from(of / 2)) / u128::from(of);
        u64::try_from(frames).unwrap_or(u64::MAX)
    };
    // A movie often counts in milliseconds, so its duration only bounds the length when it is finer.
    let frames = (movie >= u64::from(rate) && duration > 0).then(|| scaled(duration, movie));
    Some(Heard { first: scaled(first.unsigned_abs(), media), frames })
}

/// The comment of iTunes: hexadecimal numbers, of which the second is the delay, the third the padding and the fourth the length.
fn by_itunes(moov: &[u8]) -> Option<Heard> {
    let at = moov.windows(8).position(|w| w == b"iTunSMPB")?;
    let text: String = moov[at + 8..].iter().take(200).skip_while(|b| **b != b' ').map(|b| char::from(*b)).collect();
    let mut numbers = text.split_whitespace().map(|word| u64::from_str_radix(word, 16));
    let (_, first, _) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let frames = numbers.next()?.ok().filter(|frames| *frames > 0);
    Some(Heard { first, frames })
}
