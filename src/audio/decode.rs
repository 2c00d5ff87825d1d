//! Decodes any range of frames of a FLAC, MP3 or Ogg Vorbis file to mono, through `symphonia`.
//!
//! FLAC and Ogg files are read by seeking. An MP3 has no index, so its packets are read from the beginning, but decoded
//! only from shortly before the range (its frames borrow bits from earlier frames and overlap with them). If a seek does
//! not land where it should, the file is read again from the beginning before it is reported as damaged.

use crate::audio::source::{Input, Recording, stream};
use crate::audio::{AudioInfo, Format};
use crate::guard::guarded;
use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error, SeekErrorKind};
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track};
use symphonia::core::units::Timestamp;
use symphonia::default::codecs::{FlacDecoder, MpaDecoder, VorbisDecoder};
use symphonia::default::formats::{FlacReader, MpaReader, OggReader};

/// MP3 packets decoded before the requested range: 255 borrowed bytes at 11 bytes per frame (8 kbit/s, 24 kHz, the
/// worst case), plus two frames for the overlap of the transforms.
const MP3_WARM_UP: i64 = 26;

const TRUNCATED: &str = "truncated: it ends earlier than its header says; copy it again";

/// Number of samples that may be missing at the end of an MP3: two frames. Missing samples are filled with silence.
const MP3_MISCOUNT: usize = 2 * 1152;

/// An open compressed file.
pub(super) struct Stream {
    format: Format,
    demuxer: Box<dyn FormatReader>,
    track: u32,
    /// Timestamp of the first frame; greater than 0 in an Ogg file that was cut from a longer one.
    origin: i64,
}

/// Describes the error, as the rest of a sentence that begins with the file's name.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => TRUNCATED.into(),
        Error::IoError(e) if e.kind() == std::io::ErrorKind::InvalidInput => {
            "damaged: it refers to a position outside the file".into()
        }
        Error::IoError(e) => format!("cannot be read: {e}"),
        Error::DecodeError(what) | Error::LimitError(what) => format!("damaged: {what}"),
        Error::Unsupported(what) => format!("not supported: {what}; convert it with `sox IN OUT.flac`"),
        Error::SeekError(SeekErrorKind::OutOfRange) => TRUNCATED.into(),
        Error::SeekError(_) => "damaged: a seek in it failed".into(),
        _ => {
            "it changes format partway through (several concatenated streams); convert it with `sox IN OUT.flac`".into()
        }
    }
}

impl Stream {
    /// Opens the stream of `format` that begins at byte `start` of `input`.
    pub(super) fn open(input: Input, start: u64, format: Format) -> Result<Self, String> {
        let bytes = stream(input, start).map_err(|e| format!("cannot be read: {e}"))?;
        let options = FormatOptions::default();
        let demuxer: Box<dyn FormatReader> = match format {
            Format::Flac => Box::new(FlacReader::try_new(bytes, options).map_err(|e| words(&e))?),
            Format::Mp3 => Box::new(MpaReader::try_new(bytes, options).map_err(|e| words(&e))?),
            Format::Vorbis => Box::new(OggReader::try_new(bytes, options).map_err(|e| words(&e))?),
            Format::Wav => return Err("a WAV is not a compressed stream".into()),
        };
        let wanted = match format {
            Format::Flac => CODEC_ID_FLAC,
            Format::Mp3 => CODEC_ID_MP3,
            _ => CODEC_ID_VORBIS,
        };
        let track = demuxer.tracks().iter().find(|t| parameters(t).is_some_and(|p| p.codec == wanted));
        // The first packet after a cut only primes the decoder for the next one; an uncut stream starts before 0 by that amount.
        let origin = |t: &Track| t.start_ts.get().saturating_add(i64::from(t.delay.unwrap_or(0))).max(0);
        match track.map(|t| (t.id, if format == Format::Vorbis { origin(t) } else { 0 })) {
            Some((track, origin)) => Ok(Stream { format, demuxer, track, origin }),
            None => Err(match format {
                Format::Vorbis => {
                    "an Ogg file that contains no Vorbis (Opus or Speex?); convert it with `ffmpeg -i IN \
                                   OUT.flac`"
                        .into()
                }
                _ => format!("not a {format} file, although it begins like one"),
            }),
        }
    }

