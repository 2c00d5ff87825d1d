//! WFDB records (PhysioNet): a header in text, `.hea`, and samples in files beside it. A record may consist of segments, which are records
//! themselves.

use crate::series::{Channel, Run};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A record, or what one of several segments holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wfdb {
    segments: Vec<Segment>,
}

/// Frames of a record that are stored together.
#[derive(Debug, Clone, PartialEq)]
struct Segment {
    frames: u64,
    /// Where the samples of each channel of the record are; none if the segment lacks it.
    signals: Vec<Option<Signal>>,
}

/// Where the samples of a channel are.
#[derive(Debug, Clone, PartialEq)]
struct Signal {
    file: PathBuf,
    format: Format,
    /// Bytes before the first sample.
    start: u64,
    /// Its place in a frame of the file, and the signals in one.
    at: usize,
    of: usize,
    /// A value is `(sample - baseline) / gain`.
    gain: f64,
    baseline: f64,
}

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Bits8,
    Bits12,
    Bits16,
    Bits16Big,
    Bits24,
    Bits32,
}

/// What a header says.
pub(super) struct Header {
    pub(super) channels: Vec<Channel>,
    /// The stretches without a gap.
    pub(super) runs: Vec<Run>,
    pub(super) wfdb: Wfdb,
}

/// Samples per second where a header does not say.
const RATE: f64 = 250.0;

/// Units per millivolt where a header does not say.
const GAIN: f64 = 200.0;

/// A line of a header that says something, and its number.
struct Line<'a> {
    number: usize,
    words: Vec<&'a str>,
}

impl Format {
    fn named(name: &str) -> Result<Format, String> {
        Ok(match name {
            "16" => Format::Bits16,
            "24" => Format::Bits24,
            "32" => Format::Bits32,
            "61" => Format::Bits16Big,
            "80" => Format::Bits8,
            "212" => Format::Bits12,
            _ if name.contains('x') => {
                return Err(format!("has several samples a frame (format {name}), which is not read"));
            }
            _ if name.contains(':') => {
                return Err(format!("has a skew between its signals (format {name}), which is not read"));
            }
            _ => return Err(format!("has samples of format {name}, which is not read")),
        })
    }

    /// Bytes that hold two samples.
    fn pair(self) -> u64 {
        match self {
            Format::Bits8 => 2,
            Format::Bits12 => 3,
            Format::Bits16 | Format::Bits16Big => 4,
            Format::Bits24 => 6,
            Format::Bits32 => 8,
        }
    }

    /// Bytes that hold `n` samples.
    fn bytes(self, n: u64) -> u64 {
        n / 2 * self.pair() + if n.is_multiple_of(2) { 0 } else { self.pair().div_ceil(2) }
    }

    /// The `i`-th sample of bytes that begin with a pair; NaN for the value that marks a missing one.
    fn sample(self, bytes: &[u8], i: usize) -> f64 {
        let at = i * self.pair() as usize / 2;
        let (value, missing) = match (self, bytes.get(at..).unwrap_or_default()) {
            (Format::Bits8, [a, ..]) => (i32::from(*a) - 128, -128),
            (Format::Bits12, [a, b, ..]) if i.is_multiple_of(2) => (i32::from(*a) | i32::from(b & 0x0f) << 8, -2048),
            // `at` is rounded down, to the byte that holds the high bits of both.
            (Format::Bits12, [b, c, ..]) => (i32::from(*c) | i32::from(b & 0xf0) << 4, -2048),
            (Format::Bits16, [a, b, ..]) => (i32::from(i16::from_le_bytes([*a, *b])), -32_768),
            (Format::Bits16Big, [a, b, ..]) => (i32::from(i16::from_be_bytes([*a, *b])), -32_768),
            (Format::Bits24, [a, b, c, ..]) => (i32::from_le_bytes([0, *a, *b, *c]) >> 8, -8_388_608),
            (Format::Bits32, [a, b, c, d, ..]) => (i32::from_le_bytes([*a, *b, *c, *d]), i32::MIN),
            _ => return f64::NAN,
        };
        let value = if self == Format::Bits12 && value > 2047 { value - 4096 } else { value };
        if value == missing { f64::NAN } else { f64::from(value) }
    }
}

