//! Manifests of JSON objects, one a line or all in one array: our own, NeMo's, and lhotse's recordings and cuts.

use super::{DURATION, END, Entry, ID, Listed, PATH, Reading, SPEAKER, START};
use crate::audio::{is_audio_name, is_foreign_name};
use crate::error::Problem;
use serde_json::{Map, Value};
use std::path::Path;

/// Keys of lhotse's recordings and cuts that repeat what the recording itself says.
const LHOTSE: &[&str] =
    &["type", "sampling_rate", "num_samples", "channel_ids", "channel", "recording", "sources", "supervisions"];

/// Keys of lhotse's lists that no text has.
const OF_LHOTSE: &[&str] = &["recording", "recording_id", "sources", "supervisions"];

/// What a line of JSON may list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// A recording: it names a file of audio, or is lhotse's.
    Recording,
    /// Some file.
    File,
    /// None.
    Nothing,
}

/// What a line of JSON lists, by its keys.
pub fn lists(line: &Value) -> Lists {
    let named = |name: &str| is_audio_name(Path::new(name)) || is_foreign_name(Path::new(name));
    let files = || PATH.iter().filter_map(|key| line.get(key));
    let lhotse = OF_LHOTSE.iter().any(|key| line.get(key).is_some());
    match () {
        () if lhotse || files().filter_map(Value::as_str).any(named) => Lists::Recording,
        () if files().next().is_some() => Lists::File,
        () => Lists::Nothing,
    }
}

pub(super) fn read(reading: &Reading<'_>, text: &str) -> Listed {
    let mut listed = Listed { root: reading.beside.to_path_buf(), ..Listed::default() };
    let array = text.trim_start().starts_with('[');
    let values: Vec<(usize, Result<Value, String>)> = match (array, serde_json::from_str::<Vec<Value>>(text)) {
        (true, Ok(values)) => values.into_iter().map(Ok).enumerate().map(|(i, value)| (i + 1, value)).collect(),
        (true, Err(e)) => vec![(e.line(), Err(e.to_string()))],
        (false, _) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            lines.map(|(number, line)| (number + 1, serde_json::from_str(line).map_err(|e| told(&e)))).collect()
        }
    };
    for (number, value) in values {
        let place = reading.line(number);
        let entry = value.and_then(|value| match value {
            Value::Object(object) => entry(&object, &mut listed),
            _ => Err("is not an object such as {\"path\": \"a.wav\"}".into()),
        });
        match entry.map_err(|what| Problem::new(&place, what)).and_then(|e| reading.found(e, reading.beside, place)) {
            Ok(found) => listed.found.push(found),
            Err(problem) => listed.problems.push(problem),
        }
    }
    listed
}

/// serde counts lines from the start of its input, which is a single line.
fn told(error: &serde_json::Error) -> String {
    let what = error.to_string();
    format!("{} (column {})", what.split(" at line ").next().unwrap_or(&what), error.column())
}

fn entry(object: &Map<String, Value>, listed: &mut Listed) -> Result<Entry, String> {
    let of = |known: &[&str]| known.iter().find_map(|name| object.get(*name)).filter(|value| !value.is_null());
    let name = |known: &[&str]| match of(known) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        // Names may look like numbers (LibriSpeech's speakers do).
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(format!("`{}` is {other}, not a name", known[0])),
    };
    let seconds = |known: &[&str]| match of(known) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(format!("`{}` is {value}, not a number of seconds", known[0])),
    };
    let lhotse = object.contains_key("sources") || object.contains_key("recording");
    let path = match of(PATH) {
        Some(Value::String(path)) => path.clone(),
        None if lhotse => source(object)?,
        None if object.contains_key("recording_id") => {
            return Err(
                "is one of lhotse's supervisions, which name no files; give the manifest of the recordings or cuts"
                    .into(),
            );
        }
        _ => return Err("missing field `path`".into()),
    };
    let speaker = match name(SPEAKER)? {
        Some(speaker) => Some(speaker),
        None => object.get("supervisions").and_then(|s| s[0]["speaker"].as_str()).map(str::to_string),
    };
    let known = [PATH, SPEAKER, ID, START, END, DURATION, if lhotse { LHOTSE } else { &[] }].concat();
    for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
        *listed.unused.keys.entry(key.clone()).or_default() += 1;
    }
    Ok(Entry {
        path: path.into(),
        speaker,
        id: name(ID)?,
        start: seconds(START)?,
        end: seconds(END)?,
        duration: seconds(DURATION)?,
    })
}

/// The file of one of lhotse's recordings, or of the recording of a cut.
fn source(object: &Map<String, Value>) -> Result<String, String> {
    let sources = match object.get("recording") {
        Some(recording) => &recording["sources"],
        None => &object["sources"],
    };
    match (&sources[0]["type"], &sources[0]["source"]) {
        (Value::String(kind), Value::String(path)) if kind == "file" => Ok(path.clone()),
        (kind, _) => {
            Err(format!("its recording is of lhotse's type {kind}, not a file; export the recordings to files"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recordings_are_told_from_documents() {
        for line in [
            json!({"path": "a.wav", "text": "its transcript"}),
            json!({"audio_filepath": "/x/a.OPUS", "duration": 1.5, "text": ""}),
            json!({"id": "r", "sources": [{"type": "file", "source": "a.flac"}]}),
            json!({"id": "s", "recording_id": "r", "start": 0.0, "duration": 1.0, "text": "its transcript"}),
        ] {
            assert_eq!(lists(&line), Lists::Recording, "{line}");
        }
        assert_eq!(lists(&json!({"file": "chapter1.html", "text": "It was"})), Lists::File);
        assert_eq!(lists(&json!({"text": "a.wav is a file"})), Lists::Nothing);
        assert_eq!(lists(&json!(["a.wav"])), Lists::Nothing);
    }
}