    /// The timestamp of the first frame, in frames.
    pub(super) fn origin(&self) -> i64 {
        self.origin
    }

    /// The stream's serial number in an Ogg file.
    pub(super) fn serial(&self) -> u32 {
        self.track
    }

    /// Header fields: rate, channels, and the number of frames if the header gives one.
    pub(super) fn header(&self) -> (u32, u16, Option<u64>) {
        let track = self.demuxer.tracks().iter().find(|t| t.id == self.track);
        let parameters = track.and_then(parameters);
        let rate = parameters.and_then(|p| p.sample_rate).unwrap_or(0);
        let channels = parameters.and_then(|p| p.channels.as_ref()).map_or(0, |c| c.count());
        // For Ogg, `num_frames` is the timestamp of the end.
        let frames = track.and_then(|t| t.num_frames).map(|n| n.saturating_sub(self.origin.unsigned_abs()));
        (rate, u16::try_from(channels).unwrap_or(u16::MAX), frames)
    }

    /// Counts the frames by reading through the packets without decoding them.
    pub(super) fn count(&mut self) -> Result<u64, String> {
        let mut frames = 0u64;
        while let Some(packet) = self.demuxer.next_packet().map_err(|e| words(&e))? {
            if packet.track_id == self.track {
                let n = if self.format == Format::Mp3 { packet.block_dur() } else { packet.dur };
                frames = frames.saturating_add(n.get());
            }
        }
        Ok(frames)
    }

    /// Checks that the packet that contains frame `at` exists.
    pub(super) fn holds(&mut self, at: u64) -> Result<(), String> {
        self.seek(at)?;
        match self.demuxer.next_packet() {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(TRUNCATED.into()),
            Err(e) => Err(words(&e)),
        }
    }

    fn seek(&mut self, at: u64) -> Result<(), String> {
        let ts = Timestamp::new(i64::try_from(at).unwrap_or(i64::MAX).saturating_add(self.origin));
        let to = SeekTo::Timestamp { ts, track_id: self.track };
        self.demuxer.seek(SeekMode::Accurate, to).map(drop).map_err(|e| words(&e))
    }

    fn decoder(&self) -> Result<Box<dyn AudioDecoder>, String> {
        let track = self.demuxer.tracks().iter().find(|t| t.id == self.track);
        let parameters = track.and_then(parameters).ok_or("damaged: it no longer has an audio track")?;
        // The ends of an MP3 are trimmed here, by frame count: symphonia guesses the trim for files without a tag.
        let options = AudioDecoderOptions::default().gapless(self.format != Format::Mp3);
        Ok(match self.format {
            Format::Flac => Box::new(FlacDecoder::try_new(parameters, &options).map_err(|e| words(&e))?),
            Format::Mp3 => Box::new(MpaDecoder::try_new(parameters, &options).map_err(|e| words(&e))?),
            _ => Box::new(VorbisDecoder::try_new(parameters, &options).map_err(|e| words(&e))?),
        })
    }