/// Reads the header of a record, and those of its segments.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn header(path: &Path) -> Result<Header, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot be read: {e}"))?;
    let lines = lines(&text);
    let Some((first, rest)) = lines.split_first() else { return Err("is empty".into()) };
    let record = Record::of(first)?;
    let Some(segments) = record.segments else {
        let (channels, segment) = single(path, &record, rest)?;
        let runs = whole(segment.frames);
        return Ok(Header { channels, runs, wfdb: Wfdb { segments: vec![segment] } });
    };
    if rest.len() < segments {
        return Err(format!("promises {segments} segments and lists {}", rest.len()));
    }
    let mut channels: Option<Vec<Channel>> = None;
    let (mut parts, mut runs, mut at) = (Vec::new(), Vec::<Run>::new(), 0u64);
    for line in &rest[..segments] {
        let [name, frames, ..] = line.words[..] else {
            return Err(format!("line {}: a segment needs a name and a length", line.number));
        };
        let frames: u64 = number(frames, line.number, "the length of a segment")?;
        if name == "~" {
            at += frames;
            parts.push(Segment { frames, signals: vec![None; channels.as_ref().map_or(0, Vec::len)] });
            continue;
        }
        let below = path.with_file_name(format!("{name}.hea"));
        let inside = |what: String| format!("segment {name}: {what}");
        let text = std::fs::read_to_string(&below).map_err(|e| inside(format!("cannot be read: {e}")))?;
        let lines = self::lines(&text);
        let Some((first, rest)) = lines.split_first() else { return Err(inside("is empty".into())) };
        let of = Record::of(first).map_err(inside)?;
        let (found, segment) = match frames {
            // The layout of a record whose segments have different signals: channels without samples.
            0 => (layout(&of, rest).map_err(inside)?, None),
            _ => single(&below, &of, rest).map(|(found, segment)| (found, Some(segment))).map_err(inside)?,
        };
        let all = channels.get_or_insert_with(|| found.clone());
        let Some(segment) = segment else { continue };
        if segment.frames != frames {
            return Err(inside(format!("has {} frames, and the record says {frames}", segment.frames)));
        }
        let place = |channel: &Channel| found.iter().position(|other| other.name == channel.name);
        if let Some(stray) = found.iter().find(|c| all.iter().all(|other| other.name != c.name)) {
            return Err(inside(format!("has a signal {}, which the record does not have", stray.name)));
        }
        let signals = all.iter().map(|c| place(c).and_then(|i| segment.signals[i].clone())).collect();
        match runs.last_mut() {
            Some(run) if run.first + run.frames == at => run.frames += frames,
            _ => runs.push(Run { first: at, frames }),
        }
        at += frames;
        parts.push(Segment { frames, signals });
    }
    let channels = channels.unwrap_or_default().into_iter().map(|c| Channel { rate: Some(record.rate), ..c }).collect();
    Ok(Header { channels, runs, wfdb: Wfdb { segments: parts } })
}

/// One stretch, unless it is empty.
fn whole(frames: u64) -> Vec<Run> {
    if frames == 0 { Vec::new() } else { vec![Run { first: 0, frames }] }
}

/// The lines of a header, without comments.
fn lines(text: &str) -> Vec<Line<'_>> {
    let said = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    said.map(|(line, number)| Line { number, words: line.split_whitespace().collect() }).collect()
}

/// The first line of a header.
struct Record {
    segments: Option<usize>,
    signals: usize,
    rate: f64,
    frames: Option<u64>,
}

impl Record {
    fn of(line: &Line) -> Result<Record, String> {
        let word = |i: usize| line.words.get(i).copied();
        let segments = word(0).and_then(|name| name.split_once('/'));
        let segments = segments.map(|(_, n)| number(n, line.number, "the number of segments")).transpose()?;
        let Some(signals) = word(1) else { return Err(format!("line {}: says no number of signals", line.number)) };
        let rate = match word(2).map(|text| text.split(['/', '(']).next().unwrap_or(text)) {
            None => RATE,
            Some(text) => number(text, line.number, "the rate")?,
        };
        if rate <= 0.0 || !rate.is_finite() {
            return Err(format!("has a rate of {rate} samples per second"));
        }
        let frames = word(3).map(|text| number(text, line.number, "the number of samples")).transpose()?;
        // A length of 0 is one that is not known.
        let frames = frames.filter(|&frames: &u64| frames > 0 || segments.is_some());
        Ok(Record { segments, signals: number(signals, line.number, "the number of signals")?, rate, frames })
    }
}

