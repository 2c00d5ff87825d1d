//! What is printed: for people and for programs.

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
    /// A value that programs get, beside a text for people.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn new(value: &impl Serialize, text: impl Into<String>) -> Result<Self> {
        let json = serde_json::to_string_pretty(value)
            .map_err(|e| Error::failed(format!("JSON: {e}"), "report this as a fault of cpc"))?;
        Ok(Described { text: text.into(), json })
    }
}

/// A value as configurations write it: the name of an enum's variant.
pub fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}
