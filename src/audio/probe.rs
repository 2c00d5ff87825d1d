//! Determines the format and length of a file from its headers alone.

use crate::audio::compressed::{self, Container, flac, mp3, ogg, packets};
use crate::audio::source::{Input, Recording};
use crate::audio::stored::{self, Inside};
use crate::audio::{AudioInfo, Format, foreign};
use crate::error::Problem;
use crate::guard::guarded;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The file name extensions treated as audio, in lower case.
pub const EXTENSIONS: [&str; 21] = [
    "wav", "wave", "flac", "mp3", "ogg", "oga", "m4a", "m4b", "aac", "aif", "aiff", "aifc", "au", "snd", "caf", "sph",
    "nist", "w64", "rf64", "webm", "mka",
];

/// Sample rates outside this range indicate a damaged header.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Whether a file of this name is treated as audio; case is ignored.
pub fn is_audio_name(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    ending.is_some_and(|e| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Reads a recording's headers: its format, rate, channels and length.
///
/// The samples are not read, with two exceptions: MP3, M4A, CAF and files without a length are read through packet by packet, without
/// decoding; WebM is decoded, because nothing else tells its length.
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
    let mut start = 0;
    let first = loop {
        input.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let first = first_bytes(&mut input).map_err(unreadable)?;
        match compressed::head(&first) {
            0 => break first,
            tag => start += tag,
        }
    };
    let stored = |format, data: Result<_, String>| data.map(|data| AudioInfo::from((format, data)));
    let whole = input.length();
    if let (0, Some(kind)) = (start, Kind::of(&first)) {
        input.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        return match kind {
            Kind::Wav => match stored::wav(input)? {
                Inside::Samples(data) => stored(Format::Wav, Ok(data)),
                Inside::Adpcm => packets(from, (Format::Wav, Container::Wav), from.open()?, (0, whole)),
                Inside::Mp3(begin, end) => mp3(from.open()?, (begin, end)),
            },
            Kind::Aiff => stored(Format::Aiff, stored::aiff(input)),
            Kind::Au => stored(Format::Au, stored::au(input)),
            Kind::Sphere => stored(Format::Sphere, stored::sphere(input)),
            Kind::Mp4 => packets(from, (Format::M4a, Container::Mp4), input, (0, whole)),
            Kind::Matroska => packets(from, (Format::Webm, Container::Matroska), input, (0, whole)),
            Kind::Caf => packets(from, (Format::Caf, Container::Caf), input, (0, whole)),
        };
    }
    let bytes = (start, compressed::tail(&mut input).map_err(unreadable)?.max(start));
    match &first[..] {
        [b'f', b'L', b'a', b'C', ..] => flac(from, input, bytes),
        [b'O', b'g', b'g', b'S', ..] => ogg(input, bytes),
        // The two bits of the layer are 0 in ADTS.
        [0xff, second, ..] if second & 0xf6 == 0xf0 => packets(from, (Format::Aac, Container::Adts), input, bytes),
        [0xff, second, ..] if second & 0xe0 == 0xe0 => mp3(input, bytes),
        first => match foreign::recognized(first) {
            Some(kind) => Err(foreign::refused(kind)),
            None if start > 0 || named(from, "mp3") => mp3(input, bytes).map_err(|what| whose(from, what)),
            None => Err(whose(from, "is not audio: it does not begin like a recording of any kind".into())),
        },
    }
}

/// Kinds of files that their first bytes tell apart.
enum Kind {
    Wav,
    Aiff,
    Au,
    Sphere,
    Mp4,
    Matroska,
    Caf,
}

impl Kind {
    fn of(first: &[u8]) -> Option<Kind> {
        let form = first.get(8..12);
        match first.get(..4)? {
            b"RIFF" | b"RIFX" | b"RF64" | b"BW64" if form == Some(b"WAVE") => Some(Kind::Wav),
            b"riff" if stored::is_w64(first) => Some(Kind::Wav),
            b"FORM" if form == Some(b"AIFF") || form == Some(b"AIFC") => Some(Kind::Aiff),
            b".snd" => Some(Kind::Au),
            b"NIST" if first.starts_with(b"NIST_1A") => Some(Kind::Sphere),
            b"caff" => Some(Kind::Caf),
            [0x1a, 0x45, 0xdf, 0xa3] => Some(Kind::Matroska),
            _ if first.get(4..8) == Some(b"ftyp") => Some(Kind::Mp4),
            _ => None,
        }
    }
}

fn named(from: &(impl Recording + ?Sized), ending: &str) -> bool {
    from.name().extension().is_some_and(|e| e.eq_ignore_ascii_case(ending))
}

/// Adds the name to "is not audio".
fn whose(from: &(impl Recording + ?Sized), what: String) -> String {
    match (what.strip_prefix("is not audio:"), from.name().extension()) {
        (Some(rest), Some(ending)) => {
            format!("is not audio, although it is named .{}:{rest}", ending.to_string_lossy())
        }
        _ => what,
    }
}

/// The first bytes from the input's position, as far as it reaches.
fn first_bytes(input: &mut Input) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(64);
    input.take(64).read_to_end(&mut bytes)?;
    Ok(bytes)
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
    use crate::audio::fixtures::{FILES, fixture, wav};
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
        assert_eq!(told(&fixture("tone.m4a")), (Format::M4a, 16_000, 1, 16_000));
        assert_eq!(told(&fixture("tone.aac")), (Format::Aac, 16_000, 1, 17 * 1024));
        assert_eq!(told(&fixture("flac.oga")), (Format::OggFlac, 16_000, 1, 16_000));
        assert_eq!(told(&fixture("pcm.caf")), (Format::Caf, 16_000, 1, 16_000));
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
    fn headers_that_no_recording_has_are_refused() {
        assert_eq!(fault("a.wav", &raw_wav(1, 1, 16_000, 16, 0, &[])), "holds no samples; leave it out");
        assert!(fault("a.wav", &raw_wav(1, 0, 16_000, 16, 4, &[0; 4])).contains("0 channels"));
        assert!(fault("a.wav", &raw_wav(1, 1, 0, 16, 4, &[0; 4])).starts_with("its sample rate of 0 Hz"));
        assert!(fault("a.wav", &raw_wav(1, 1, 4_000_000, 16, 4, &[0; 4])).starts_with("its sample rate of 4000000 Hz"));
        assert!(fault("a.wav", &raw_wav(0x31, 1, 8_000, 0, 4, &[0; 4])).starts_with("holds GSM 6.10 samples"));
        assert!(fault("a.wav", &raw_wav(1, 1, 16_000, 16, 4, &[0; 4])[..30]).starts_with("truncated: the header"));
    }

    #[test]
    fn what_is_not_read_is_named_with_what_to_do() {
        let opus = std::fs::read(fixture("opus.ogg")).unwrap();
        assert_eq!(fault("a.ogg", &opus), "holds Opus, which is not read; convert it with `ffmpeg -i IN OUT.flac`");
        assert!(
            fault("a.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11 and more")
                .starts_with("is Windows Media, which is not read")
        );
        assert!(fault("a.wav", b"\x1f\x8b\x08 and so on").starts_with("is gzip; unpack it"));
        assert!(fault("a.wav", b"<!DOCTYPE html><html>").contains("it is a web page; download the recording again"));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00";
        assert!(fault("a.flac", pointer).contains("`git lfs pull`"));
        assert!(fault("a.mp3", &[0xff, 0xfd, 0x90, 0xc4].repeat(400)).contains("layer 1 or 2"));
        assert!(
            fault("a.sph", b"NIST_1A\n   1024\n").starts_with("damaged: its NIST SPHERE header gives no sample_rate")
        );
        let mut shorten =
            b"NIST_1A\n   1024\nsample_rate -i 16000\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
                .to_vec();
        shorten.resize(2000, 0);
        assert!(fault("a.sph", &shorten).contains("coding `pcm,embedded-shorten-v2.00`"));
        assert!(fault("a.xyz", b"#!AMR\n").starts_with("is AMR"));
    }

    #[test]
    fn an_mp3_is_as_long_as_its_frames() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.mp3");
        let tone = std::fs::read(fixture("tone.mp3")).unwrap();
        let at = tone.windows(4).position(|w| w == b"Info" || w == b"Xing").unwrap();
        let of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let info = probe(&path).unwrap();
            // As long as it says it is.
            assert_eq!(read(&path, &info, 0..info.frames, 16_000).unwrap().len() as u64, info.frames);
            (info.frames, info.remark())
        };
        let tagged = |offset: usize, number: u32| {
            let mut bytes = tone.clone();
            bytes[at + offset..at + offset + 4].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        assert_eq!(of(&tone), (16_000, None));
        // The whole stream without the delay of 1105 samples, as ffmpeg; what fills the last frame is not known.
        let frames = u64::from(u32::from_be_bytes(tone[at + 8..at + 12].try_into().unwrap()));
        let whole = frames * 576 - 1105;
        for said in [0, 3, 10_000] {
            let (length, remark) = of(&tagged(8, said));
            let remark = remark.unwrap();
            assert!(
                length == whole && remark.starts_with(&format!("its tag says {said} MPEG frames, it has {frames}")),
                "{remark}"
            );
        }
        // A wrong size alone is no contradiction, since all frames are there.
        assert_eq!(of(&tagged(12, 90_000)), (16_000, None));
        // Joined end to end: the tags of the second and third are not audio.
        let (length, remark) = of(&tone.repeat(3));
        assert!(length == 3 * frames * 576 - 1105 && remark.is_some(), "{length}");
        // Tags of other kinds around it.
        let id3v1 = [b"TAG".to_vec(), vec![b'x'; 125]].concat();
        let id3v2 = [b"ID3\x04\0\0\0\0\0\x05".to_vec(), vec![0; 5]].concat();
        assert_eq!(of(&[id3v2.clone(), id3v2, tone.clone(), id3v1].concat()), (16_000, None));
    }

    #[test]
    fn a_flac_with_a_tag_at_its_end_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.flac");
        let mut bytes = std::fs::read(fixture("stereo.flac")).unwrap();
        bytes.extend([b"TAG".to_vec(), vec![b'x'; 125]].concat());
        std::fs::write(&path, bytes).unwrap();
        let info = probe(&path).unwrap();
        let plain = probe(&fixture("stereo.flac")).unwrap();
        assert_eq!(info.frames, plain.frames);
        let samples = |path: &Path, info: &AudioInfo| read(path, info, 0..info.frames, info.rate).unwrap();
        assert_eq!(samples(&path, &info), samples(&fixture("stereo.flac"), &plain));
    }

    #[test]
    fn cut_files_are_truncated() {
        for name in ["tone.flac", "stereo.flac", "tone.mp3", "tone.ogg", "tone.m4a", "alac.m4a"] {
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
        let files: Vec<_> = FILES.map(fixture).into();
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
