//! Finds out how long a compressed recording is.

use super::{Container, Decoded, Stream, edits, mp3 as tag, ogg as pages};
use crate::audio::source::{Input, Recording};
use crate::audio::{AudioInfo, Format, Remark, Way};
use std::io::{Read, Seek, SeekFrom};

/// The bytes of a recording that hold its stream.
type Bytes = (u64, u64);

fn unreadable(error: std::io::Error) -> String {
    format!("cannot be read: {error}")
}

/// What is known of a stream.
fn info(format: Format, stream: &Stream, frames: u64, bytes: Bytes, how: Decoded) -> AudioInfo {
    let (rate, channels, _) = stream.header();
    AudioInfo { rate, channels, frames, format, remark: None, bytes, way: Way::Decoded(how) }
}

/// A FLAC stream in its own container.
pub(in crate::audio) fn flac(
    from: &(impl Recording + ?Sized),
    input: Input,
    bytes: Bytes,
) -> Result<AudioInfo, String> {
    let mut stream = Stream::probed(input, bytes, Container::Flac)?;
    let frames = match stream.header().2 {
        Some(frames) => {
            // The last packet must exist if the header gives a length. A seek can also fail in a good file, so the packets
            // are counted before the file is reported as bad.
            if let Err(what) = stream.holds(frames.saturating_sub(1)) {
                let counted = Stream::open(from.open()?, bytes, Container::Flac)?.count();
                if counted.unwrap_or(0) < frames {
                    return Err(what);
                }
            }
            frames
        }
        None => stream.count()?,
    };
    let how = Decoded { container: Container::Flac, origin: 0, steady: u64::MAX, timed: true };
    Ok(info(Format::Flac, &stream, frames, bytes, how))
}

/// MPEG audio of layer 3. The frames are counted: a tag that gives their number is checked, and never believed.
pub(in crate::audio) fn mp3(mut input: Input, bytes: Bytes) -> Result<AudioInfo, String> {
    input.seek(SeekFrom::Start(bytes.0)).map_err(unreadable)?;
    let mut head = Vec::new();
    (&mut input).take(1024).read_to_end(&mut head).map_err(unreadable)?;
    let tag = tag::find(&head).unwrap_or_default();
    let mut stream = Stream::probed(input, bytes, Container::Mpeg).map_err(|what| match what {
        what if what.starts_with("truncated") => "is not audio: it contains no MP3 frames".into(),
        what => what,
    })?;
    let (block, counted) = stream.count_mpeg()?;
    let (delay, padding) = tag.trims.unwrap_or_default();
    let held = bytes.1 - bytes.0;
    let claimed = tag.frames.map(|frames| frames.saturating_mul(block));
    if claimed > Some(counted) && tag.bytes > Some(held) {
        let promised = tag.bytes.unwrap_or_default();
        return Err(format!("truncated: its header promises {promised} bytes, the file holds {held}; copy it again"));
    }
    // Encoders disagree on whether the tag's own frame counts.
    let agree = claimed.is_none_or(|claimed| claimed.abs_diff(counted) <= block);
    let padding = if agree { padding } else { 0 };
    let frames = counted.saturating_sub(delay).saturating_sub(padding);
    // symphonia's own timestamps begin at its own idea of the delay.
    let origin = i64::try_from(delay).unwrap_or(0) - i64::try_from(stream.delay()).unwrap_or(0);
    let how = Decoded { container: Container::Mpeg, origin, steady: 0, timed: true };
    let remark = (!agree).then(|| Remark::Tag(tag.frames.unwrap_or_default(), counted / block.max(1)));
    Ok(AudioInfo { remark, ..info(Format::Mp3, &stream, frames, bytes, how) })
}

/// Vorbis or FLAC in Ogg.
pub(in crate::audio) fn ogg(mut input: Input, bytes: Bytes) -> Result<AudioInfo, String> {
    let tail = pages::tail(&mut input).map_err(unreadable)?;
    let mut stream = Stream::probed(input, bytes, Container::Ogg)?;
    let tail = tail.ok_or("damaged: no Ogg page at its end")?;
    if !tail.whole {
        return Err("truncated: its last page is missing or incomplete; copy it again".into());
    }
    if tail.serial != stream.number() {
        return Err("it holds several streams (chained or multiplexed); convert it with `ffmpeg -i IN OUT.flac`".into());
    }
    let origin = stream.origin();
    // For Ogg, the number of frames is the timestamp of the end.
    let frames = match stream.header().2 {
        Some(end) => end.saturating_sub(origin.unsigned_abs()),
        None => stream.count()?,
    };
    let steady = tail.last_page.saturating_add_signed(-origin);
    let how = Decoded { container: Container::Ogg, origin, steady, timed: true };
    let format = if stream.is_flac() { Format::OggFlac } else { Format::Vorbis };
    Ok(info(format, &stream, frames, bytes, how))
}

/// A container whose packets tell how long they are, or are decoded to be counted.
pub(in crate::audio) fn packets(
    from: &(impl Recording + ?Sized),
    (format, container): (Format, Container),
    mut input: Input,
    bytes: Bytes,
) -> Result<AudioInfo, String> {
    let open = || Stream::open(from.open()?, bytes, container);
    let mut stream = open()?;
    let primed = stream.try_first()?;
    // Those of Matroska are in milliseconds, and some writers of CAF give packets another length than they have.
    let timed = stream.timed() && container != Container::Matroska;
    let by_time = if timed { Some(open()?.count()?) } else { None };
    let counted = match (by_time, container) {
        (Some(counted), Container::Mp4 | Container::Adts | Container::Wav) => counted,
        _ => open()?.decode_and_count()?,
    };
    let timed = by_time == Some(counted);
    let heard = match container {
        Container::Mp4 => edits::heard(&mut input, stream.number(), stream.header().0).map_err(unreadable)?,
        _ => None,
    };
    // Vorbis needs a packet to begin with.
    let primed = if stream.is_vorbis() { primed } else { 0 };
    let first = heard.map_or(primed, |heard| heard.first).min(counted);
    let rest = counted - first;
    let frames = match container {
        // CAF says how much of its last packet is padding.
        Container::Caf => stream.header().2.map_or(rest, |frames| frames.min(rest)),
        _ => heard.and_then(|heard| heard.frames).map_or(rest, |frames| frames.min(rest)),
    };
    let origin = i64::try_from(first).unwrap_or(i64::MAX);
    // Frames of ADTS are not indexed.
    let seekable = timed && container != Container::Adts;
    let how = Decoded { container, origin, steady: if seekable { u64::MAX } else { 0 }, timed };
    Ok(info(format, &stream, frames, bytes, how))
}
