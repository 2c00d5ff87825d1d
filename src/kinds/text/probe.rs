//! How well a classifier predicts labels from sentence vectors: SentEval tasks, and labeled sentences of the user.

use super::{SentenceExtractor, TextModel};
use crate::error::{Error, Result};
use crate::eval::probe::study::penalty;
use crate::eval::sentences::measure::{Representation, Settings, measure};
use crate::eval::sentences::{read, senteval};
use crate::kinds::{Described, Model, ProbeRequest, Probed, Probing, not_for};
use crate::observer::Session;

/// The dimension of a random word vector of the baseline `bag`.
const BAG: usize = 1024;

/// Options of `cpc probe` for sentences.
const OPTIONS: &[&str] = &["task", "train", "test", "folds", "l2", "baselines", "seed"];

/// The probe of sentence vectors.
pub(super) struct SentenceProbing;

impl Probing for SentenceProbing {
    fn options(&self) -> &'static [&'static str] {
        OPTIONS
    }

    fn probe(&self, models: &[Box<dyn Model>], request: &ProbeRequest, session: &Session) -> Result<Probed> {
        let options = &request.options;
        let lists = (options.path("train"), options.path("test"));
        let task = match (options.get::<String>("task")?, &request.data, lists) {
            (Some(name), Some(data), _) => senteval::load(&name, data)?,
            (None, Some(data), (None, None)) => read::task(data)?,
            (None, None, (Some(train), Some(test))) => read::split(train, test)?,
            _ => {
                return Err(Error::usage(
                    "labeled sentences are needed, from exactly one source",
                    "give --data FILE, or --train FILE and --test FILE, or --task NAME and --data DIR",
                ));
            }
        };
        let seed = options.get("seed")?.unwrap_or(0);
        let sentences: Vec<String> = task.distinct().into_iter().map(String::from).collect();
        let mut rows = Vec::new();
        let vectors = |name: String, extractor: &SentenceExtractor| -> Result<Representation> {
            session.observer.note(&format!("{name}: vectors of {} sentences", sentences.len()));
            Ok(Representation::Vectors { name, dim: extractor.dim(), rows: extractor.vectors(&sentences)? })
        };
        let mut texts = Vec::new();
        for model in models {
            let Some(text) = model.as_any().downcast_ref::<TextModel>() else {
                return Err(not_for(&**model, "a task of sentences"));
            };
            texts.push(text);
        }
        for &text in &texts {
            rows.push(vectors(text.reference.clone(), &SentenceExtractor::open(text.clone(), &session.device)?)?);
        }
        for baseline in options.all::<String>("baselines")? {
            rows.push(match (baseline.as_str(), texts.first()) {
                ("random", Some(&text)) => {
                    let extractor = SentenceExtractor::untrained(text.clone(), seed, &session.device)?;
                    vectors("random".into(), &extractor)?
                }
                ("bag", _) => Representation::bag(&task, BAG, seed),
                ("tfidf", _) => Representation::Tfidf,
                _ => {
                    return Err(Error::usage(
                        format!("--baselines {baseline} is not for text models"),
                        "choose random, bag or tfidf",
                    ));
                }
            });
        }
        let settings = Settings {
            folds: options.get("folds")?.unwrap_or(10),
            l2: penalty(options)?,
            seed,
            stop: session.stop.clone(),
        };
        let _watch = session.watch();
        let outcome = measure(&task, &rows, &settings, &|text| session.observer.detail(text))?;
        Ok(Probed {
            described: Described::new(&outcome, outcome.to_string())?,
            accuracies: outcome.rows.iter().map(|row| (row.figures.features.clone(), row.figures.accuracy)).collect(),
            page: None,
        })
    }
}
