//! WAV and its relatives: RIFF, big-endian RIFX, RF64 and BW64 (sizes of 64 bits), and Sony's W64.
//!
//! Ordinary files are read by `hound`. What it refuses, or what its size of the data does not fit, goes through [`scan`], which reads what
//! recorders and converters really write: sizes of 0 or 0xFFFFFFFF, chunks of an odd length with and without padding, long `fmt ` chunks,
//! wrong byte rates.

use super::{Coding, Data, Stored, cut, take};
use crate::audio::source::Input;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// What a WAV holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audio) enum Inside {
    /// Samples.
    Samples(Data),
    /// ADPCM, which needs a decoder that reads the file itself.
    Adpcm,
    /// An MP3 stream from this byte to that one.
    Mp3(u64, u64),
}

/// The last 14 bytes of the identifiers of sample formats in an extensible `fmt ` chunk: those of WAVE, and of B-format.
const TAILS: [[u8; 14]; 2] = [
    [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71],
    [0, 0, 0x21, 0x07, 0xd3, 0x11, 0x86, 0x44, 0xc8, 0xc1, 0xca, 0, 0, 0],
];

/// The identifier of the outermost chunk of a W64, without its first four bytes, which are `riff`.
const W64_RIFF: [u8; 12] = [0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0, 0];

/// Reads the header of the WAV `input`. On failure, returns what is wrong and what to do.
pub(in crate::audio) fn probe(mut input: Input) -> Result<Inside, String> {
    let length = input.length();
    if let Some(data) = plain(&mut input)? {
        return Ok(Inside::Samples(data));
    }
    input.seek(SeekFrom::Start(0)).map_err(cut)?;
    scan(&mut BufReader::with_capacity(512, input), length)
}

/// The header as `hound` reads it, if it is that of an ordinary file: the samples are of a common kind and end where the file ends.
fn plain(input: &mut Input) -> Result<Option<Data>, String> {
    let length = input.length();
    let mut buffered = BufReader::with_capacity(512, input);
    let Ok(header) = hound::WavReader::new(&mut buffered) else { return Ok(None) };
    let (spec, samples) = (header.spec(), u64::from(header.len()));
    let coding = match (spec.sample_format, spec.bits_per_sample) {
        (hound::SampleFormat::Int, 8) => Coding::U8,
        (hound::SampleFormat::Int, 16) => Coding::I16,
        (hound::SampleFormat::Int, 24) => Coding::I24,
        (hound::SampleFormat::Int, 32) => Coding::I32,
        (hound::SampleFormat::Float, 32) => Coding::F32,
        _ => return Ok(None),
    };
    let start = buffered.stream_position().map_err(cut)?;
    let size = samples * coding.bytes();
    let data = Data {
        rate: spec.sample_rate,
        channels: spec.channels,
        stored: Stored { coding, big_endian: false },
        start,
        size: Some(size),
        length,
        sound_end: true,
    };
    Ok((samples > 0 && start + size == length).then_some(data))
}

/// A family of files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Identifiers of four bytes, sizes of four bytes, of this byte order.
    Riff { big_endian: bool },
    /// Identifiers of sixteen bytes, sizes of eight that include both, padded to eight.
    W64,
}

/// Reads bytes in one order.
struct Chunks<'a, R> {
    input: &'a mut R,
    family: Family,
    length: u64,
}

/// A chunk: the first four bytes of its identifier, and where its contents begin and how many bytes they have.
struct Chunk {
    id: [u8; 4],
    start: u64,
    size: u64,
}

