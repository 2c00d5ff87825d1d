//! Decodes any range of frames of a compressed recording to mono.
//!
//! Most containers are read by seeking. An MP3 has no index, so its packets are read from the beginning, but decoded only from shortly
//! before the range (its frames borrow bits from earlier frames and overlap with them). If a seek does not land where it should, the file is
//! read again from the beginning before it is reported as damaged.

use super::{Container, Decoded, Stream, TRUNCATED, words};
use crate::audio::AudioInfo;
use crate::audio::source::Recording;
use crate::guard::guarded;
use symphonia::core::audio::conv::IntoSample;
use symphonia::core::audio::sample::Sample;
use symphonia::core::audio::{Audio, AudioBuffer, GenericAudioBufferRef};

/// MP3 packets decoded before the requested range: 255 borrowed bytes at 11 bytes per frame (8 kbit/s, 24 kHz, the
/// worst case), plus two frames for the overlap of the transforms.
const MP3_WARM_UP: i64 = 26;

/// Packets of AAC decoded before the requested range: its transforms overlap.
const AAC_WARM_UP: i64 = 3;

/// Frames before the range to which a seek in an MP4 goes: packets of AAC for the warm-up.
const MP4_LEAD: i64 = 4 * 1024;

impl Stream {
    /// Decodes frames `first..first + out.len()`, averaged to mono, starting at the demuxer's current position.
    fn fill(&mut self, how: Decoded, first: u64, out: &mut [f32]) -> Result<(), String> {
        let mut decoder = self.decoder()?;
        let (first, mut filled) = (i64::try_from(first).unwrap_or(i64::MAX), 0usize);
        let (mut number, mut decoded) = (0u64, 0i64);
        let mpeg = self.container == Container::Mpeg;
        while filled < out.len() {
            let packet = self.packet()?.ok_or(TRUNCATED)?;
            number += 1;
            let block = i64::try_from(self.block(&packet)).unwrap_or(i64::MAX);
            let margin = match self.container {
                Container::Mpeg => block.saturating_mul(MP3_WARM_UP),
                Container::Mp4 | Container::Caf | Container::Adts => block.saturating_mul(AAC_WARM_UP),
                Container::Flac | Container::Wav => 0,
                Container::Ogg | Container::Matroska => i64::MAX,
            };
            let position = if how.timed { packet.pts.get() } else { decoded };
            let begin = position.saturating_sub(how.origin);
            if how.timed && begin.saturating_add(block) <= first.saturating_sub(margin) {
                continue;
            }
            let trimmed = if self.container == Container::Ogg { packet.trim_start.get() as i64 } else { 0 };
            let at = begin.saturating_add(trimmed);
            let want = first.saturating_add(filled as i64);
            match decoder.decode(&packet) {
                Ok(audio) => {
                    let frames = audio.frames();
                    decoded = decoded.saturating_add(frames as i64);
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
                Err(_) if mpeg && (number <= 2 || begin.saturating_add(block) <= want) => {
                    let n = begin.saturating_add(block).saturating_sub(want).clamp(0, (out.len() - filled) as i64);
                    out[filled..filled + n as usize].fill(0.0);
                    filled += n as usize;
                }
                Err(e) => return Err(words(&e)),
            }
        }
        Ok(())
    }

    /// Counts the frames by decoding all packets.
    pub(super) fn decode_and_count(&mut self) -> Result<u64, String> {
        let mut decoder = self.decoder()?;
        let mut frames = 0;
        while let Some(packet) = self.packet()? {
            frames += decoder.decode(&packet).map_err(|e| words(&e))?.frames() as u64;
        }
        Ok(frames)
    }

    /// Decodes the first packet, to see whether its kind can be decoded, and returns its frames.
    pub(super) fn try_first(&mut self) -> Result<u64, String> {
        let mut decoder = self.decoder()?;
        let packet = self.packet()?.ok_or("holds no samples; leave it out")?;
        let frames = decoder.decode(&packet).map_err(|e| words(&e))?.frames();
        Ok(frames as u64)
    }
}

/// Averages the channels of frames `skip..skip + out.len()`.
fn mono(audio: &GenericAudioBufferRef<'_>, skip: usize, out: &mut [f32]) -> Result<(), String> {
    fn average<S: Sample + IntoSample<f32>>(buffer: &AudioBuffer<S>, skip: usize, out: &mut [f32]) {
        let planes: Vec<&[S]> = buffer.iter_planes().collect();
        let share = 1.0 / planes.len().max(1) as f32;
        for (i, slot) in out.iter_mut().enumerate() {
            let sum: f32 = planes.iter().filter_map(|p| p.get(skip + i)).map(|s| (*s).into_sample()).sum();
            *slot = if planes.len() == 1 { sum } else { sum * share };
        }
    }
    match audio {
        GenericAudioBufferRef::U8(buffer) => average(buffer, skip, out),
        GenericAudioBufferRef::S8(buffer) => average(buffer, skip, out),
        GenericAudioBufferRef::S16(buffer) => average(buffer, skip, out),
        GenericAudioBufferRef::S24(buffer) => average(buffer, skip, out),
        GenericAudioBufferRef::S32(buffer) => average(buffer, skip, out),
        GenericAudioBufferRef::F32(buffer) => average(buffer, skip, out),
        GenericAudioBufferRef::F64(buffer) => average(buffer, skip, out),
        _ => return Err("it decodes to an unexpected sample format".into()),
    }
    Ok(())
}

/// Reads frames `first..first + out.len()` of the recording, averaged to mono.
pub(in crate::audio) fn read(
    from: &(impl Recording + ?Sized),
    (info, how): (&AudioInfo, Decoded),
    first: u64,
    out: &mut [f32],
) -> Result<(), String> {
    let open = || Stream::open(from.open()?, info.bytes, how.container);
    let target = i64::try_from(first.min(how.steady)).unwrap_or(i64::MAX).saturating_add(how.origin);
    let target = if how.container == Container::Mp4 { target - MP4_LEAD } else { target };
    if target > how.origin && how.container != Container::Mpeg {
        let sought = guarded(|| {
            let mut stream = open()?;
            stream.seek(target)?;
            stream.fill(how, first, out)
        });
        if sought.is_ok() {
            return Ok(());
        }
    }
    guarded(|| open()?.fill(how, first, out))
}
