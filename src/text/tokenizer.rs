//! Maps sentences to token ids, as specified by a `tokenizer.json` of the `tokenizers` crate.

use crate::digest::sha256;
use crate::durable;
use crate::error::{Error, Result};
use crate::guard::guarded;
use serde_json::Value;
use std::path::Path;
use tokenizers::{NormalizedString, Normalizer, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// A tokenizer and the bytes of its file.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bytes: Vec<u8>,
    sha256: String,
    unknown: Option<u32>,
    size: usize,
}

/// The tokens of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Token ids, at most the allowed number; empty only if the tokenizer has no token for unknown words.
    pub ids: Vec<u32>,
    /// Whether there were more.
    pub cut: bool,
}

impl Tokenizer {
    /// Opens a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not a tokenizer, or encodes at random (BPE with dropout).
    pub fn open(path: &Path) -> Result<Tokenizer> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Tokenizer::from_bytes(bytes).map_err(|what| {
            Error::failed(
                format!("{}: {what}", path.display()),
                "use a tokenizer.json of the `tokenizers` library, or have one built from the text",
            )
        })
    }

    /// The tokenizer that the bytes of a `tokenizer.json` describe, or what is wrong with them.
    pub fn from_bytes(bytes: Vec<u8>) -> std::result::Result<Tokenizer, String> {
        let file: Value = serde_json::from_slice(&bytes).map_err(|e| format!("is not JSON: {e}"))?;
        let mut inner =
            guarded(|| tokenizers::Tokenizer::from_bytes(&bytes).map_err(|e| format!("is not a tokenizer: {e}")))?;
        let model = &file["model"];
        if model["dropout"].as_f64().is_some_and(|share| share > 0.0) {
            return Err("merges tokens at random; set `model.dropout` to null in it".into());
        }
        // Sentences are truncated here, and no tokens are added before or after them: these settings of the file are for
        // other models.
        let _ = inner.with_truncation(None);
        inner.with_padding(None);
        inner.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        // The characters "[SEP]" in a text are encoded as characters, not as the special token.
        inner.set_encode_special_tokens(true);
        let named = model["unk_token"].as_str().and_then(|token| inner.token_to_id(token));
        let unknown = named.or_else(|| model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()));
        let largest = inner.get_vocab(true).into_values().max();
        let size = largest.map_or(0, |id| id as usize + 1);
        if size == 0 {
            return Err("has no tokens".into());
        }
        let sha256 = sha256(&bytes);
        let unknown = unknown.filter(|id| (*id as usize) < size);
        Ok(Tokenizer { inner, bytes, sha256, unknown, size })
    }

    /// Writes the file, byte for byte as it was opened or built.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        durable::write(path, &self.bytes)
    }

    /// The first `max_tokens` tokens of a sentence, without special tokens such as `[CLS]`. A sentence without tokens is
    /// encoded as one unknown token, if the tokenizer has one.
    ///
    /// # Errors
    ///
    /// The tokenizer fails; the error is its message (a WordPiece file whose unknown token is not in its vocabulary).
    pub fn encode(&self, sentence: &str, max_tokens: usize) -> std::result::Result<Encoded, String> {
        let encoding = guarded(|| {
            self.inner.encode_fast(sentence, false).map_err(|e| format!("cannot be made into tokens: {e}"))
        })?;
        let all = encoding.get_ids();
        let mut ids = all[..all.len().min(max_tokens)].to_vec();
        if all.is_empty() {
            ids.extend(self.unknown);
        }
        Ok(Encoded { cut: all.len() > max_tokens, ids })
    }

    /// The id of the token for unknown words.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// The number of rows that an embedding needs: one more than the largest id.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Every token at the index of its id; unused ids have an empty string.
    pub fn vocabulary(&self) -> Vec<String> {
        let mut tokens = vec![String::new(); self.size];
        for (token, id) in self.inner.get_vocab(true) {
            if let Some(slot) = tokens.get_mut(id as usize) {
                *slot = token;
            }
        }
        tokens
    }

    /// Whole words of the vocabulary with their ids; empty for a tokenizer whose tokens are not words (BPE).
    pub fn words(&self) -> Vec<(String, u32)> {
        use tokenizers::ModelWrapper::{WordLevel, WordPiece};
        let vocabulary = match self.inner.get_model() {
            WordLevel(_) | WordPiece(_) => self.inner.get_vocab(false),
            _ => return Vec::new(),
        };
        let whole = |word: &str| !word.starts_with("##") && self.is_word(word);
        let mut words: Vec<(String, u32)> = vocabulary.into_iter().filter(|(word, _)| whole(word)).collect();
        words.sort_unstable();
        words
    }

    /// Whether `word` reaches the vocabulary lookup unchanged and in one piece (for example lowercase, if the tokenizer
    /// lowercases).
    pub fn is_word(&self, word: &str) -> bool {
        let pieces = guarded(|| {
            let mut text = NormalizedString::from(word);
            if let Some(normalizer) = self.inner.get_normalizer() {
                normalizer.normalize(&mut text).map_err(|e| e.to_string())?;
            }
            let mut text = PreTokenizedString::from(text);
            if let Some(splitter) = self.inner.get_pre_tokenizer() {
                splitter.pre_tokenize(&mut text).map_err(|e| e.to_string())?;
            }
            let splits = text.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
            Ok(splits.into_iter().map(|(piece, ..)| piece.to_string()).collect::<Vec<_>>())
        });
        pieces.is_ok_and(|pieces| pieces == [word])
    }

    /// A tokenizer with additional words, with ids starting at [`Tokenizer::size`].
    ///
    /// # Errors
    /// Its tokens are not words (BPE).
    pub fn with_words(&self, words: &[String]) -> Result<Tokenizer> {
        let fault =
            |what: String| Error::failed(format!("the extended tokenizer: {what}"), "report this as a bug in cpc");
        let mut file: Value = serde_json::from_slice(&self.bytes).map_err(|e| fault(e.to_string()))?;
        let kind = file["model"]["type"].as_str().unwrap_or_default().to_string();
        let vocabulary = file["model"]["vocab"].as_object_mut();
        let (Some(vocabulary), true) = (vocabulary, ["WordLevel", "WordPiece"].contains(&kind.as_str())) else {
            return Err(Error::usage(
                format!("words cannot be added to a {kind} tokenizer"),
                "only word and word-piece tokenizers accept more words; BPE pieces form any word without them",
            ));
        };
        for (id, word) in (self.size..).zip(words) {
            vocabulary.insert(word.clone(), id.into());
        }
        Tokenizer::from_bytes(serde_json::to_vec(&file).map_err(|e| fault(e.to_string()))?).map_err(fault)
    }

    /// The SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bert(change: impl Fn(&mut Value)) -> std::result::Result<Tokenizer, String> {
        // The layout of bert-base-uncased's tokenizer.json, with the settings that must be ignored here.
        let mut file = json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                        "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [{"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false,
                              "normalized": false, "special": true}],
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                           "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": null,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100,
                      "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "ark": 5, "##s": 6, "!": 9}}
        });
        change(&mut file);
        Tokenizer::from_bytes(serde_json::to_vec(&file).unwrap())
    }

    #[test]
    fn only_the_tokens_of_the_sentence_come_out_cut_at_the_given_number() {
        let tokenizer = bert(|_| ()).unwrap();
        let ids = |text: &str, most| tokenizer.encode(text, most).unwrap();
        assert_eq!(ids("The arks! The zebra", 9), Encoded { ids: vec![4, 5, 6, 9, 4, 1], cut: false });
        assert_eq!(ids("The arks! The zebra", 5), Encoded { ids: vec![4, 5, 6, 9, 4], cut: true });
        assert_eq!(ids("the [SEP] ark", 9).ids, [4, 1, 1, 1, 5], "letters in brackets are not a special token");
    }

    #[test]
    fn a_sentence_without_tokens_is_the_unknown_one() {
        let tokenizer = bert(|_| ()).unwrap();
        assert_eq!(tokenizer.encode("\u{200b}\u{7}", 4).unwrap().ids, [1]);
        assert_eq!(tokenizer.encode("zebra", 4).unwrap().ids, [1]);
        let without = bert(|file| file["model"] = json!({"type": "BPE", "vocab": {"a": 0}, "merges": []})).unwrap();
        assert_eq!((without.unknown(), without.encode("zzz", 4).unwrap().ids), (None, vec![]));
    }

    #[test]
    fn the_vocabulary_is_in_the_order_of_ids_with_gaps() {
        let tokenizer = bert(|_| ()).unwrap();
        assert_eq!((tokenizer.size(), tokenizer.unknown()), (10, Some(1)));
        assert_eq!(tokenizer.vocabulary(), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "ark", "##s", "", "", "!"]);
        assert_eq!((tokenizer.id("ark"), tokenizer.id("zebra")), (Some(5), None));
    }

    #[test]
    fn words_that_are_added_are_known_and_leave_the_others_as_they_were() {
        let tokenizer = bert(|_| ()).unwrap();
        let words = [("!".to_string(), 9), ("ark".into(), 5), ("the".into(), 4)];
        assert_eq!(tokenizer.words(), words, "neither pieces nor special tokens");
        for (word, whole) in [("zebra", true), ("Zebra", false), ("two words", false), ("it's", false), ("", false)] {
            assert_eq!(tokenizer.is_word(word), whole, "{word}");
        }
        let more = tokenizer.with_words(&["zebra".into(), "dove".into()]).unwrap();
        assert_eq!((more.size(), more.id("zebra"), more.id("dove")), (12, Some(10), Some(11)));
        assert_eq!(more.encode("The Zebra! arks dove", 9).unwrap().ids, [4, 10, 9, 5, 6, 11]);
        let pieces = bert(|file| file["model"] = json!({"type": "BPE", "vocab": {"a": 0}, "merges": []})).unwrap();
        assert_eq!(pieces.words(), []);
        let error = pieces.with_words(&["zebra".into()]).err().unwrap();
        assert!(error.exit_code() == 2 && error.to_string().contains("BPE"), "{error}");
    }

    #[test]
    fn what_is_no_tokenizer_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokenizer.json");
        for (text, expected) in [("not json", "is not JSON"), ("{\"a\": 1}", "is not a tokenizer"), ("[]", "is not a")]
        {
            std::fs::write(&path, text).unwrap();
            let error = Tokenizer::open(&path).err().unwrap();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains("tokenizer.json: ") && error.exit_code() == 1, "{error}");
        }
        let empty = bert(|file| {
            file["model"]["vocab"] = json!({});
            file["added_tokens"] = json!([]);
        });
        assert!(empty.is_err());
        let random =
            bert(|file| file["model"] = json!({"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []}));
        assert!(random.err().unwrap().contains("at random"));
        let error = Tokenizer::open(&dir.path().join("none.json")).err().unwrap().to_string();
        assert!(error.starts_with("cannot read"), "{error}");
    }

    #[test]
    fn a_sentence_that_the_tokenizer_fails_on_is_a_problem_and_no_panic() {
        let tokenizer = bert(|file| {
            file["model"]["vocab"].as_object_mut().unwrap().remove("[UNK]");
        });
        let what = tokenizer.unwrap().encode("zebra", 4).unwrap_err();
        assert!(what.starts_with("cannot be made into tokens"), "{what}");
    }

    #[test]
    fn a_saved_file_has_the_bytes_of_the_opened_one() {
        let dir = tempfile::tempdir().unwrap();
        let tokenizer = bert(|_| ()).unwrap();
        let path = dir.path().join("tokenizer.json");
        tokenizer.save(&path).unwrap();
        let again = Tokenizer::open(&path).unwrap();
        assert_eq!((again.bytes(), again.sha256()), (tokenizer.bytes(), tokenizer.sha256()));
        assert_eq!(again.sha256().len(), 64);
    }
}
