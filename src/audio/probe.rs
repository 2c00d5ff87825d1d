//! Determines the format and length of a file from its headers alone.

use crate::audio::decode::Stream;
use crate::audio::source::{Input, Recording};
use crate::audio::{AudioInfo, Format, ogg, wav, xing};
use crate::error::Problem;
use crate::guard::guarded;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The file name extensions treated as audio, in lower case.
pub const EXTENSIONS: [&str; 6] = ["wav", "wave", "flac", "mp3", "ogg", "oga"];

/// Sample rates outside this range indicate a damaged header.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Whether a file of this name is treated as audio; case is ignored.
pub fn is_audio_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Reads a recording's headers: its format, rate, channels and length.
///
/// The samples are not read, with one exception: an MP3 without a tag that gives its length and a FLAC or Ogg file
/// without a length are read through packet by packet, without decoding.
///
/// # Errors
///
/// One line that describes what is wrong with it, located at its place: it cannot be opened, is empty, is not audio
/// (whatever its name says), is truncated, is damaged or is in an unsupported format. The line also says what to do,
/// where something can be done.
pub fn probe(from: &(impl Recording + ?Sized)) -> Result<AudioInfo, Problem> {
    let info = guarded(|| look(from)).and_then(sensible);
    info.map_err(|what| Problem::new(from.place(), what))
}

fn look(from: &(impl Recording + ?Sized)) -> Result<AudioInfo, String> {
    let unreadable = |e: std::io::Error| format!("cannot be read: {e}");
    let mut input = from.open()?;
    if input.length() == 0 {
        return Err("is empty (0 bytes); copy it again".into());
    }
    let mut first = [0; 12];
    let n = read_up_to(&mut input, &mut first).map_err(unreadable)?;
    let start = tag_length(&first[..n]);
    if start > 0 {
        input.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        first = [0; 12];
        read_up_to(&mut input, &mut first).map_err(unreadable)?;
    }
    match &first {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] if start == 0 => {
            input.seek(SeekFrom::Start(0)).map_err(unreadable)?;
            wav::probe(input)
        }
        [b'R', b'F', b'6', b'4', ..] => {
            Err("RF64 (a WAV of more than 4 GiB) is not supported; convert it with `sox IN \
                                            OUT.flac`"
                .into())
        }
        [b'f', b'L', b'a', b'C', ..] => flac(from, input, start),
        [b'O', b'g', b'g', b'S', ..] => vorbis(input, start),
        [0xff, second, ..] if second & 0xe0 == 0xe0 => mp3(input, start),
        _ if start > 0 || from.name().extension().is_some_and(|e| e.eq_ignore_ascii_case("mp3")) => mp3(input, start),
        _ => Err(not_audio(from.name())),
    }
}

fn not_audio(path: &Path) -> String {
    let named = path.extension().map(|e| format!(", although it is named .{}", e.to_string_lossy()));
    let named = named.unwrap_or_default();
    format!("is not audio{named}: it does not begin like a WAV, FLAC, MP3 or Ogg file")
}

/// Fills `buffer` as far as the input reaches.
fn read_up_to(input: &mut Input, buffer: &mut [u8]) -> std::io::Result<usize> {
    let limit = buffer.len() as u64;
    let mut bytes = Vec::with_capacity(buffer.len());
    input.take(limit).read_to_end(&mut bytes)?;
    buffer[..bytes.len()].copy_from_slice(&bytes);
    Ok(bytes.len())
}

/// Length in bytes of the ID3v2 tag at the start of the file, 0 if there is none.
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

fn flac(from: &(impl Recording + ?Sized), input: Input, start: u64) -> Result<AudioInfo, String> {
    let mut stream = Stream::open(input, start, Format::Flac)?;
    let (rate, channels, frames) = stream.header();
    let frames = match frames {
        Some(frames) => {
            // The last packet must exist if the header gives a length. A seek can also fail in a good file, so the packets
            // are counted before the file is reported as bad.
            if let Err(what) = stream.holds(frames.saturating_sub(1)) {
                let counted = Stream::open(from.open()?, start, Format::Flac)?.count();
                if counted.unwrap_or(0) < frames {
                    return Err(what);
                }
            }
            frames
        }
        None => stream.count()?,
    };
    Ok(info(Format::Flac, rate, channels, frames, start, u64::MAX))
}

