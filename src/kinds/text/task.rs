//! CPC on text as a training task.

use crate::data::{Course, Position};
use crate::error::{Problem, Result};
use crate::group::Share;
use crate::kinds::text::{CpcText, TextConfig, TextModel, TextModelConfig};
use crate::nn::{ParamStore, Phase};
use crate::observer::Session;
use crate::ops::tokens::Sentences;
use crate::seed::Stream;
use crate::text::{TextBatch, TextLoader, Tokenizer, WindowSet, validation_batches};
use crate::train::{Batch, Outcome, Task};
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
    valid: Option<Arc<WindowSet>>,
}

impl TextTask {
    /// A new model on the device of the session, with training data along `course`.
    ///
    /// # Errors
    /// Only errors of the device.
    pub fn new(
        config: &TextConfig,
        tokenizer: Tokenizer,
        train: Arc<WindowSet>,
        valid: Option<Arc<WindowSet>>,
        course: Course,
        session: &Session,
    ) -> Result<Self> {
        let device = &session.device;
        let store = ParamStore::new(config.seed, device);
        let model = CpcText::new(&config.encoder, &config.context, &config.heads, &store.builder())?;
        let model = if config.objective.gather { model.gathering(&session.group) } else { model };
        let twin = CpcText::new(&config.encoder, &config.context, &config.heads, &store.frozen())?;
        let loader = TextLoader::new(train, config.seed, course);
        Ok(TextTask { config: config.clone(), tokenizer, store, model, twin, loader, valid })
    }
}

impl TextTask {
    /// How many steps ahead are predicted in windows of this length: K; in windows of short documents at most half of the window, so that the
    /// rest is left for context.
    fn steps(&self, window: usize) -> usize {
        let all = self.config.heads.steps;
        if window < self.config.data.window { all.min(window / 2) } else { all }
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

    fn validation(&self, share: Share) -> Result<Box<dyn Iterator<Item = Result<TextBatch>>>> {
        Ok(match &self.valid {
            None => Box::new(std::iter::empty()),
            Some(windows) => {
                Box::new(validation_batches(windows.clone(), self.config.data.valid_sentences(), share).map(Ok))
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
        let steps = self.steps(batch.window);
        let (per_step, negatives) = model.contrast(&latents, steps, objective, texts.as_deref(), phase, stream)?;
        Outcome::of_steps(&per_step, negatives, latents.z.detach(), vec![rows])?.out_of(self.config.heads.steps)
    }

    fn write_model(&self, dir: &Path) -> Result<()> {
        let config = TextModelConfig::new(&self.config, &self.tokenizer);
        TextModel::write(dir, &config, &self.tokenizer, &self.store.tensors())
    }
}
