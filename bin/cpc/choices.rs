//! Options whose values are choices of the library: its own words, in help and in messages.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use cpc::toolkit::Toolkit;
use std::str::FromStr;

/// A choice by its word; each word with its help.
pub(crate) fn choice<T>(words: &[(&'static str, &'static str)]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    let values: Vec<PossibleValue> = words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help)).collect();
    PossibleValuesParser::new(values).try_map(|word| word.parse::<T>())
}

/// A word among some, each with its help.
pub(crate) fn word(words: &[(&'static str, &'static str)]) -> PossibleValuesParser {
    PossibleValuesParser::new(
        words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help)).collect::<Vec<_>>(),
    )
}

/// What to do about a file that cannot be read.
pub(crate) const ON_BAD_FILE: [(&str, &str); 2] = [
    ("fail", "Name all of them and stop, before the work as far as headers tell"),
    ("skip", "Leave them out, and say how many and which"),
];

/// What a sentence is.
pub(crate) const SPLIT: [(&str, &str); 2] = [
    ("lines", "A line, or a row of a table; a blank line ends a document"),
    ("sentences", "What the rules of Unicode (UAX #29) call a sentence, in prose"),
];

/// The formats of features.
pub(crate) fn formats() -> PossibleValuesParser {
    let about = |format: &&dyn cpc::features::FeatureFormat| PossibleValue::new(format.name()).help(format.about());
    PossibleValuesParser::new(cpc::features::FORMATS.iter().map(about).collect::<Vec<_>>())
}

/// The baselines of every kind of model.
pub(crate) fn baselines() -> PossibleValuesParser {
    let random = ("random", "An untrained model of the same shape");
    let toolkit = Toolkit::standard();
    let all = toolkit.kinds().iter().flat_map(|kind| kind.baselines()).copied();
    word(&[random].into_iter().chain(all).collect::<Vec<_>>())
}
