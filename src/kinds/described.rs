//! Results to print: for people and for programs.

use crate::error::{Error, Result};
use serde::Serialize;

/// A result, as text and as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// For people.
    pub text: String,
    /// For programs, indented.
    pub json: String,
}

impl Described {
    /// A value for programs, along with a text for people.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn new(value: &impl Serialize, text: impl Into<String>) -> Result<Self> {
        let json = serde_json::to_string_pretty(value)
            .map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a bug in cpc"))?;
        Ok(Described { text: text.into(), json })
    }
}

/// A value as written in configurations: the name of an enum's variant.
pub fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}