/// The channels of a header, of whose lines only the names and units are read.
fn layout(record: &Record, lines: &[Line]) -> Result<Vec<Channel>, String> {
    signal_lines(record, lines)?.iter().enumerate().map(|(i, line)| Ok(channel(record, line, i)?.0)).collect()
}

fn signal_lines<'a, 'b>(record: &Record, lines: &'b [Line<'a>]) -> Result<&'b [Line<'a>], String> {
    lines
        .get(..record.signals)
        .ok_or_else(|| format!("promises {} signals and describes {}", record.signals, lines.len()))
}

/// What a line says of a channel, apart from where it is stored: with its gain and baseline.
fn channel(record: &Record, line: &Line, i: usize) -> Result<(Channel, f64, f64), String> {
    let gain = line.words.get(2).copied().unwrap_or_default();
    let (gain, unit) = gain.split_once('/').unwrap_or((gain, "mV"));
    let (gain, baseline) = match gain.split_once('(') {
        Some((gain, baseline)) => (gain, Some(baseline.trim_end_matches(')'))),
        None => (gain, None),
    };
    let value = |text: &str, what: &str| number::<f64>(text, line.number, what);
    let gain = if gain.is_empty() { 0.0 } else { value(gain, "the gain")? };
    let zero = line.words.get(4).map_or(Ok(0.0), |text| value(text, "the zero of the converter"))?;
    let baseline = baseline.map_or(Ok(zero), |text| value(text, "the baseline"))?;
    let name = match line.words.get(8..) {
        Some(words) if !words.is_empty() => words.join(" "),
        _ => format!("{}", i + 1),
    };
    let channel = Channel { name, unit: unit.to_string(), rate: Some(record.rate) };
    Ok((channel, if gain == 0.0 { GAIN } else { gain }, baseline))
}

/// The channels and samples of a record that has no segments.
fn single(path: &Path, record: &Record, lines: &[Line]) -> Result<(Vec<Channel>, Segment), String> {
    let lines = signal_lines(record, lines)?;
    let mut channels = Vec::with_capacity(lines.len());
    let mut signals: Vec<Signal> = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let [file, format, ..] = line.words[..] else {
            return Err(format!("line {}: a signal needs a file and a format", line.number));
        };
        let (format, start) = match format.split_once('+') {
            Some((format, start)) => (format, number(start, line.number, "the bytes before the samples")?),
            None => (format, 0),
        };
        let (channel, gain, baseline) = channel(record, line, i)?;
        let (file, format) = (path.with_file_name(file), Format::named(format)?);
        let at = signals.iter().filter(|other| other.file == file).count();
        channels.push(channel);
        signals.push(Signal { file, format, start, at, of: 0, gain, baseline });
    }
    let mut held = u64::MAX;
    for i in 0..signals.len() {
        let same = signals.iter().filter(|other| other.file == signals[i].file);
        if let Some(other) = same.clone().find(|other| other.format != signals[i].format) {
            return Err(format!("has signals of different formats in {}", other.file.display()));
        }
        let of = same.count();
        signals[i].of = of;
        if signals[i].at == 0 {
            let Signal { file, format, start, .. } = &signals[i];
            let bytes =
                std::fs::metadata(file).map_err(|e| format!("has its samples in {}: {e}", file.display()))?.len();
            let bytes = bytes.saturating_sub(*start);
            // Whole frames: a last odd sample takes a whole byte or more.
            let mut frames = bytes * 2 / format.pair() / of as u64 + 1;
            while frames > 0 && format.bytes(frames * of as u64) > bytes {
                frames -= 1;
            }
            if let Some(promised) = record.frames.filter(|&promised| promised > frames) {
                return Err(format!("promises {promised} frames, and {} holds {frames}", file.display()));
            }
            held = held.min(frames);
        }
    }
    let frames = record.frames.unwrap_or(if signals.is_empty() { 0 } else { held });
    Ok((channels, Segment { frames, signals: signals.into_iter().map(Some).collect() }))
}

fn number<T: std::str::FromStr>(text: &str, line: usize, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("line {line}: says `{text}` for {what}, which is not a number"))
}

