//! `metrics.jsonl`, read back.

use crate::error::{Error, Result};
use serde_json::Value;
use std::path::Path;

/// The lines that a run wrote, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    lines: Vec<Value>,
}

impl History {
    /// The lines of a run directory; none if it has not written any. Lines that are not whole are omitted.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(run: &Path) -> Result<History> {
        let path = run.join("metrics.jsonl");
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Ok(History { lines: text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() })
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(History::default()),
            Err(e) => Err(Error::io(&path, "read")(e)),
        }
    }

    /// The lines of a kind: `train` or `valid`.
    pub fn lines<'a>(&'a self, kind: &'a str) -> impl DoubleEndedIterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["kind"] == kind)
    }

    /// The last line of training.
    pub fn last_train(&self) -> Option<&Value> {
        self.lines("train").next_back()
    }

    /// The validation with the lowest loss.
    pub fn best_validation(&self) -> Option<&Value> {
        let loss = |line: &&Value| line["loss"].as_f64().unwrap_or(f64::INFINITY);
        self.lines("valid").min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_the_best_is_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(History::read(dir.path()).unwrap(), History::default());
        let text = "{\"kind\":\"valid\",\"step\":1,\"loss\":2.0}\n{\"kind\":\"train\",\"step\":2}\n{\"kind\":\"valid\",\"step\":3,\"loss\":1.0}\n{\"ki";
        std::fs::write(dir.path().join("metrics.jsonl"), text).unwrap();
        let history = History::read(dir.path()).unwrap();
        assert_eq!((history.last_train().unwrap()["step"].as_u64(), history.lines("valid").count()), (Some(2), 2));
        assert_eq!(history.best_validation().unwrap()["step"], 3);
    }
}
