//! Live features: reads samples from standard input as they arrive, and writes each frame to standard output as soon as it is final.

use super::{Encoding, Extract};
use crate::audio::recognized;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::features::{Frames, Timing};
use crate::kinds::{Arriving, Live, LiveSignal};
use crate::observer::Session;
use serde_json::json;
use std::io::{ErrorKind, Read, Write};

pub(super) fn run(args: &Extract, live: &dyn Live, terminal: &Terminal, session: &Session) -> Result<()> {
    let mut input = Input::new(args, live.signal()?)?;
    let mut stream = live.stream(&args.layer, session)?;
    let (timing, layers) = (stream.timing(), stream.layers());
    terminal.note(&format!(
        "a frame of {} numbers every {:.1} ms, final {:.1} ms after it starts",
        layers.iter().map(|(_, dim)| dim).sum::<usize>(),
        1e3 / timing.frame_rate,
        timing.delay_ms + input.arriving.delay_ms()
    ));
    let mut out = Rows { terminal, timing, layers, next: 0 };
    loop {
        let samples = input.next()?;
        let frames = if samples.is_empty() { stream.finish()? } else { stream.push(&samples)? };
        if !out.write(&frames)? || samples.is_empty() {
            return Ok(());
        }
    }
}

/// Bytes from which the kind of a file can be told.
const FIRST: usize = 12;

/// Samples from standard input, at the model's rate.
pub(super) struct Input {
    encoding: Encoding,
    rate: f64,
    checked: bool, // that the input is raw samples
    arriving: Arriving,
    channels: usize,
    bytes: Vec<u8>, // of a sample that has not arrived completely
    ended: bool,
}

impl Input {
    pub(super) fn new(args: &Extract, signal: LiveSignal) -> Result<Self> {
        let (encoding, own, channels) = match &signal {
            LiveSignal::Audio(rate) => (args.encoding.unwrap_or(Encoding::S16), f64::from(*rate), 1),
            LiveSignal::Series { rate, scale } if args.encoding != Some(Encoding::S16) => {
                (Encoding::F32, *rate, scale.len())
            }
            LiveSignal::Series { .. } => {
                return Err(Error::usage(
                    "standard input of a series model is read as 32-bit floats",
                    "leave out --encoding, and send the values of all channels of a sample after each other",
                ));
            }
        };
        let (rate, arriving) = (args.rate.unwrap_or(own), Arriving::new(signal, args.rate)?);
        Ok(Input { encoding, rate, checked: false, arriving, channels, bytes: Vec::new(), ended: false })
    }

    /// Refuses a file whose header would be taken for samples.
    fn check(&mut self) -> Result<()> {
        self.checked = true;
        let Some(kind) = recognized(&self.bytes) else { return Ok(()) };
        let format = match self.encoding {
            Encoding::S16 => "s16le",
            Encoding::F32 => "f32le",
        };
        Err(Error::usage(
            format!("standard input is {kind}, and raw samples are expected"),
            format!(
                "decode it first: `ffmpeg -v error -i FILE -f {format} -ac 1 -ar {} - | cpc extract ...`",
                self.rate
            ),
        ))
    }

    /// The samples that have arrived since the last call, at least one. Empty at the end of the input.
    pub(super) fn next(&mut self) -> Result<Vec<f32>> {
        let mut buffer = vec![0; 1 << 16];
        while !self.ended {
            let n = match std::io::stdin().lock().read(&mut buffer) {
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Error::io("standard input", "read")(e)),
            };
            self.bytes.extend_from_slice(&buffer[..n]);
            if !self.checked && (n == 0 || self.bytes.len() >= FIRST) {
                self.check()?;
            } else if !self.checked {
                continue;
            }
            let decoded = self.decoded();
            let mut samples = self.arriving.push(&decoded)?;
            if n == 0 {
                self.ended = true;
                samples.extend(self.arriving.finish()?);
            }
            if n == 0 && !self.bytes.is_empty() {
                let what = format!("standard input ends within a sample, after {} of its bytes", self.bytes.len());
                return Err(Error::failed(what, "check --encoding, and check that the sender was not cut off"));
            }
            if !samples.is_empty() {
                return Ok(samples);
            }
        }
        Ok(Vec::new())
    }

    fn decoded(&mut self) -> Vec<f32> {
        let size = match self.encoding {
            Encoding::S16 => 2,
            Encoding::F32 => 4,
        };
        let whole = self.bytes.len() / (size * self.channels) * (size * self.channels);
        let samples = self.bytes[..whole].chunks_exact(size).map(|b| match self.encoding {
            Encoding::S16 => f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0,
            Encoding::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        });
        let samples = samples.collect();
        self.bytes.drain(..whole);
        samples
    }
}

/// Frames on standard output.
struct Rows<'a> {
    terminal: &'a Terminal,
    timing: Timing,
    layers: Vec<(String, usize)>,
    next: u64,
}

impl Rows<'_> {
    /// Writes frames. Returns false if the reader has closed the stream.
    fn write(&mut self, frames: &Frames) -> Result<bool> {
        let mut bytes = Vec::new();
        for t in 0..frames.count {
            let rows =
                || frames.layers.iter().zip(&self.layers).map(move |(rows, (_, dim))| &rows[t * dim..(t + 1) * dim]);
            if self.terminal.json {
                let time = (self.timing.seconds(self.next) * 1e6).round() / 1e6;
                let mut line = json!({ "frame": self.next, "time": time });
                for ((layer, _), row) in self.layers.iter().zip(rows()) {
                    line[layer.as_str()] = json!(row);
                }
                bytes.extend(format!("{line}\n").into_bytes());
            } else {
                bytes.extend(rows().flatten().flat_map(|v| v.to_le_bytes()));
            }
            self.next += 1;
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(&bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(e) => Err(Error::io("standard output", "write")(e)),
        }
    }
}