impl Wfdb {
    /// The files of samples, each once, in their order.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let signals = self.segments.iter().flat_map(|segment| segment.signals.iter().flatten());
        let mut files = Vec::new();
        for signal in signals {
            if !files.contains(&signal.file) {
                files.push(signal.file.clone());
            }
        }
        files
    }

    /// Fills `out` with samples of some channels, frame by frame from `first` on; NaN where there is none.
    ///
    /// # Errors
    /// What is wrong, as the rest of a sentence that begins with the file.
    pub(super) fn read(&self, channels: &[usize], first: u64, out: &mut [f32]) -> Result<(), String> {
        let width = channels.len();
        if width == 0 {
            return Ok(());
        }
        let (mut before, mut rest, mut at) = (0u64, out, first);
        for segment in &self.segments {
            let end = before + segment.frames;
            if at < end && !rest.is_empty() {
                let n = (end - at).min((rest.len() / width) as u64) as usize;
                let (now, later) = rest.split_at_mut(n * width);
                // Channels of one file lie between each other: its bytes are read once.
                let mut held: Option<(&Path, Vec<u8>)> = None;
                for (j, &channel) in channels.iter().enumerate() {
                    match segment.signals.get(channel).and_then(Option::as_ref) {
                        Some(signal) => {
                            let bytes = match held.take().filter(|(file, _)| *file == signal.file) {
                                Some((_, bytes)) => bytes,
                                None => signal.bytes(at - before, n as u64)?,
                            };
                            signal.values(&bytes, at - before, now, j, width);
                            held = Some((&signal.file, bytes));
                        }
                        None => now.iter_mut().skip(j).step_by(width).for_each(|value| *value = f32::NAN),
                    }
                }
                (rest, at) = (later, at + n as u64);
            }
            before = end;
        }
        Ok(())
    }
}

impl Signal {
    /// The bytes of its file with `frames` frames from `first` on, from the pair that holds the first sample.
    fn bytes(&self, first: u64, frames: u64) -> Result<Vec<u8>, String> {
        let broken = |e: std::io::Error| format!("has its samples in {}: {e}", self.file.display());
        let (from, to) = (first * self.of as u64, (first + frames) * self.of as u64);
        let pairs = from / 2;
        let mut bytes = vec![0; (self.format.bytes(to) - pairs * self.format.pair()) as usize];
        let mut file = File::open(&self.file).map_err(broken)?;
        file.seek(SeekFrom::Start(self.start + pairs * self.format.pair())).map_err(broken)?;
        file.read_exact(&mut bytes).map_err(broken)?;
        Ok(bytes)
    }

