//! Pretraining on text.

use super::subject::{Job, Subject};
use crate::cli::progress::PAUSE;
use crate::config::{Sections, TextConfig, TrainConfig};
use crate::error::{Error, Result};
use crate::text::{Kind, Learner, Piece, Source, Tokenizer, Tokens, Windows};
use crate::train::{Start, Task, TextTask};
use clap::ValueEnum;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl Subject for TextConfig {
    type Task = TextTask;
    type Material = ();

    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn train_mut(&mut self) -> &mut TrainConfig {
        &mut self.train
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn data_path(&mut self) -> &mut String {
        &mut self.data.path
    }

    fn follow(&mut self, new: &TextConfig) {
        self.data.path.clone_from(&new.data.path);
    }

    fn prepare(&mut self, job: &Job) -> Result<(TextTask, Start, ())> {
        let (terminal, data) = (job.terminal, &self.data);
        if !self.train.init.is_empty() {
            return Err(Error::usage(
                "--init: text models begin at random",
                "leave it out; --resume goes on with a run of text",
            ));
        }
        let source = |path: &Path| Source::open(path, data.split, &data.column, data.on_bad_file);
        let text = source(job.data)?;
        let tokenizer = match job.from {
            Some((checkpoint, _)) => Tokenizer::open(&checkpoint.join("tokenizer.json"))?,
            None => tokenizer(&data.tokenizer, self.encoder.vocab_size, data.lower_case, &text, job)?,
        };
        let tokens = |source: &Source, name: &str| -> Result<Arc<Tokens>> {
            let said = Cell::new(Instant::now());
            let progress = |n: u64| {
                if said.get().elapsed() > PAUSE {
                    said.set(Instant::now());
                    terminal.note(&format!("{n} sentences are tokens"));
                }
            };
            let path = job.out.join(name);
            let tokens = Tokens::open_or_build(&path, source, &tokenizer, data.max_tokens, &progress)?;
            for problem in &tokens.stats().problems {
                terminal.warning(&format!("left out: {problem}"));
            }
            terminal.note(&format!("{}: {}", source_name(source), tokens.stats()));
            Ok(Arc::new(tokens))
        };
        std::fs::create_dir_all(job.out).map_err(Error::io(job.out, "create"))?;
        let all = tokens(&text, "tokens.bin")?;
        let (train, valid) = if data.valid.is_empty() {
            Windows::split(all, data.window, data.valid_share, self.seed)?
        } else {
            let held = tokens(&source(Path::new(&data.valid))?, "valid-tokens.bin")?;
            (Windows::new(all, data.window)?, Windows::new(held, data.window)?)
        };
        terminal.note(&format!(
            "training on {} windows of {} sentences, validating on {}; {}",
            train.len(),
            data.window,
            valid.len().min(data.valid_windows as u64),
            train.short()
        ));
        let valid = if valid.is_empty() {
            terminal.note("no validation: no documents are held out; model/ will be the last one");
            None
        } else {
            Some(Arc::new(valid))
        };
        self.encoder.vocab_size = tokenizer.size();
        self.validate()?;
        let task = TextTask::new(self, tokenizer, Arc::new(train), valid, job.at(), job.device)?;
        let start = job.from.map_or(Start::Fresh, |(path, state)| Start::Checkpoint(path.clone(), state.clone()));
        Ok((task, start, ()))
    }

    fn describe(&self, task: &TextTask) -> String {
        format!(
            "model: {:.1} M parameters, {} tokens known, vectors of {} for a sentence; {} sentences ahead",
            task.params().num_trainable() as f64 / 1e6,
            self.encoder.vocab_size,
            self.encoder.hidden_dim,
            self.heads.steps
        )
    }

    fn ahead(&self, k: usize) -> String {
        format!("+{k}")
    }
}

fn source_name(source: &Source) -> String {
    match source.files() {
        [one] => one.display().to_string(),
        files => format!("{} files", files.len()),
    }
}

/// The tokenizer that `data.tokenizer` names: learnt from the text, or opened.
fn tokenizer(name: &str, size: usize, lower_case: bool, text: &Source, job: &Job) -> Result<Tokenizer> {
    let Ok(kind) = Kind::from_str(name, false) else {
        let here = crate::cli::remote::file(name, "tokenizer.json", job.terminal)?;
        return Tokenizer::open(&here);
    };
    job.terminal.note(&format!("learning a tokenizer of {size} tokens ({name}) from the text"));
    let mut learner = Learner::new(kind, size, lower_case)?;
    text.read(&mut |piece| match piece {
        Piece::Sentence(sentence) => learner.add(sentence),
        Piece::End => Ok(()),
    })?;
    learner.finish()
}
