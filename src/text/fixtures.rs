//! Small texts for tests.

use crate::config::OnBadFile;
use crate::text::{Source, Split, Tokenizer, Tokens};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;

/// A tokenizer that maps number n to id n, for n below `size`, and everything else to id 0.
pub(crate) fn numbers(size: u32) -> Tokenizer {
    let words = (1..size).map(|n| (n.to_string(), Value::from(n)));
    let vocab: Map<String, Value> = [("[UNK]".to_string(), Value::from(0))].into_iter().chain(words).collect();
    let file = json!({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
                      "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}});
    Tokenizer::from_bytes(serde_json::to_vec(&file).unwrap()).unwrap()
}

/// A source of lines at `path`.
pub(crate) fn lines(path: &Path, on_bad_file: OnBadFile) -> Source {
    Source::open(path, Split::Lines, "", on_bad_file).unwrap()
}

/// Documents with the given numbers of sentences. Sentence i, counted over all documents from 0, has the first token i + 1,
/// and 1 to 3 tokens.
pub(crate) fn tokens(dir: &Path, lengths: &[u64]) -> Arc<Tokens> {
    let mut text = String::new();
    let mut number = 0;
    for n in lengths {
        for _ in 0..*n {
            number += 1;
            text += &format!("{number}{}\n", " 1".repeat(number % 3));
        }
        text.push('\n');
    }
    let path = dir.join("text.txt");
    std::fs::write(&path, text).unwrap();
    let source = lines(&path, OnBadFile::Fail);
    let tokens = Tokens::open_or_build(&dir.join("tokens"), &source, &numbers(5000), 8, &|_| {}).unwrap();
    Arc::new(tokens)
}
