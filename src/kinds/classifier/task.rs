//! A classifier as a training task.

use super::body::{Opened, Tokenizer};
use super::examples::{Dealer, Examples, Shop};
use super::files::{ClassifierModelConfig, TOKENIZER, Trained};
use super::network::{ClassifierNetwork, Scored};
use super::{ClassifierConfig, config::ClassWeights};
use crate::data::{Course, Position};
use crate::error::{Problem, Result};
use crate::eval::transcripts::{decode::greedy, errors::edits};
use crate::group::Share;
use crate::model::Descent;
use crate::nn::{ParamStore, Phase};
use crate::objective::labels::{binary_cross_entropy, cross_entropy};
use crate::ops::ctc::ctc;
use crate::seed::Stream;
use crate::train::{Batch, Outcome, Task};
use crate::weights::write_model;
use candle_core::{D, DType, Device, Tensor};
use std::path::Path;
use std::sync::Arc;

/// A classifier, its graph-free twin for validation, and its examples.
pub(super) struct ClassifierTask {
    config: ClassifierConfig,
    model: ClassifierModelConfig,
    store: ParamStore,
    network: ClassifierNetwork,
    twin: ClassifierNetwork,
    shop: Arc<Shop>,
    tokenizer: Option<Arc<Tokenizer>>,
    dealer: Dealer,
    weights: Tensor,
    unit: &'static str,
}

impl ClassifierTask {
    /// A classifier on a device, whose body has the weights of `opened`; random ones if it has none.
    pub(super) fn new(
        config: &ClassifierConfig,
        model: ClassifierModelConfig,
        opened: &Opened,
        shop: Arc<Shop>,
        course: Course,
        device: &Device,
    ) -> Result<Self> {
        let store = ParamStore::new(config.seed, device);
        let trained = if config.finetune.body_lr > 0.0 { Trained::All } else { Trained::Head };
        let network = model.network(&store, trained)?;
        let twin = model.network(&store, Trained::Nothing)?;
        opened.body.begin(&store)?;
        if !opened.tensors.is_empty() {
            store.load(&opened.tensors, Some(HEAD), &config.finetune.model)?;
        }
        let counts = shop.targets.counts(&shop.targets.train);
        let weights: Vec<f32> = match config.finetune.class_weights {
            ClassWeights::None => vec![1.0; counts.len()],
            ClassWeights::Balanced => {
                let (n, k) = (shop.targets.train.len() as f32, counts.len() as f32);
                let multi = model.multi_label;
                let of = |&count: &usize| match multi {
                    // As many rows with a label as without count the same.
                    true => (n - count as f32).max(1.0) / (count as f32).max(1.0),
                    false => n / (k * (count as f32).max(1.0)),
                };
                counts.iter().map(of).collect()
            }
        };
        let weights = Tensor::from_vec(weights, counts.len(), device)?;
        let dealer = Dealer::new(&shop, config.train.batch_size, config.seed, course);
        let (config, tokenizer, unit) = (config.clone(), opened.tokenizer.clone(), opened.body.items());
        Ok(ClassifierTask { config, model, store, network, twin, shop, tokenizer, dealer, weights, unit })
    }

    /// The outcome of transcripts: the loss of each is divided by the number of its symbols, as by CPC_audio (`reduction="mean"` in PyTorch).
    fn transcribed(&self, scored: &Scored, examples: &Examples) -> Result<Outcome> {
        let (rows, time, width) = scored.scores.dims3()?;
        let truth: Vec<&[usize]> =
            examples.recordings.iter().map(|&i| self.shop.targets.of[i].as_deref().unwrap_or_default()).collect();
        let each: Vec<f32> = truth.iter().map(|truth| 1.0 / (truth.len().max(1) * rows) as f32).collect();
        let each = Tensor::from_vec(each, rows, scored.scores.device())?;
        let objective = (ctc(&scored.scores, &scored.outputs, &truth)? * each)?.sum_all()?;
        let values = scored.scores.detach().to_dtype(DType::F64)?.to_vec3::<f64>()?;
        // The mean over recordings does not depend on which of them share a batch. An empty transcript counts as one symbol.
        let rates = values.iter().zip(&scored.outputs).zip(&truth).map(|((values, &outputs), truth)| {
            edits(&greedy(&values[..outputs].concat(), width), truth) as f64 / truth.len().max(1) as f64
        });
        let rate = rates.sum::<f64>() / rows as f64;
        let rate = Tensor::new(rate as f32, scored.scores.device())?;
        let figures = vec![("loss", objective.detach()), ("error_rate", rate)];
        let z = scored.scores.detach().reshape((rows * time, width))?;
        Outcome::of_descent(Descent { objective, figures, z })
    }
}

