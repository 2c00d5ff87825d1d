//! Options whose values are choices of the library. Help and messages use the library's own words.

use crate::toolkit::Toolkit;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::str::FromStr;

/// Parses a choice from its word. Each word has its help.
pub(crate) fn choice<T>(words: &[(&'static str, &'static str)]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    let values: Vec<PossibleValue> = words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help)).collect();
    PossibleValuesParser::new(values).try_map(|word| word.parse::<T>())
}

/// One word of a list. Each word has its help.
pub(crate) fn word(words: &[(&'static str, &'static str)]) -> PossibleValuesParser {
    PossibleValuesParser::new(
        words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help)).collect::<Vec<_>>(),
    )
}

/// What to do about a file that cannot be read.
pub(crate) const ON_BAD_FILE: [(&str, &str); 2] = [
    ("fail", "Name all of them and stop, before the work starts if their headers show the fault"),
    ("skip", "Skip them, and report how many and which"),
];

/// What counts as a sentence.
pub(crate) const SPLIT: [(&str, &str); 2] = [
    ("lines", "One line, or one row of a table; a blank line ends a document"),
    ("sentences", "A sentence of prose, by the rules of Unicode (UAX #29)"),
];

/// The formats of features.
pub(crate) fn formats() -> PossibleValuesParser {
    let about = |format: &&dyn crate::features::FeatureFormat| PossibleValue::new(format.name()).help(format.about());
    PossibleValuesParser::new(crate::features::FORMATS.iter().map(about).collect::<Vec<_>>())
}

/// The baselines of all kinds of models.
pub(crate) fn baselines() -> PossibleValuesParser {
    let random = ("random", "An untrained model of the same shape");
    let toolkit = Toolkit::standard();
    let all = toolkit.kinds().iter().flat_map(|kind| kind.baselines()).copied();
    word(&[random].into_iter().chain(all).collect::<Vec<_>>())
}

/// Normalizations.
pub(crate) const NORMALIZE: [(&str, &str); 3] = [
    ("none", "No normalization"),
    ("mean", "The mean is subtracted"),
    ("mean-var", "The mean is subtracted, and the result is divided by the standard deviation"),
];