impl<R: Read + Seek> Chunks<'_, R> {
    fn big_endian(&self) -> bool {
        self.family == Family::Riff { big_endian: true }
    }

    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian() { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian() { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The chunk that begins at byte `at`.
    fn at(&mut self, at: u64) -> Result<Chunk, String> {
        self.input.seek(SeekFrom::Start(at)).map_err(cut)?;
        let id = take::<4>(self.input)?;
        match self.family {
            Family::Riff { .. } => {
                let size = take(self.input)?;
                Ok(Chunk { id, start: at + 8, size: self.u32(size).into() })
            }
            Family::W64 => {
                take::<12>(self.input)?;
                let size = u64::from_le_bytes(take(self.input)?);
                Ok(Chunk { id, start: at + 24, size: size.saturating_sub(24) })
            }
        }
    }

    /// The byte at which the chunk after `chunk` begins. Chunks are padded; some programs forget it.
    fn after(&mut self, chunk: &Chunk) -> u64 {
        let end = chunk.start.saturating_add(chunk.size);
        if self.family == Family::W64 {
            return end.checked_next_multiple_of(8).unwrap_or(end);
        }
        let padded = end.saturating_add(chunk.size & 1);
        let mut named = |at| self.at(at).is_ok_and(|next| is_name(next.id));
        if padded != end && !named(padded) && named(end) { end } else { padded }
    }

    /// Whether chunks, or nothing, follow byte `at`.
    fn sound_from(&mut self, mut at: u64) -> bool {
        while at.saturating_add(8) <= self.length {
            let Ok(chunk) = self.at(at) else { return false };
            if !is_name(chunk.id) || chunk.start.saturating_add(chunk.size) > self.length {
                return false;
            }
            at = self.after(&chunk);
        }
        true
    }
}

/// Whether four bytes can be the name of a chunk.
fn is_name(id: [u8; 4]) -> bool {
    id.iter().all(|b| (b' '..=b'~').contains(b)) && id != *b"    "
}

/// Reads the chunks up to the samples.
fn scan(input: &mut (impl Read + Seek), length: u64) -> Result<Inside, String> {
    let first = take::<4>(input)?;
    let family = match &first {
        b"riff" => Family::W64,
        b"RIFX" => Family::Riff { big_endian: true },
        _ => Family::Riff { big_endian: false },
    };
    let wide = matches!(&first, b"RF64" | b"BW64");
    let mut chunks = Chunks { input, family, length };
    let mut at = if family == Family::W64 { 40 } else { 12 };
    let (mut format, mut size64) = (None, None);
    loop {
        let chunk = chunks.at(at)?;
        match &chunk.id {
            b"ds64" if wide => {
                chunks.input.seek(SeekFrom::Start(chunk.start + 8)).map_err(cut)?;
                size64 = Some(u64::from_le_bytes(take(chunks.input)?));
            }
            b"fmt " => {
                chunks.input.seek(SeekFrom::Start(chunk.start)).map_err(cut)?;
                format = Some(Format::read(&mut chunks, chunk.size)?);
            }
            b"data" => {
                let format = format.ok_or("damaged: it has samples, but no `fmt ` chunk before them")?;
                let size = match chunk.size {
                    0xffff_ffff if wide => size64,
                    size => Some(size),
                };
                return format.inside(&mut chunks, &chunk, size);
            }
            _ if !is_name(chunk.id) => return Err("damaged: between its chunks is something else".into()),
            _ => {}
        }
        at = chunks.after(&chunk);
    }
}

/// What a `fmt ` chunk says.
struct Format {
    /// The kind of samples; of an extensible chunk, the kind in its identifier.
    tag: u16,
    channels: u16,
    rate: u32,
    /// Bytes of a frame.
    block: u16,
    bits: u16,
}

impl Format {
    fn read<R: Read + Seek>(chunks: &mut Chunks<'_, R>, size: u64) -> Result<Format, String> {
        let bytes = take::<16>(chunks.input)?;
        let short = |i: usize| chunks.u16([bytes[i], bytes[i + 1]]);
        let rate = chunks.u32([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let mut format = Format { tag: short(0), channels: short(2), rate, block: short(12), bits: short(14) };
        if format.tag == 0xfffe {
            if size < 40 {
                return Err("damaged: its extensible `fmt ` chunk is too short".into());
            }
            // Size of the extension, valid bits, the channels' places, then the identifier.
            let rest = take::<24>(chunks.input)?;
            if !TAILS.iter().any(|tail| rest[10..] == *tail) {
                return Err(not_read("samples of an unknown kind"));
            }
            format.tag = chunks.u16([rest[8], rest[9]]);
        }
        Ok(format)
    }

    fn inside<R: Read + Seek>(
        self,
        chunks: &mut Chunks<'_, R>,
        chunk: &Chunk,
        size: Option<u64>,
    ) -> Result<Inside, String> {
        let Format { tag, channels, rate, block, bits } = self;
        if channels == 0 {
            return Err("damaged: its header says 0 channels".into());
        }
        // A frame may have more bytes than its bits need. Samples then fill the upper bits.
        let needed = u64::from(bits).div_ceil(8);
        let in_block = u64::from(block / channels);
        let fits = block.is_multiple_of(channels) && in_block >= needed;
        let width = if fits && in_block > 0 { in_block } else { needed };
        let coding = match (tag, width) {
            (1, 1) => Some(Coding::U8),
            (1, width) => Coding::signed(width),
            (3, 4) => Some(Coding::F32),
            (3, 8) => Some(Coding::F64),
            (6, 1) => Some(Coding::ALaw),
            (7, 1) => Some(Coding::MuLaw),
            (0x02 | 0x11, _) => return Ok(Inside::Adpcm),
            (0x55, _) => {
                let end = size.map_or(chunks.length, |n| chunk.start.saturating_add(n).min(chunks.length));
                return Ok(Inside::Mp3(chunk.start, if end == chunk.start { chunks.length } else { end }));
            }
            _ => None,
        };
        let Some(coding) = coding else {
            return Err(match tag {
                1 => not_read(&format!("integer samples of {width} bytes")),
                3 => not_read(&format!("floating-point samples of {width} bytes")),
                0x31 => not_read("GSM 6.10 samples"),
                tag => not_read(&format!("samples of kind {tag:#06x}")),
            });
        };
        let size = match size {
            // A recorder fills in the size when it finishes. Without samples, chunks or nothing follow.
            Some(0) if !chunks.sound_from(chunk.start) => None,
            Some(0xffff_ffff) if chunks.length - chunk.start.min(chunks.length) < 0xffff_ffff => None,
            size => size,
        };
        let end = size.map_or(chunks.length, |size| {
            let whole = Chunk { id: chunk.id, start: chunk.start, size };
            chunks.after(&whole)
        });
        Ok(Inside::Samples(Data {
            rate,
            channels,
            stored: Stored { coding, big_endian: chunks.big_endian() },
            start: chunk.start,
            size,
            length: chunks.length,
            sound_end: end >= chunks.length || chunks.sound_from(end),
        }))
    }
}

/// Whether the first bytes are those of a W64.
pub(in crate::audio) fn is_w64(first: &[u8]) -> bool {
    first.starts_with(b"riff") && first.get(4..16) == Some(&W64_RIFF)
}

fn not_read(what: &str) -> String {
    format!("holds {what}, which are not read; convert it with `ffmpeg -i IN OUT.flac`")
}
