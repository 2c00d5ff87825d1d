//! NIST SPHERE, the format of TIMIT, WSJ and Switchboard, often named `.WAV`: 1024 bytes of lines `name -type value`.

use super::{Coding, Data, Stored, cut, take};
use crate::audio::source::Input;
use std::collections::HashMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

/// The largest header that makes sense.
const LARGEST: u64 = 1 << 20;

/// Reads the header of `input`. On failure, returns what is wrong and what to do.
pub(in crate::audio) fn probe(input: Input) -> Result<Data, String> {
    let length = input.length();
    let mut input = BufReader::with_capacity(1024, input);
    input.seek(SeekFrom::Start(8)).map_err(cut)?;
    let damaged = || "damaged: its NIST SPHERE header cannot be read; copy it again".to_string();
    let size = String::from_utf8_lossy(&take::<8>(&mut input)?).trim().parse::<u64>();
    let size = size.ok().filter(|size| (16..=LARGEST).contains(size)).ok_or_else(damaged)?;
    let mut text = Vec::new();
    input.take(size - 16).read_to_end(&mut text).map_err(cut)?;
    let text = String::from_utf8_lossy(&text);
    // A line is a name, `-i`, `-r` or `-sN`, and a value of N bytes.
    let fields: HashMap<&str, &str> = text
        .lines()
        .take_while(|line| line.trim() != "end_head")
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once(char::is_whitespace)?;
            let (_, value) = rest.trim_start().split_once(char::is_whitespace)?;
            Some((name, value.trim()))
        })
        .collect();
    let number = |name: &str| -> Result<Option<u64>, String> {
        fields.get(name).map(|value| value.parse().map_err(|_| damaged())).transpose()
    };
    let rate = number("sample_rate")?.ok_or("damaged: its NIST SPHERE header gives no sample_rate")?;
    let channels = number("channel_count")?.unwrap_or(1);
    let bytes = number("sample_n_bytes")?;
    let words = fields.get("sample_coding").copied().unwrap_or("pcm");
    let coding = match (words, bytes) {
        ("pcm", bytes) => Coding::signed(bytes.unwrap_or(2)),
        ("ulaw" | "mu-law", _) => Some(Coding::MuLaw),
        ("alaw", _) => Some(Coding::ALaw),
        _ => None,
    };
    let coding = coding.ok_or_else(|| {
        format!("holds NIST SPHERE samples of coding `{words}`, which are not read; unpack it with sph2pipe of the LDC")
    })?;
    // `01` is little-endian, `10` big-endian.
    let big_endian = fields.get("sample_byte_format").is_some_and(|order| order.starts_with('1') && order.len() > 1);
    let channels = u16::try_from(channels).map_err(|_| damaged())?;
    let frame = coding.bytes() * u64::from(channels);
    let stored = Stored { coding, big_endian };
    Ok(Data {
        rate: u32::try_from(rate).map_err(|_| damaged())?,
        channels,
        stored,
        start: size,
        size: number("sample_count")?.filter(|count| *count > 0).map(|count| count.saturating_mul(frame)),
        length,
        sound_end: true,
    })
}
