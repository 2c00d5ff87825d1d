//! CPC on text (van den Oord et al. 2018, section 3.3), and its sentence vectors.

mod card;
mod config;
mod extract;
mod files;
mod inspect;
mod kind;
mod model;
mod prepare;
mod probe;
mod task;
mod trained;
mod words;

pub use card::TextCard;
pub use config::{TextConfig, TextDataConfig};
pub use extract::{SentenceExtractor, Written};
pub use files::{TextModel, TextModelConfig};
pub use kind::TEXT;
pub use model::CpcText;
pub use task::TextTask;
pub use words::{Expansion, expand_words};
