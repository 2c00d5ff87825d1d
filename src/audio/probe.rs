//! What a file is and how long, from its headers alone.

use super::decode::{Stream, guarded};
use super::{AudioInfo, Format, ogg, wav, xing};
use crate::error::Problem;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The endings of file names that are taken for audio, in lower case.
pub const EXTENSIONS: [&str; 6] = ["wav", "wave", "flac", "mp3", "ogg", "oga"];

/// Sample rates outside of this are taken for a damaged header.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Whether a file of this name is taken for audio, in upper or lower case.
pub fn is_audio_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Looks at a file's headers: its kind, rate, channels and length.
///
/// The samples are not read, with one exception: an MP3 without a tag that says how long it is, and a FLAC or Ogg
/// without a length, are walked through packet by packet, without decoding.
///
/// # Errors
///
/// One line of what is wrong with the file, at its path: it cannot be opened, is empty, is not audio (whatever its
/// name says), is truncated, damaged or of a kind that is not supported. What to do follows where something can be
/// done.
pub fn probe(path: &Path) -> Result<AudioInfo, Problem> {
    let info = guarded(|| look(path)).and_then(sensible);
    info.map_err(|what| Problem::new(path.display(), what))
}

fn look(path: &Path) -> Result<AudioInfo, String> {
    let unreadable = |e: std::io::Error| format!("cannot be read: {e}");
    let metadata = std::fs::metadata(path).map_err(|e| format!("cannot be opened: {e}"))?;
    if metadata.is_dir() {
        return Err("is a directory, not an audio file".into());
    }
    if !metadata.is_file() {
        return Err("is not a regular file".into());
    }
    let mut file = File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let length = metadata.len();
    if length == 0 {
        return Err("is empty (0 bytes); copy it again".into());
    }
    let mut first = [0; 12];
    let n = read_up_to(&mut file, &mut first).map_err(unreadable)?;
    let start = tag_length(&first[..n]);
    if start > 0 {
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        first = [0; 12];
        read_up_to(&mut file, &mut first).map_err(unreadable)?;
    }
    match &first {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] if start == 0 => {
            file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
            wav::probe(file, length)
        }
        [b'R', b'F', b'6', b'4', ..] => {
            Err("RF64 (a WAV of more than 4 GiB) is not supported; convert it with `sox IN \
                                            OUT.flac`"
                .into())
        }
        [b'f', b'L', b'a', b'C', ..] => flac(file, start),
        [b'O', b'g', b'g', b'S', ..] => vorbis(file, start, length),
        [0xff, second, ..] if second & 0xe0 == 0xe0 => mp3(file, start, length),
        _ if start > 0 || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp3")) => mp3(file, start, length),
        _ => Err(not_audio(path)),
    }
}

fn not_audio(path: &Path) -> String {
    let name = path.extension().map_or_else(|| "no ending".to_string(), |e| format!(".{}", e.to_string_lossy()));
    format!("is not audio, although it is named {name}: it does not begin like a WAV, FLAC, MP3 or Ogg file")
}

/// Fills as much of `buffer` as the file has.
fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let limit = buffer.len() as u64;
    let mut bytes = Vec::with_capacity(buffer.len());
    file.take(limit).read_to_end(&mut bytes)?;
    buffer[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}

/// Bytes of the ID3v2 tag that the file begins with, 0 if there is none.
fn tag_length(first: &[u8]) -> u64 {
    match first {
        [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] => {
            let size = [a, b, c, d].iter().fold(0u64, |sum, &&byte| (sum << 7) | u64::from(byte & 0x7f));
            // A footer repeats the ten bytes of the header.
            10 + size + if flags & 0x10 != 0 { 10 } else { 0 }
        }
        _ => 0,
    }
}

fn flac(file: File, start: u64) -> Result<AudioInfo, String> {
    let mut stream = Stream::open(file, start, Format::Flac)?;
    let (rate, channels, frames) = stream.header();
    let frames = match frames {
        Some(frames) => {
            // A length in the header is a promise: the last packet has to be there.
            stream.holds(frames.saturating_sub(1))?;
            frames
        }
        None => stream.count()?,
    };
    Ok(info(Format::Flac, rate, channels, frames, start, u64::MAX))
}

fn mp3(mut file: File, start: u64, length: u64) -> Result<AudioInfo, String> {
    let mut head = [0; 1024];
    file.seek(SeekFrom::Start(start)).map_err(|e| format!("cannot be read: {e}"))?;
    let n = read_up_to(&mut file, &mut head).map_err(|e| format!("cannot be read: {e}"))?;
    let tag = xing::find(&head[..n]).unwrap_or_default();
    if let Some(bytes) = tag.bytes
        && start.saturating_add(bytes) > length
    {
        return Err(format!(
            "truncated: {bytes} bytes are promised, {} are there; copy it again",
            length - start.min(length)
        ));
    }
    let mut stream = Stream::open(file, start, Format::Mp3).map_err(|what| match what {
        what if what.starts_with("truncated") => "is not audio, although it is named .mp3: no MP3 frames in it".into(),
        what => what,
    })?;
    let (rate, channels, frames) = stream.header();
    let frames = match frames {
        Some(frames) if tag.counted => frames,
        _ => stream.count()?,
    };
    Ok(info(Format::Mp3, rate, channels, frames, start, u64::MAX))
}

fn vorbis(mut file: File, start: u64, length: u64) -> Result<AudioInfo, String> {
    let tail = ogg::tail(&mut file, length).map_err(|e| format!("cannot be read: {e}"))?;
    let mut stream = Stream::open(file, start, Format::Vorbis)?;
    let tail = tail.ok_or("damaged: no Ogg page at its end")?;
    if !tail.whole {
        return Err("truncated: its last page is missing or incomplete; copy it again".into());
    }
    let (rate, channels, frames) = stream.header();
    if tail.serial != stream.serial() {
        return Err("it holds several streams (chained or multiplexed); convert it with `sox IN OUT.flac`".into());
    }
    let frames = match frames {
        Some(frames) => frames,
        None => stream.count()?,
    };
    Ok(info(Format::Vorbis, rate, channels, frames, start, tail.last_page))
}

fn info(format: Format, rate: u32, channels: u16, frames: u64, start: u64, steady: u64) -> AudioInfo {
    AudioInfo { rate, channels, frames, format, start, sample: wav::Stored::I16, steady }
}

/// Refuses what no recording has.
fn sensible(info: AudioInfo) -> Result<AudioInfo, String> {
    if info.channels == 0 {
        return Err("has no channels".into());
    }
    if !RATES.contains(&info.rate) {
        return Err(format!(
            "its sample rate of {} Hz is not between {} and {} Hz; is the header damaged?",
            info.rate,
            RATES.start(),
            RATES.end()
        ));
    }
    if info.frames == 0 {
        return Err("holds no samples; leave it out".into());
    }
    Ok(info)
}
