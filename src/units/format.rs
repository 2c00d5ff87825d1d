//! Units as text.

use serde_json::json;
use std::fmt;
use std::str::FromStr;

/// How units are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitFormat {
    /// A line of JSON for each utterance, `{"audio": ..., "units": [...]}`, which fastabx reads.
    Jsonl,
    /// A line of an id, a tab, and units with commas between them, as in the Zero Resource Speech Challenge 2021 (`quantized_outputs.txt`).
    Zerospeech,
    /// A line of units with spaces between them, as fairseq's `.km`. The ids are in a file beside it.
    Km,
}

impl fmt::Display for UnitFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnitFormat::Jsonl => "jsonl",
            UnitFormat::Zerospeech => "zerospeech",
            UnitFormat::Km => "km",
        })
    }
}

impl FromStr for UnitFormat {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let all = [UnitFormat::Jsonl, UnitFormat::Zerospeech, UnitFormat::Km];
        all.into_iter().find(|f| f.to_string() == s).ok_or_else(|| format!("`{s}` is none of jsonl, zerospeech, km"))
    }
}

/// The units of an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitLine {
    /// The id of the utterance.
    pub id: String,
    /// Frames per second.
    pub frame_rate: f64,
    /// The units.
    pub units: Vec<u32>,
    /// How many frames each stands for, if repeated units were merged.
    pub durations: Option<Vec<u32>>,
}

/// Runs of the same unit as one unit each, and their lengths.
pub fn merged(units: &[u32]) -> (Vec<u32>, Vec<u32>) {
    units.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).unzip()
}

impl UnitFormat {
    /// The line of an utterance, with its end.
    pub fn line(self, line: &UnitLine) -> String {
        let joined = |separator: &str| line.units.iter().map(u32::to_string).collect::<Vec<_>>().join(separator);
        match self {
            UnitFormat::Jsonl => {
                let mut object = json!({"audio": line.id, "units": line.units, "frame_rate": line.frame_rate});
                if let Some(durations) = &line.durations {
                    object["durations"] = json!(durations);
                }
                format!("{object}\n")
            }
            UnitFormat::Zerospeech => format!("{}\t{}\n", line.id, joined(",")),
            UnitFormat::Km => format!("{}\n", joined(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_each_format() {
        let units = [3, 3, 0, 3, 3, 3];
        assert_eq!(merged(&units), (vec![3, 0, 3], vec![2, 1, 3]));
        let line = UnitLine { id: "a/b".into(), frame_rate: 50.0, units: units.to_vec(), durations: None };
        assert_eq!(UnitFormat::Zerospeech.line(&line), "a/b\t3,3,0,3,3,3\n");
        assert_eq!(UnitFormat::Km.line(&line), "3 3 0 3 3 3\n");
        assert_eq!(UnitFormat::Jsonl.line(&line), "{\"audio\":\"a/b\",\"frame_rate\":50.0,\"units\":[3,3,0,3,3,3]}\n");
        let line = UnitLine { units: vec![3, 0], durations: Some(vec![2, 1]), ..line };
        assert!(UnitFormat::Jsonl.line(&line).contains("\"durations\":[2,1]"));
        assert_eq!("km".parse::<UnitFormat>(), Ok(UnitFormat::Km));
        assert!("tsv".parse::<UnitFormat>().is_err());
    }
}