fn mp3(mut input: Input, start: u64) -> Result<AudioInfo, String> {
    let length = input.length();
    let mut head = [0; 1024];
    input.seek(SeekFrom::Start(start)).map_err(|e| format!("cannot be read: {e}"))?;
    let n = read_up_to(&mut input, &mut head).map_err(|e| format!("cannot be read: {e}"))?;
    let tag = xing::find(&head[..n]).unwrap_or_default();
    if let Some(bytes) = tag.bytes
        && start.saturating_add(bytes) > length
    {
        return Err(format!(
            "truncated: its header promises {bytes} bytes, the file holds {}; copy it again",
            length - start.min(length)
        ));
    }
    let mut stream = Stream::open(input, start, Format::Mp3).map_err(|what| match what {
        what if what.starts_with("truncated") => {
            "is not audio, although it is named .mp3: it contains no MP3 frames".into()
        }
        what => what,
    })?;
    let (rate, channels, frames) = stream.header();
    let frames = match frames {
        Some(frames) if tag.counted => frames,
        _ => stream.count()?,
    };
    Ok(info(Format::Mp3, rate, channels, frames, start, u64::MAX))
}

fn vorbis(mut input: Input, start: u64) -> Result<AudioInfo, String> {
    let tail = ogg::tail(&mut input).map_err(|e| format!("cannot be read: {e}"))?;
    let mut stream = Stream::open(input, start, Format::Vorbis)?;
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
    let steady = tail.last_page.saturating_add_signed(-stream.origin());
    Ok(info(Format::Vorbis, rate, channels, frames, start, steady))
}

fn info(format: Format, rate: u32, channels: u16, frames: u64, start: u64, steady: u64) -> AudioInfo {
    AudioInfo { rate, channels, frames, format, start, sample: wav::Stored::I16, steady }
}

