//! Recordings that need a decoder: FLAC, MP3, Ogg, M4A, WebM, CAF and the like, through `symphonia`.
//!
//! [`Stream`] opens a container and reads its packets, `decode` makes samples of them, and `probe` finds out how many samples there are.

mod decode;
mod edits;
mod mp3;
mod ogg;
mod probe;
mod tags;

pub(super) use decode::read;
pub(super) use probe::{flac, mp3, ogg, packets};
pub(super) use tags::{head, tail};

use crate::audio::source::{Input, stream};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::{Error, SeekErrorKind};
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track};
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;
use symphonia::default::formats::{
    AdtsReader, CafReader, FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader, WavReader,
};

const TRUNCATED: &str = "truncated: it ends earlier than its header says; copy it again";

/// What wraps the packets of a compressed recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// FLAC's own.
    Flac,
    /// None: MPEG frames one after another.
    Mpeg,
    /// Ogg (RFC 3533).
    Ogg,
    /// MP4 and QuickTime.
    Mp4,
    /// Matroska and WebM.
    Matroska,
    /// Apple's Core Audio Format.
    Caf,
    /// None: AAC frames one after another.
    Adts,
    /// WAV, for ADPCM.
    Wav,
}

/// How a compressed recording is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decoded {
    pub container: Container,
    /// The position of the first frame: what comes before it belongs to the codec.
    pub origin: i64,
    /// The frame up to which seeks are exact; 0 if the recording has to be read from its beginning.
    pub steady: u64,
    /// Whether the packets tell their positions in frames. Otherwise all are decoded, and what comes out is counted.
    pub timed: bool,
}

/// An open container.
pub(super) struct Stream {
    container: Container,
    demuxer: Box<dyn FormatReader>,
    track: u32,
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
        Error::Unsupported(what) if what.contains("missing moov") => {
            "truncated: its table of contents, which is written last, is missing (`moov`); copy it again".into()
        }
        Error::Unsupported(what) => format!("not read ({what}); convert it with `ffmpeg -i IN OUT.flac`"),
        Error::SeekError(SeekErrorKind::OutOfRange) => TRUNCATED.into(),
        Error::SeekError(_) => "damaged: a seek in it failed".into(),
        _ => {
            "changes its format partway through (several concatenated streams); convert it with `ffmpeg -i IN OUT.flac`"
                .into()
        }
    }
}

impl Stream {
    /// Opens the stream in the bytes `bytes.0..bytes.1` of `input`.
    pub(super) fn open(input: Input, bytes: (u64, u64), container: Container) -> Result<Self, String> {
        let source = stream(input, bytes).map_err(|e| format!("cannot be read: {e}"))?;
        let options = FormatOptions::default();
        let demuxer: Result<Box<dyn FormatReader>, Error> = match container {
            Container::Flac => FlacReader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Mpeg => MpaReader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Ogg => OggReader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Mp4 => IsoMp4Reader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Matroska => MkvReader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Caf => CafReader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Adts => AdtsReader::try_new(source, options).map(|r| Box::new(r) as _),
            Container::Wav => WavReader::try_new(source, options).map(|r| Box::new(r) as _),
        };
        let demuxer = demuxer.map_err(|e| words(&e))?;
        let audio: Vec<&Track> = demuxer.tracks().iter().filter(|t| parameters(t).is_some()).collect();
        // A window of training opens its file too, so decoders are made only to choose among several tracks.
        let read = |t: &&&Track| parameters(t).is_some_and(|p| decoder(p, container).is_ok());
        let track = if audio.len() > 1 { audio.iter().find(read).or(audio.first()) } else { audio.first() };
        let Some(track) = track.map(|t| t.id) else {
            return Err(match container {
                Container::Ogg => not_decoded("an Ogg file of a codec that is not known (Speex?)"),
                _ => "holds no audio; leave it out".into(),
            });
        };
        Ok(Stream { container, demuxer, track })
    }

    /// As [`Stream::open`]; what cannot be decoded is an error at once.
    fn probed(input: Input, bytes: (u64, u64), container: Container) -> Result<Self, String> {
        let stream = Stream::open(input, bytes, container)?;
        stream.decoder().map(drop)?;
        Ok(stream)
    }

    fn track(&self) -> Option<&Track> {
        self.demuxer.tracks().iter().find(|t| t.id == self.track)
    }

    /// The timestamp of the first frame, greater than 0 in an Ogg file that was cut from a longer one.
    pub(super) fn origin(&self) -> i64 {
        // The first packet after a cut only primes the decoder for the next one; an uncut stream starts before 0 by that amount.
        let origin = |t: &Track| t.start_ts.get().saturating_add(i64::from(t.delay.unwrap_or(0))).max(0);
        if self.container == Container::Ogg { self.track().map_or(0, origin) } else { 0 }
    }

    /// The number of the track in its container, such as the serial number of an Ogg stream.
    pub(super) fn number(&self) -> u32 {
        self.track
    }