    /// Fills column `column` of `out` with the samples from frame `first` on, which are in `bytes`.
    fn values(&self, bytes: &[u8], first: u64, out: &mut [f32], column: usize, width: usize) {
        let skip = (first * self.of as u64 % 2) as usize + self.at;
        for (i, frame) in out.chunks_exact_mut(width).enumerate() {
            let sample = self.format.sample(bytes, skip + i * self.of);
            frame[column] = ((sample - self.baseline) / self.gain) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(header: &str, files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let path = dir.path().join("r.hea");
        std::fs::write(&path, header).unwrap();
        (dir, path)
    }

    fn values(header: &Header, channels: &[usize], first: u64, frames: usize) -> Vec<f32> {
        let mut out = vec![0.0; frames * channels.len()];
        header.wfdb.read(channels, first, &mut out).unwrap();
        out
    }

    /// Four frames of two signals: 1 -2, 3 -4, 5 -6, 7 -2048 (in 16 bits -32768).
    fn stored(format: &str) -> Vec<u8> {
        let samples = [1i32, -2, 3, -4, 5, -6, 7];
        let last = match format {
            "16" | "61" => -32_768,
            "24" => -8_388_608,
            "32" => i32::MIN,
            "80" => -128,
            _ => -2048,
        };
        let all: Vec<i32> = samples.into_iter().chain([last]).collect();
        match format {
            "16" => all.iter().flat_map(|v| (*v as i16).to_le_bytes()).collect(),
            "61" => all.iter().flat_map(|v| (*v as i16).to_be_bytes()).collect(),
            "24" => all.iter().flat_map(|v| v.to_le_bytes()[..3].to_vec()).collect(),
            "32" => all.iter().flat_map(|v| v.to_le_bytes()).collect(),
            "80" => all.iter().map(|v| (v + 128) as u8).collect(),
            _ => all
                .chunks_exact(2)
                .flat_map(|pair| {
                    let (a, b) = (pair[0] as u16 & 0xfff, pair[1] as u16 & 0xfff);
                    [a as u8, (a >> 8 | b >> 8 << 4) as u8, b as u8]
                })
                .collect(),
        }
    }

    #[test]
    fn every_format_is_read_from_any_frame_on() {
        for format in ["16", "61", "24", "32", "80", "212"] {
            let header =
                format!("r 2 360 4\nr.dat {format} 2(1)/uV 12 0 0 0 0 MLII\nr.dat {format} 100 12 0 0 0 0 V5 left\n");
            let (_dir, path) = record(&header, &[("r.dat", &stored(format))]);
            let header = self::header(&path).unwrap();
            let want = [("MLII", "uV"), ("V5 left", "mV")];
            assert!(header.channels.iter().zip(want).all(|(c, (name, unit))| c.name == name && c.unit == unit));
            assert_eq!((header.channels[0].rate, header.runs.as_slice()), (Some(360.0), whole(4).as_slice()));
            assert_eq!(values(&header, &[0], 0, 4), [0.0, 1.0, 2.0, 3.0], "{format}");
            assert_eq!(values(&header, &[1, 0], 1, 2), [-0.04, 1.0, -0.06, 2.0], "{format}");
            assert!(values(&header, &[1], 3, 1)[0].is_nan(), "{format}");
        }
    }

    #[test]
    fn an_odd_number_of_samples_of_12_bits_is_whole() {
        let (_dir, path) = record("r 1 100 3\nr.dat 212 1 12 0\n", &[("r.dat", &[1, 0, 2, 3, 0])]);
        let header = header(&path).unwrap();
        assert_eq!(values(&header, &[0], 0, 3), [1.0, 2.0, 3.0]);
        assert_eq!(values(&header, &[0], 2, 1), [3.0]);
        assert_eq!(header.channels[0].name, "1");
        // Without a length, it is that of the file.
        let (_dir, path) = record("r 1\nr.dat 212\n", &[("r.dat", &[1, 0, 2, 3, 0])]);
        let header = self::header(&path).unwrap();
        assert_eq!((header.runs.as_slice(), header.channels[0].rate), (whole(3).as_slice(), Some(RATE)));
        assert_eq!(values(&header, &[0], 0, 1), [0.005]);
    }

    #[test]
    fn segments_follow_each_other_and_a_missing_one_is_a_gap() {
        let segment = |name: &str, signals: &[&str]| {
            let lines: String = signals.iter().map(|s| format!("{name}.dat 16 1 16 0 0 0 0 {s}\n")).collect();
            (format!("{name} {} 50 2\n{lines}", signals.len()), format!("{name}.hea"))
        };
        let ((a, a_name), (b, b_name)) = (segment("a", &["I", "II"]), segment("b", &["II"]));
        let layout = "l 2 50 0\n~ 0 1 16 0 0 0 0 I\n~ 0 1 16 0 0 0 0 II\n";
        let header = "r/5 2 50 8\nl 0\na 2\nb 2\n~ 2\na 2\n";
        let samples: Vec<u8> = [1i16, 2, 3, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
        let files = [
            ("l.hea", layout.as_bytes()),
            (&a_name, a.as_bytes()),
            (&b_name, b.as_bytes()),
            ("a.dat", &samples),
            ("b.dat", &samples[..4]),
        ];
        let (_dir, path) = record(header, &files);
        let header = self::header(&path).unwrap();
        assert_eq!(header.runs, [Run { first: 0, frames: 4 }, Run { first: 6, frames: 2 }]);
        let all = values(&header, &[0, 1], 0, 8);
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(text.join(" "), "1 2 3 4 NaN 1 NaN 2 NaN NaN NaN NaN 1 2 3 4");
    }

    #[test]
    fn a_header_that_is_wrong_is_refused_in_words() {
        let cases = [
            ("", "is empty"),
            ("r 2 360 4\nr.dat 16\n", "promises 2 signals and describes 1"),
            ("r 1 360 5\nr.dat 16\n", "promises 5 frames"),
            ("r 1 360 4\nr.dat 8\n", "format 8"),
            ("r 1 360 4\nr.dat 16x2\n", "several samples a frame"),
            ("r 1 0 4\nr.dat 16\n", "a rate of 0"),
            ("r 1 fast 4\nr.dat 16\n", "line 1: says `fast` for the rate"),
            ("r 1 360 4\nmissing.dat 16\n", "missing.dat"),
            ("r/2 1 360 8\na 4\n", "promises 2 segments and lists 1"),
        ];
        for (text, words) in cases {
            let (_dir, path) = record(text, &[("r.dat", &[0; 8])]);
            let error = header(&path).err().unwrap_or_default();
            assert!(error.contains(words), "{error}, not {words}");
        }
    }
}