/// The prefix of the names of the head's parameters.
const HEAD: &str = "classifier.";

/// Examples in a batch, and where they came from.
pub(super) struct ExampleBatch {
    examples: Examples,
    sources: Vec<String>,
}

impl Batch for ExampleBatch {
    fn rows(&self) -> usize {
        self.examples.lengths.len()
    }

    fn amount(&self) -> f64 {
        self.examples.lengths.len() as f64
    }

    fn sources(&self) -> Vec<String> {
        self.sources.clone()
    }

    fn skipped(&self) -> &[Problem] {
        &[]
    }
}

impl ExampleBatch {
    fn new(examples: Examples, shop: &Shop) -> Self {
        let sources = examples.recordings.iter().map(|&i| shop.corpus.place(i)).collect();
        ExampleBatch { examples, sources }
    }
}

impl Task for ClassifierTask {
    type Batch = ExampleBatch;

    fn unit(&self) -> &'static str {
        self.unit
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn rate(&self, name: &str) -> f64 {
        if name.starts_with(HEAD) { 1.0 } else { self.config.finetune.body_lr }
    }

    fn deciding(&self) -> &'static str {
        if self.model.ctc.is_some() { "error_rate" } else { "loss" }
    }

    fn next_batch(&mut self) -> Result<ExampleBatch> {
        let (places, epoch) = self.dealer.next();
        let recordings: Vec<usize> = places.into_iter().map(|p| self.shop.targets.train[p]).collect();
        Ok(ExampleBatch::new(self.shop.drawn(&recordings, epoch)?, &self.shop))
    }

    fn position(&self) -> Position {
        self.dealer.at
    }

    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<ExampleBatch>>>> {
        let (shop, batch) = (self.shop.clone(), self.config.train.batch_size);
        let batches = shop.targets.valid.chunks(batch).map(<[usize]>::to_vec).collect::<Vec<_>>().into_iter();
        let mine = batches.enumerate().filter(move |(i, _)| share.has(*i as u64));
        Ok(Box::new(mine.map(move |(_, recordings)| Ok(ExampleBatch::new(shop.middle(&recordings)?, &shop)))))
    }

    fn outcome(&self, batch: &ExampleBatch, phase: Phase, _: &mut Stream) -> Result<Outcome> {
        let (device, examples) = (self.store.device(), &batch.examples);
        let (rows, classes) = (examples.lengths.len(), self.model.classes.len());
        let network = if phase == Phase::Train { &self.network } else { &self.twin };
        let scored = network.scores(examples, phase, device)?;
        if self.model.ctc.is_some() {
            return self.transcribed(&scored, examples);
        }
        let Scored { scores, rows: looked_up, .. } = scored;
        let targets = Tensor::from_slice(&examples.targets, (rows, classes), device)?;
        let (objective, right) = match self.model.multi_label {
            true => {
                let said = scores.detach().gt(0.0)?.to_dtype(DType::F32)?;
                (binary_cross_entropy(&scores, &targets, &self.weights)?, said.eq(&targets)?.to_dtype(DType::F32)?)
            }
            false => {
                let (said, truth) = (scores.detach().argmax(D::Minus1)?, targets.argmax(D::Minus1)?);
                (cross_entropy(&scores, &targets, &self.weights)?, said.eq(&truth)?.to_dtype(DType::F32)?)
            }
        };
        let figures = vec![("loss", objective.detach()), ("accuracy", right.mean_all()?)];
        let outcome = Outcome::of_descent(Descent { objective, figures, z: scores.detach() })?;
        Ok(Outcome { rows: looked_up, ..outcome })
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        if let Some(tokenizer) = &self.tokenizer {
            tokenizer.save(&dir.join(TOKENIZER))?;
        }
        write_model(dir, &self.model, &self.store.tensors())
    }
}
