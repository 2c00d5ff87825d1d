//! Options that only some kinds of models have, under the names of the command line's flags.
//!
//! A kind names the options that it accepts. Every other given option is refused with an error that names it, never ignored.

use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The options that were given, in their order. An option that may be repeated has several entries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    given: Vec<(&'static str, OsString)>,
}

impl Options {
    /// No options.
    pub fn new() -> Self {
        Options::default()
    }

    /// The same options with one more option, or with one more value of it.
    pub fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.given.push((name, value.into()));
        self
    }

    /// The same options with an option that may not have been given.
    pub fn with_some(self, name: &'static str, value: Option<impl Into<OsString>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(n, _)| *n == name)
    }

    /// The last value of an option, as a path.
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.given.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| Path::new(value))
    }

    /// The last value of an option.
    ///
    /// # Errors
    /// It is not a `T`.
    pub fn get<T: FromStr>(&self, name: &str) -> Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        self.given.iter().rev().find(|(n, _)| *n == name).map(|(n, value)| parse(n, value)).transpose()
    }

    /// Every value of an option.
    ///
    /// # Errors
    /// One of them is not a `T`.
    pub fn all<T: FromStr>(&self, name: &str) -> Result<Vec<T>>
    where
        T::Err: std::fmt::Display,
    {
        self.given.iter().filter(|(n, _)| *n == name).map(|(n, value)| parse(n, value)).collect()
    }

    /// The values of `column`, each of the form `WHAT=NAME`: what a column of a table holds, and its name.
    ///
    /// # Errors
    /// One of them has another form.
    pub fn columns(&self) -> Result<Vec<(String, String)>> {
        let pair = |text: String| match text.split_once('=').filter(|(_, name)| !name.is_empty()) {
            Some((what, name)) => Ok((what.to_string(), name.to_string())),
            None => Err(Error::usage(
                format!("--column {text}: not of the form WHAT=NAME"),
                "write, for example, --column text=sentence",
            )),
        };
        self.all::<String>("column")?.into_iter().map(pair).collect()
    }

    /// Refuses every option that is not among `accepted`. `whose` names what the options are for, such as `image models (dim)`.
    ///
    /// # Errors
    /// An option is not accepted. The error names the first such option, and those that are accepted.
    pub fn accept(&self, accepted: &[&str], whose: &str) -> Result<()> {
        let Some((name, _)) = self.given.iter().find(|(name, _)| !accepted.contains(name)) else { return Ok(()) };
        let flags: Vec<String> = accepted.iter().map(|name| format!("--{name}")).collect();
        let remedy = match flags.len() {
            0 => "leave it out".to_string(),
            _ => format!("leave it out; accepted here: {}", flags.join(", ")),
        };
        Err(Error::usage(format!("--{name} is not for {whose}"), remedy))
    }
}

fn parse<T: FromStr>(name: &str, value: &OsStr) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    let text = value.to_str().ok_or_else(|| {
        Error::usage(format!("--{name} {}: is not UTF-8", value.to_string_lossy()), "write it in UTF-8")
    })?;
    text.parse()
        .map_err(|e: T::Err| Error::usage(format!("--{name} {text}: {e}"), "`--help` lists the possible values"))
}

/// The layers of a request, each of them once.
///
/// # Errors
/// One is named twice.
pub fn each_once<L: PartialEq + fmt::Display>(layers: Vec<L>) -> Result<Vec<L>> {
    let twice = layers.iter().enumerate().find(|(i, layer)| layers[..*i].contains(layer));
    match twice {
        Some((_, layer)) => Err(Error::usage(format!("--layer: {layer} is named twice"), "name each layer once")),
        None => Ok(layers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_is_not_accepted_is_refused_by_name() {
        let options = Options::new().with("layer", "c").with("layer", "z").with("seed", "3");
        assert_eq!(options.all::<String>("layer").unwrap(), ["c", "z"]);
        assert_eq!((options.get("seed").unwrap(), options.get::<u64>("folds").unwrap()), (Some(3), None));
        options.accept(&["layer", "seed"], "these").unwrap();
        let error = options.accept(&["layer"], "text models").unwrap_err();
        assert_eq!(error.to_string(), "--seed is not for text models");
        assert!(error.remedy().ends_with("accepted here: --layer") && error.exit_code() == 2);
        assert!(options.get::<u64>("layer").is_err());
    }
}