/// Rejects values that no recording has.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::fixtures::{fixture, wav};
    use crate::audio::read;
    use proptest::prelude::*;

    /// The reported problem of a file with these bytes.
    fn fault(name: &str, bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let problem = probe(&path).unwrap_err();
        assert_eq!(problem.at, path.display().to_string());
        assert!(!problem.what.contains('\n'), "one line: {}", problem.what);
        problem.what
    }

    /// A WAV header with these fields, followed by `body`.
    fn raw_wav(tag: u16, channels: u16, rate: u32, bits: u16, data: u32, body: &[u8]) -> Vec<u8> {
        let block = channels * bits.div_ceil(8);
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0".to_vec();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend((rate.wrapping_mul(u32::from(block))).to_le_bytes());
        bytes.extend(block.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(data.to_le_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn headers_tell_kind_rate_channels_and_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wav");
        wav(&path, 8_000, 2, 123, |_, _| 0);
        let told = |path: &Path| probe(path).map(|i| (i.format, i.rate, i.channels, i.frames)).unwrap();
        assert_eq!(told(&path), (Format::Wav, 8_000, 2, 123));
        assert_eq!(told(&fixture("tone.flac")), (Format::Flac, 16_000, 1, 16_000));
        assert_eq!(told(&fixture("stereo.flac")), (Format::Flac, 22_050, 2, 8_820));
        assert_eq!(told(&fixture("tone.mp3")), (Format::Mp3, 16_000, 1, 16_000));
        assert_eq!(told(&fixture("tone.ogg")), (Format::Vorbis, 16_000, 1, 16_000));
        // Without a tag, the encoder's delay and padding cannot be distinguished from audio: whole frames of 576.
        let (format, rate, channels, frames) = told(&fixture("untagged.mp3"));
        assert_eq!((format, rate, channels, frames % 576), (Format::Mp3, 22_050, 2, 0));
        assert!((8_820..8_820 + 4 * 576).contains(&frames), "{frames}");
    }

    #[test]
    fn content_counts_and_not_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("really-flac.wav");
        std::fs::copy(fixture("tone.flac"), &path).unwrap();
        assert_eq!(probe(&path).unwrap().format, Format::Flac);
        // An ID3 tag before a FLAC stream violates the specification, but is common.
        let mut tagged = b"ID3\x04\0\0\0\0\x01\x00".to_vec();
        tagged.resize(10 + 128, 0);
        tagged.extend(std::fs::read(fixture("tone.flac")).unwrap());
        std::fs::write(&path, tagged).unwrap();
        let info = probe(&path).unwrap();
        assert_eq!((info.format, info.frames), (Format::Flac, 16_000));
        let there = read(&path, &info, 9_000..9_100, 16_000).unwrap();
        let plain = probe(&fixture("tone.flac")).unwrap();
        assert_eq!(there, read(&fixture("tone.flac"), &plain, 9_000..9_100, 16_000).unwrap());
    }

    #[test]
    fn what_is_not_audio_is_told_with_its_reason() {
        assert_eq!(fault("a.wav", b""), "is empty (0 bytes); copy it again");
        assert!(fault("a.flac", b"To be or not to be").starts_with("is not audio, although it is named .flac"));
        assert!(
            fault("a.mp3", &b"To be or not to be".repeat(100)).starts_with("is not audio, although it is named .mp3")
        );
        assert!(fault("a.ogg", b"x").contains("is not audio"));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(probe(dir.path()).unwrap_err().what, "is a directory, not an audio file");
        assert!(probe(&dir.path().join("gone.wav")).unwrap_err().what.starts_with("cannot be opened: No such file"));
    }

    #[test]
    fn wav_headers_that_lie_are_found_out_without_reserving_what_they_ask_for() {
        let text = fault("a.wav", &raw_wav(1, 1, 16_000, 16, 0xffff_fffe, &[0; 32_000]));
        assert!(text.starts_with("truncated: the header promises 134217.73 s, the file holds 1.00 s"), "{text}");
        let text = fault("a.wav", &raw_wav(1, 1, 16_000, 16, 32_000, &[0; 31_998]));
        assert!(text.starts_with("truncated"), "{text}");
        assert_eq!(fault("a.wav", &raw_wav(1, 1, 16_000, 16, 0, &[])), "holds no samples; leave it out");
        assert!(fault("a.wav", &raw_wav(1, 0, 16_000, 16, 4, &[0; 4])).contains("zero channels"));
        assert!(fault("a.wav", &raw_wav(1, 1, 0, 16, 4, &[0; 4])).starts_with("its sample rate of 0 Hz"));
        assert!(fault("a.wav", &raw_wav(1, 1, 4_000_000, 16, 4, &[0; 4])).starts_with("its sample rate of 4000000 Hz"));
        assert!(fault("a.wav", &raw_wav(7, 1, 8_000, 8, 4, &[0; 4])).contains("mu-law"));
        assert!(fault("a.wav", &raw_wav(3, 1, 8_000, 64, 8, &[0; 8])).contains("the WAV header cannot be used"));
        assert!(fault("a.wav", &raw_wav(1, 1, 16_000, 16, 4, &[0; 4])[..30]).starts_with("truncated: the header"));
        let mut wide = raw_wav(1, 1, 16_000, 24, 8, &[0; 8]);
        wide[28] = 64_000u32.to_le_bytes()[0];
        wide[28..32].copy_from_slice(&64_000u32.to_le_bytes());
        wide[32] = 4;
        assert!(fault("a.wav", &wide).starts_with("24-bit integer samples in 4 bytes each"));
    }

    #[test]
    fn cut_files_are_truncated() {
        for name in ["tone.flac", "stereo.flac", "tone.mp3", "tone.ogg"] {
            let bytes = std::fs::read(fixture(name)).unwrap();
            for share in [0.3, 0.6, 0.99] {
                let text = fault(name, &bytes[..(bytes.len() as f64 * share) as usize]);
                assert!(text.starts_with("truncated"), "{name} {share}: {text}");
            }
        }
    }

    /// One of several ways to damage a file.
    fn damage(bytes: &mut Vec<u8>, way: u8, at: f64, size: usize, value: u8) {
        // Damage to the header does the most harm, so half of the cases damage the header.
        let region = if way.is_multiple_of(2) { bytes.len().min(256) } else { bytes.len() };
        let from = ((at * region as f64) as usize).min(bytes.len());
        let to = (from + size).min(bytes.len());
        match way / 2 {
            0 => bytes.truncate(from),
            1 => bytes[from..to].fill(value),
            2 => bytes[from..to].iter_mut().for_each(|b| *b ^= value),
            3 => drop(bytes.drain(from..to)),
            _ => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(from..from, piece);
            }
        }
    }

    #[test]
    fn damage_of_any_kind_is_survived() {
        crate::guard::hush();
        let dir = tempfile::tempdir().unwrap();
        let sound = dir.path().join("sound.wav");
        wav(&sound, 22_050, 2, 900, |n, c| (n * 77) as i16 ^ c as i16);
        let files: Vec<_> = ["tone.flac", "stereo.flac", "tone.mp3", "untagged.mp3", "tone.ogg"].map(fixture).into();
        let files: Vec<_> = files.into_iter().chain([sound]).map(|p| std::fs::read(p).unwrap()).collect();
        let path = dir.path().join("damaged.mp3");
        let strategy = (0..files.len(), 0u8..10, 0.0..1.0f64, 0usize..300, any::<u8>(), 0.0..1.0f64);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(600));
        let outcome = runner.run(&strategy, |(file, way, at, size, value, place)| {
            let mut bytes = files[file].clone();
            damage(&mut bytes, way, at, size, value);
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(info) = probe(&path) {
                let held = info.samples_at(16_000);
                let from = (place * held as f64) as u64;
                for range in [0..held.min(2000), from..held.min(from + 2000)] {
                    if let Ok(samples) = read(&path, &info, range, 16_000) {
                        prop_assert!(samples.iter().all(|x| x.is_finite()));
                    }
                }
            }
            Ok(())
        });
        outcome.unwrap();
    }
}
