//! CPC on text as a training task.

use crate::data::Position;
use crate::error::{Problem, Result};
use crate::kinds::text::{CpcText, TextConfig, TextModel, TextModelConfig};
use crate::nn::{ParamStore, Phase};
use crate::ops::tokens::Sentences;
use crate::seed::Stream;
use crate::text::{TextBatch, TextLoader, Tokenizer, Windows, validation_batches};
use crate::train::{Batch, Outcome, Task};
use candle_core::Device;
use std::path::Path;
use std::sync::Arc;

/// CPC on text: the model, its graph-free twin for validation, and the loader.
pub struct TextTask {
    config: TextConfig,
    tokenizer: Tokenizer,
    store: ParamStore,
    model: CpcText,
    twin: CpcText,
    loader: TextLoader,
    valid: Option<Arc<Windows>>,
}

impl TextTask {
    /// A new model on `device`, with training data starting at position `at`.
    ///
    /// # Errors
    /// The text has too few windows for a batch.
    pub fn new(
        config: &TextConfig,
        tokenizer: Tokenizer,
        train: Arc<Windows>,
        valid: Option<Arc<Windows>>,
        at: Position,
        device: &Device,
    ) -> Result<Self> {
        let store = ParamStore::new(config.seed, device);
        let model = CpcText::new(&config.encoder, &config.context, &config.heads, &store.builder())?;
        let twin = CpcText::new(&config.encoder, &config.context, &config.heads, &store.frozen())?;
        let loader = TextLoader::new(train, config.train.batch_size, config.seed, at)?;
        Ok(TextTask { config: config.clone(), tokenizer, store, model, twin, loader, valid })
    }
}

impl Batch for TextBatch {
    fn rows(&self) -> usize {
        self.rows
    }

    fn amount(&self) -> f64 {
        (self.rows * self.window) as f64
    }

    fn sources(&self) -> Vec<String> {
        let mut first: Vec<u64> = self.sources.clone();
        first.sort_unstable();
        first.iter().map(|sentence| format!("sentence {}", sentence + 1)).collect()
    }

    fn skipped(&self) -> &[Problem] {
        &[]
    }
}

impl Task for TextTask {
    type Batch = TextBatch;

    fn unit(&self) -> &'static str {
        "sentences"
    }

    fn params(&self) -> &ParamStore {
        &self.store
    }

    fn next_batch(&mut self) -> Result<TextBatch> {
        Ok(self.loader.next())
    }

    fn position(&self) -> Position {
        self.loader.position()
    }

    fn validation(&self) -> Result<Box<dyn Iterator<Item = Result<TextBatch>>>> {
        Ok(match &self.valid {
            None => Box::new(std::iter::empty()),
            Some(windows) => {
                let (batch, most) = (self.config.train.batch_size, self.config.data.valid_windows);
                Box::new(validation_batches(windows.clone(), batch, most).map(Ok))
            }
        })
    }

    fn outcome(&self, batch: &TextBatch, phase: Phase, stream: &mut Stream) -> Result<Outcome> {
        let model = if phase == Phase::Train { &self.model } else { &self.twin };
        let whole = Sentences::new(&batch.ids, &batch.offsets)?;
        let share = self.config.data.token_dropout;
        let sentences = if phase == Phase::Train && share > 0.0 {
            let thin = batch.thinned(share, stream);
            Sentences::new(&thin.ids, &thin.offsets)?
        } else {
            whole.clone()
        };
        let (latents, rows) = model.forward(&sentences, batch.window)?;
        let objective = &self.config.objective;
        let texts = objective.mask_duplicates.then(|| whole.texts());
        let (per_step, negatives) = model.contrast(&latents, objective, texts.as_deref(), phase, stream)?;
        Outcome::of_steps(&per_step, negatives, latents.z.detach(), vec![rows])
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        let config = TextModelConfig::new(&self.config, &self.tokenizer);
        TextModel::write(dir, &config, &self.tokenizer, &self.store.tensors())
    }
}
