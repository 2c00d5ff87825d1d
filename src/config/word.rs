//! Choices, parsed from the words used for them in configurations and flags.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The choice that a word stands for.
///
/// # Errors
/// The word is unknown; the error names the known words.
pub fn choice<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(Value::String(word.into())).map_err(|e| e.to_string())
}

/// Implements `FromStr` by means of [`choice`].
macro_rules! from_word {
    ($choice:ty) => {
        impl std::str::FromStr for $choice {
            type Err = String;

            fn from_str(word: &str) -> std::result::Result<Self, String> {
                $crate::config::choice(word)
            }
        }
    };
}

pub(crate) use from_word;
