//! Turns a configuration into a run that is ready to train.

use super::{TextConfig, TextTask};
use crate::config::Sections;
use crate::error::{Error, Result};
use crate::group::Share;
use crate::hub;
use crate::kinds::{Job, Prepared, RunConfig, Steps};
use crate::observer::Progress;
use crate::text::{Learner, Piece, Source, Tokenizer, TokenizerKind, Tokens, WindowSet, validation_batches};
use crate::train::Task;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub(super) fn prepare(config: RunConfig, job: &Job) -> Result<Prepared> {
    let mut text: TextConfig = config.sections()?;
    if !text.train.init.is_empty() {
        return Err(Error::usage(
            "--init: text models start from random weights",
            "leave it out; use --resume to resume a run on text",
        ));
    }
    let observer = job.session.observer;
    let data = text.data.clone();
    let source = |path: &Path| Source::open(path, data.split, &data.column, data.on_bad_file);
    let corpus = source(job.data)?;
    job.same_data(|| Ok(corpus.digest()?.to_vec()))?;
    let group = &job.session.group;
    let tokenizer = match job.from {
        Some((checkpoint, _)) => Tokenizer::open(&checkpoint.join("tokenizer.json"))?,
        None => {
            let make = || tokenizer(&data.tokenizer, text.encoder.vocab_size, data.lower_case, &corpus, job);
            let bytes = group.from_first(|| Ok(make()?.bytes().to_vec()))?;
            Tokenizer::from_bytes(bytes)
                .map_err(|what| Error::failed(format!("tokenizer: {what}"), "see data.tokenizer"))?
        }
    };
    let tokens = |source: &Source, name: &str| -> Result<Arc<Tokens>> {
        let progress = |n: u64| {
            observer.progress(&Progress { what: "", unit: "sentences as tokens", done: n as f64, of: 0.0 });
        };
        let path = job.out.join(name);
        // The first process writes the file that all of them read.
        let open = || Tokens::open_or_build(&path, source, &tokenizer, data.max_tokens, &progress);
        let tokens = group.first_then_others(open)?;
        observer.done();
        for problem in &tokens.stats().problems {
            observer.warning(&format!("left out: {problem}"));
        }
        job.note(&format!("{}: {}", source_name(source), tokens.stats()));
        Ok(Arc::new(tokens))
    };
    if group.is_first() {
        std::fs::create_dir_all(job.out).map_err(Error::io(job.out, "create"))?;
    }
    let all = tokens(&corpus, "tokens.bin")?;
    let sentences = all.sentences();
    let batch = text.train.batch_size;
    let (train, valid) = if data.valid.is_empty() {
        WindowSet::split(&all, data.window, batch, data.valid_share, text.seed)?
    } else {
        let held = tokens(&source(Path::new(&data.valid))?, "valid-tokens.bin")?;
        let (train, _) = WindowSet::split(&all, data.window, batch, 0.0, text.seed)?;
        let valid = train.of(&held)?;
        (train, valid)
    };
    let held = validation_batches(Arc::new(valid.clone()), data.valid_sentences(), Share::ALL).windows();
    let left = sentences.saturating_sub(train.sentences() + if data.valid.is_empty() { valid.sentences() } else { 0 });
    job.note(&format!(
        "training on {train}, validating on {held}{}",
        match left {
            0 => String::new(),
            n => format!("; documents that are too short (with {n} sentences in all) are left out"),
        }
    ));
    let valid = if valid.is_empty() {
        job.note("no validation: no documents are held out; model/ will be the model of the last step");
        None
    } else {
        Some(Arc::new(valid))
    };
    text.encoder.vocab_size = tokenizer.size();
    text.validate()?;
    let task = TextTask::new(&text, tokenizer, Arc::new(train), valid, job.course(), job.session)?;
    let about = format!(
        "model: {:.1} M parameters, a vocabulary of {} tokens, {}-dimensional sentence vectors; {} sentences ahead",
        task.params().num_trainable() as f64 / 1e6,
        text.encoder.vocab_size,
        text.encoder.hidden_dim,
        text.heads.steps
    );
    Ok(Prepared {
        config: config.with(&text)?,
        task: Box::new(task),
        start: job.start(),
        about,
        steps: Some(Steps { ahead: (1..=text.heads.steps).map(|k| format!("+{k}")).collect(), frame_seconds: None }),
        conclude: Box::new(|_, _| Ok(BTreeMap::new())),
    })
}

fn source_name(source: &Source) -> String {
    match source.files() {
        [one] => one.display().to_string(),
        files => format!("{} files", files.len()),
    }
}

/// The tokenizer that `data.tokenizer` names: learned from the text, or opened.
fn tokenizer(name: &str, size: usize, lower_case: bool, text: &Source, job: &Job) -> Result<Tokenizer> {
    let Ok(kind) = name.parse::<TokenizerKind>() else {
        let here = hub::file(name, "tokenizer.json", job.session)?;
        return Tokenizer::open(&here);
    };
    job.note(&format!("learning a tokenizer of {size} tokens ({name}) from the text"));
    let mut learner = Learner::new(kind, size, lower_case)?;
    let counts = text.read(&mut |piece| match piece {
        Piece::Sentence(sentence, _) => learner.add(sentence),
        Piece::End => Ok(()),
    })?;
    if counts.unspaced > 0 {
        let cut = match kind {
            TokenizerKind::Bpe => "pieces of them are learned from their bytes",
            TokenizerKind::Word | TokenizerKind::Wordpiece => {
                "they are cut between characters, by the rules of Unicode (UAX #29)"
            }
        };
        job.session.observer.warning(&format!(
            "{} of {} sentences are in scripts without spaces between words, such as Chinese, Japanese or Thai: {cut}. A text whose words are \
             separated by spaces gives better tokens",
            counts.unspaced, counts.sentences
        ));
    }
    learner.finish()
}