    /// Decodes frames `first..first + out.len()`, averaged to mono, starting at the demuxer's current position.
    fn fill(&mut self, first: u64, out: &mut [f32]) -> Result<(), String> {
        let mut decoder = self.decoder()?;
        let (first, mut filled) = (i64::try_from(first).unwrap_or(i64::MAX), 0usize);
        let mut number = 0u64;
        while filled < out.len() {
            let packet = match self.demuxer.next_packet() {
                Ok(Some(packet)) => packet,
                // Encoders disagree on whether the frame count in an MP3's tag includes the tag's own frame.
                Ok(None) if self.format == Format::Mp3 && out.len() - filled <= MP3_MISCOUNT => {
                    out[filled..].fill(0.0);
                    return Ok(());
                }
                Ok(None) => return Err(TRUNCATED.into()),
                Err(e) => return Err(words(&e)),
            };
            if packet.track_id != self.track {
                continue;
            }
            number += 1;
            let block = i64::try_from(packet.block_dur().get()).unwrap_or(i64::MAX);
            let margin = match self.format {
                Format::Mp3 => block.saturating_mul(MP3_WARM_UP),
                Format::Flac => 0,
                _ => i64::MAX,
            };
            let begin = packet.pts.get().saturating_sub(self.origin);
            if begin.saturating_add(block) <= first.saturating_sub(margin) {
                continue;
            }
            let at =
                if self.format == Format::Mp3 { begin } else { begin.saturating_add(packet.trim_start.get() as i64) };
            let want = first.saturating_add(filled as i64);
            match decoder.decode(&packet) {
                Ok(audio) => {
                    let frames = audio.frames();
                    let skip = want.saturating_sub(at);
                    if skip < 0 && frames > 0 {
                        let seconds = want as f64 / f64::from(self.header().0.max(1));
                        return Err(format!("damaged: {} samples starting at {seconds:.2} s cannot be decoded", -skip));
                    }
                    if skip < frames as i64 {
                        let n = (frames - skip as usize).min(out.len() - filled);
                        mono(&audio, skip as usize, &mut out[filled..filled + n])?;
                        filled += n;
                    }
                }
                // The first frames of a cut MP3 borrow bits from frames that are missing; players skip them too.
                Err(_) if self.format == Format::Mp3 && (number <= 2 || begin.saturating_add(block) <= want) => {
                    let n = begin.saturating_add(block).saturating_sub(want).clamp(0, (out.len() - filled) as i64);
                    out[filled..filled + n as usize].fill(0.0);
                    filled += n as usize;
                }
                Err(e) => return Err(words(&e)),
            }
        }
        Ok(())
    }
}

fn parameters(track: &Track) -> Option<&AudioCodecParameters> {
    match track.codec_params.as_ref() {
        Some(CodecParameters::Audio(parameters)) => Some(parameters),
        _ => None,
    }
}

/// Averages the channels of frames `skip..skip + out.len()`.
fn mono(audio: &GenericAudioBufferRef<'_>, skip: usize, out: &mut [f32]) -> Result<(), String> {
    fn average<S: Copy>(planes: &[&[S]], skip: usize, out: &mut [f32], value: impl Fn(S) -> f32) {
        let share = 1.0 / planes.len().max(1) as f32;
        for (i, slot) in out.iter_mut().enumerate() {
            let sum: f32 = planes.iter().filter_map(|p| p.get(skip + i)).map(|s| value(*s)).sum();
            *slot = if planes.len() == 1 { sum } else { sum * share };
        }
    }
    match audio {
        GenericAudioBufferRef::S32(buffer) => {
            let planes: Vec<&[i32]> = buffer.iter_planes().collect();
            average(&planes, skip, out, |s| s as f32 / 2_147_483_648.0);
        }
        GenericAudioBufferRef::F32(buffer) => {
            let planes: Vec<&[f32]> = buffer.iter_planes().collect();
            average(&planes, skip, out, |s| s);
        }
        _ => return Err("it decodes to an unexpected sample format".into()),
    }
    Ok(())
}

/// Reads frames `first..first + out.len()` of the recording, averaged to mono.
pub(super) fn read(
    from: &(impl Recording + ?Sized),
    info: &AudioInfo,
    first: u64,
    out: &mut [f32],
) -> Result<(), String> {
    let open = || Stream::open(from.open()?, info.start, info.format);
    let target = first.min(info.steady);
    if info.format != Format::Mp3 && target > 0 {
        let sought = guarded(|| {
            let mut stream = open()?;
            stream.seek(target)?;
            stream.fill(first, out)
        });
        if sought.is_ok() {
            return Ok(());
        }
    }
    guarded(|| open()?.fill(first, out))
}