    /// Header fields: rate, channels, and the number of frames if the header gives one.
    pub(super) fn header(&self) -> (u32, u16, Option<u64>) {
        let parameters = self.track().and_then(parameters);
        let rate = parameters.and_then(|p| p.sample_rate).unwrap_or(0);
        let channels = parameters.and_then(|p| p.channels.as_ref()).map_or(0, |c| c.count());
        let frames = self.track().and_then(|t| t.num_frames);
        (rate, u16::try_from(channels).unwrap_or(u16::MAX), frames)
    }

    /// The frames of delay before timestamp 0.
    pub(super) fn delay(&self) -> u64 {
        self.track().and_then(|t| t.delay).unwrap_or(0).into()
    }

    /// Whether its codec is FLAC.
    pub(super) fn is_flac(&self) -> bool {
        self.track().and_then(parameters).is_some_and(|p| p.codec == CODEC_ID_FLAC)
    }

    /// Whether its codec is Vorbis.
    pub(super) fn is_vorbis(&self) -> bool {
        self.track().and_then(parameters).is_some_and(|p| p.codec == CODEC_ID_VORBIS)
    }

    /// Whether timestamps count frames.
    pub(super) fn timed(&self) -> bool {
        let (rate, ..) = self.header();
        self.track().and_then(|t| t.time_base).is_some_and(|base| base.numer.get() == 1 && base.denom.get() == rate)
    }

    /// The next packet of the track; none at the end.
    fn packet(&mut self) -> Result<Option<Packet>, String> {
        loop {
            match self.demuxer.next_packet().map_err(|e| words(&e))? {
                Some(packet) if packet.track_id == self.track => return Ok(Some(packet)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The number of frames that a packet decodes to.
    fn block(&self, packet: &Packet) -> u64 {
        // The duration of an MP3 packet contains a guess of the whole length.
        if self.container == Container::Mpeg { mp3::samples(&packet.data) } else { packet.block_dur().get() }
    }

    /// Counts the frames by reading through the packets without decoding them.
    pub(super) fn count(&mut self) -> Result<u64, String> {
        let mut frames = 0u64;
        while let Some(packet) = self.packet()? {
            let n = if self.container == Container::Ogg { packet.dur.get() } else { self.block(&packet) };
            frames = frames.saturating_add(n);
        }
        Ok(frames)
    }

    /// The number of frames in a block of MPEG audio, and in all blocks.
    pub(super) fn count_mpeg(&mut self) -> Result<(u64, u64), String> {
        let (mut block, mut frames) = (0, 0u64);
        while let Some(packet) = self.packet()? {
            block = self.block(&packet);
            frames = frames.saturating_add(block);
        }
        Ok((block, frames))
    }

    /// Checks that the packet that contains frame `at` exists.
    pub(super) fn holds(&mut self, at: u64) -> Result<(), String> {
        self.seek(i64::try_from(at).unwrap_or(i64::MAX))?;
        self.packet()?.map(drop).ok_or_else(|| TRUNCATED.into())
    }

    fn seek(&mut self, at: i64) -> Result<(), String> {
        let to = SeekTo::Timestamp { ts: Timestamp::new(at), track_id: self.track };
        self.demuxer.seek(SeekMode::Accurate, to).map(drop).map_err(|e| words(&e))
    }

    fn decoder(&self) -> Result<Box<dyn AudioDecoder>, String> {
        let parameters = self.track().and_then(parameters).ok_or("damaged: it no longer has an audio track")?;
        if parameters.codec == CODEC_ID_OPUS {
            return Err(not_decoded("Opus"));
        }
        decoder(parameters, self.container).map_err(|e| match e {
            Error::Unsupported(what) if what.contains("too complex") => not_decoded("AAC of a kind other than LC"),
            // What no decoder can be made for is not damaged.
            Error::DecodeError(what) => words(&Error::Unsupported(what)),
            e => words(&e),
        })
    }
}

fn decoder(parameters: &AudioCodecParameters, container: Container) -> Result<Box<dyn AudioDecoder>, Error> {
    let known = match container {
        Container::Mpeg => parameters.codec == CODEC_ID_MP3,
        _ => true,
    };
    if !known {
        return Err(Error::Unsupported("MPEG audio of layer 1 or 2"));
    }
    // Only Ogg's packets say how much of them is to be trimmed; the ends of others are trimmed by counting.
    let gapless = container == Container::Ogg && parameters.codec == CODEC_ID_VORBIS;
    let options = AudioDecoderOptions::default().gapless(gapless);
    symphonia::default::get_codecs().make_audio_decoder(parameters, &options)
}

/// The error for a codec without a decoder here.
fn not_decoded(what: &str) -> String {
    format!("holds {what}, which is not read; convert it with `ffmpeg -i IN OUT.flac`")
}

fn parameters(track: &Track) -> Option<&AudioCodecParameters> {
    match track.codec_params.as_ref() {
        Some(CodecParameters::Audio(parameters)) => Some(parameters),
        _ => None,
    }
}
