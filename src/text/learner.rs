//! Builds a tokenizer from text.
//!
//! Words are counted, and the tokens are then learned from the counts; the same text gives the same bytes on every
//! machine. The result is a `tokenizer.json` that other programs can read.

use crate::config::from_word;
use crate::error::{Error, Result};
use crate::text::merges::{Word, merge};
use crate::text::scripts::{has_unspaced, pattern};
use crate::text::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use tokenizers::{
    Normalizer, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
    PreTokenizerWrapper, pre_tokenizers::byte_level::ByteLevel, tokenizer::NormalizedString,
};

/// The token for unknown words; its id is 0.
const UNKNOWN: &str = "[UNK]";

/// Maximum number of words counted at once; beyond it, the rarest are dropped.
const COUNTED: usize = 4_000_000;

/// Words longer than this, in bytes, are ignored.
const LONGEST_WORD: usize = 256;

/// Maximum number of letters in a WordPiece alphabet (as in the `tokenizers` package for Python).
const ALPHABET: usize = 1000;

/// The kind of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerKind {
    /// Byte-level byte-pair encoding (Radford et al. 2019, section 2.2): no word is unknown.
    Bpe,
    /// Word pieces (`##s` inside a word), found by byte-pair merges; the longest match first (BERT's format).
    Wordpiece,
    /// The most frequent words and single punctuation marks.
    Word,
}

from_word!(TokenizerKind);

/// Counts the words of sentences, and builds a [`Tokenizer`] from the counts.
pub struct Learner {
    kind: TokenizerKind,
    size: usize,
    normalizer: Value,
    pre_tokenizer: Value,
    normalize: NormalizerWrapper,
    pre_tokenize: PreTokenizerWrapper,
    /// The same for text in scripts without spaces between words, which is then cut between characters.
    unspaced: (Value, PreTokenizerWrapper),
    /// Whether there was such text.
    any_unspaced: bool,
    counts: HashMap<String, u64>,
    /// Words with at most this count are dropped when there are too many words.
    floor: u64,
    most_words: usize,
}

impl Learner {
    /// A learner of at most `vocab_size` tokens, including the unknown token. Text is normalized to Unicode form NFC, control
    /// characters are removed and, if `lower_case` is set, the text is lowercased; accents are kept.
    ///
    /// # Errors
    ///
    /// `vocab_size` is too small: the minimum is 2 for words, 1000 for pieces.
    pub fn new(kind: TokenizerKind, vocab_size: usize, lower_case: bool) -> Result<Learner> {
        let least = if kind == TokenizerKind::Word { 2 } else { 1000 };
        if vocab_size < least {
            return Err(Error::usage(
                format!("a vocabulary of {vocab_size} tokens is too small"),
                format!("choose {least} or more (--vocab-size)"),
            ));
        }
        let clean = json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": kind != TokenizerKind::Bpe,
                           "strip_accents": false, "lowercase": lower_case});
        let normalizer = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, clean]});
        let pre_tokenizer = match kind {
            TokenizerKind::Bpe => {
                json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true})
            }
            TokenizerKind::Wordpiece | TokenizerKind::Word => json!({"type": "BertPreTokenizer"}),
        };
        // BPE makes words of such text out of its bytes.
        let cut = json!({"type": "Split", "pattern": {"Regex": pattern()}, "behavior": "Isolated", "invert": false});
        let unspaced = match kind {
            TokenizerKind::Bpe => pre_tokenizer.clone(),
            _ => json!({"type": "Sequence", "pretokenizers": [pre_tokenizer.clone(), cut]}),
        };
        let fault = |e: serde_json::Error| {
            Error::failed(format!("cannot create a tokenizer: {e}"), "report this as a bug in cpc")
        };
        Ok(Learner {
            kind,
            size: vocab_size,
            normalize: serde_json::from_value(normalizer.clone()).map_err(fault)?,
            pre_tokenize: serde_json::from_value(pre_tokenizer.clone()).map_err(fault)?,
            normalizer,
            pre_tokenizer,
            unspaced: (unspaced.clone(), serde_json::from_value(unspaced).map_err(fault)?),
            any_unspaced: false,
            counts: HashMap::new(),
            floor: 0,
            most_words: COUNTED,
        })
    }

    /// Counts the words of a sentence.
    ///
    /// # Errors
    ///
    /// It cannot be split into words.
    pub fn add(&mut self, sentence: &str) -> Result<()> {
        let refuse =
            |e: tokenizers::Error| Error::failed(format!("a sentence cannot be split into words: {e}"), "report it");
        let mut text = NormalizedString::from(sentence);
        self.normalize.normalize(&mut text).map_err(refuse)?;
        let mut words = PreTokenizedString::from(text);
        let unspaced = has_unspaced(sentence);
        self.any_unspaced |= unspaced;
        let split = if unspaced { &self.unspaced.1 } else { &self.pre_tokenize };
        split.pre_tokenize(&mut words).map_err(refuse)?;
        for (word, _, _) in words.get_splits(OffsetReferential::Normalized, OffsetType::None) {
            if word.len() > LONGEST_WORD {
                continue;
            }
            match self.counts.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    self.counts.insert(word.to_string(), 1);
                }
            }
        }
        while self.counts.len() > self.most_words {
            self.floor += 1;
            let floor = self.floor;
            self.counts.retain(|_, count| *count > floor);
        }
        Ok(())
    }

    /// Builds the tokenizer.
    ///
    /// # Errors
    ///
    /// There were no words.
    pub fn finish(self) -> Result<Tokenizer> {
        // From here on, the order of words is determined by the words, not by the map.
        let mut words: Vec<(String, u64)> = self.counts.into_iter().collect();
        words.sort_unstable_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
        if words.is_empty() {
            return Err(Error::failed("the text has no words to build a tokenizer from", "provide more text"));
        }
        let model = match self.kind {
            TokenizerKind::Word => {
                let tokens = words.into_iter().map(|(word, _)| word).filter(|word| word != UNKNOWN);
                let tokens: Vec<String> = [UNKNOWN.to_string()].into_iter().chain(tokens).take(self.size).collect();
                json!({"type": "WordLevel", "vocab": vocabulary(&tokens), "unk_token": UNKNOWN})
            }
            TokenizerKind::Wordpiece => wordpiece(&words, self.size),
            TokenizerKind::Bpe => bpe(&words, self.size),
        };
        let pre_tokenizer = if self.any_unspaced { self.unspaced.0 } else { self.pre_tokenizer.clone() };
        let decoder = match self.kind {
            TokenizerKind::Bpe => self.pre_tokenizer.clone(),
            TokenizerKind::Wordpiece => json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            TokenizerKind::Word => Value::Null,
        };
        let file = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": self.normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": null,
            "decoder": decoder, "model": model,
        });
        serde_json::to_vec_pretty(&file)
            .map_err(|e| e.to_string())
            .and_then(Tokenizer::from_bytes)
            .map_err(|what| Error::failed(format!("the new tokenizer {what}"), "report this as a bug in cpc"))
    }
}

fn vocabulary(tokens: &[String]) -> Map<String, Value> {
    tokens.iter().cloned().zip((0u32..).map(Value::from)).collect()
}

/// Words as symbols; words with a letter that is not a symbol are omitted.
fn spell(words: &[(String, u64)], symbols: &[String], letters: impl Fn(&str) -> Vec<String>) -> Vec<Word> {
    let ids: HashMap<&str, u32> = symbols.iter().map(String::as_str).zip(0..).collect();
    let spelled = words.iter().filter_map(|(word, count)| {
        let symbols: Option<Vec<u32>> = letters(word).iter().map(|letter| ids.get(letter.as_str()).copied()).collect();
        symbols.map(|symbols| Word { symbols, count: *count })
    });
    spelled.collect()
}

fn bpe(words: &[(String, u64)], size: usize) -> Value {
    let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    bytes.sort_unstable();
    let mut symbols = vec![UNKNOWN.to_string()];
    symbols.extend(bytes.iter().map(char::to_string));
    let mut words = spell(words, &symbols, |word| word.chars().map(String::from).collect());
    let merges = merge(&mut words, &mut symbols, size, |a, b| format!("{a}{b}"));
    let merges: Vec<_> = merges.iter().map(|(a, b)| [&symbols[*a as usize], &symbols[*b as usize]]).collect();
    json!({"type": "BPE", "dropout": null, "unk_token": UNKNOWN, "continuing_subword_prefix": null,
           "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
           "vocab": vocabulary(&symbols), "merges": merges})
}

fn wordpiece(words: &[(String, u64)], size: usize) -> Value {
    let letters = |word: &str| -> Vec<String> {
        word.char_indices().map(|(i, c)| if i == 0 { c.to_string() } else { format!("##{c}") }).collect()
    };
    let mut seen: HashMap<char, u64> = HashMap::new();
    words.iter().for_each(|(word, count)| word.chars().for_each(|c| *seen.entry(c).or_default() += count));
    let mut alphabet: Vec<(char, u64)> = seen.into_iter().collect();
    alphabet.sort_unstable_by_key(|(c, count)| (Reverse(*count), *c));
    let alphabet: BTreeSet<char> = alphabet.into_iter().take(ALPHABET.min(size / 4)).map(|(c, _)| c).collect();
    let mut symbols = vec![UNKNOWN.to_string()];
    symbols.extend(alphabet.iter().map(char::to_string));
    symbols.extend(alphabet.iter().map(|c| format!("##{c}")));
    let mut words = spell(words, &symbols, letters);
    merge(&mut words, &mut symbols, size, |a, b| format!("{a}{}", b.strip_prefix("##").unwrap_or(b)));
    json!({"type": "WordPiece", "unk_token": UNKNOWN, "continuing_subword_prefix": "##",
           "max_input_chars_per_word": 100, "vocab": vocabulary(&symbols)})
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "In the beginning God created the heaven and the earth. And the earth was without form, and void; \
                        and darkness was upon the face of the deep. Don't say na\u{ef}ve.";

    fn learned(kind: TokenizerKind, size: usize, lower: bool) -> Tokenizer {
        let mut learner = Learner::new(kind, size, lower).unwrap();
        TEXT.split_inclusive(". ").for_each(|sentence| learner.add(sentence).unwrap());
        learner.finish().unwrap()
    }

    fn tokens(tokenizer: &Tokenizer, sentence: &str) -> Vec<String> {
        let vocabulary = tokenizer.vocabulary();
        tokenizer.encode(sentence, 99).unwrap().ids.iter().map(|id| vocabulary[*id as usize].clone()).collect()
    }

    #[test]
    fn the_same_text_gives_the_same_bytes_at_every_time() {
        for kind in [TokenizerKind::Bpe, TokenizerKind::Wordpiece, TokenizerKind::Word] {
            let first = learned(kind, 1000, true);
            for _ in 0..5 {
                assert!(learned(kind, 1000, true).bytes() == first.bytes(), "{kind:?}");
            }
            assert_ne!(learned(kind, 1000, false).sha256(), first.sha256(), "{kind:?}");
            assert_eq!(first.unknown(), Some(0), "{kind:?}");
        }
    }

    #[test]
    fn the_most_frequent_words_are_kept_and_the_rest_is_unknown() {
        let all = learned(TokenizerKind::Word, 1000, true);
        // By hand: `the` 6 times, `and` 4, `.` 3, then the words that occur twice, in alphabetical order.
        assert_eq!(all.vocabulary()[..6], ["[UNK]", "the", "and", ".", "earth", "was"]);
        assert_eq!(tokens(&all, "And DON'T, Na\u{ef}ve"), ["and", "don", "'", "t", ",", "na\u{ef}ve"]);
        let few = learned(TokenizerKind::Word, 4, true);
        assert_eq!(few.size(), 4);
        assert_eq!(tokens(&few, "And the earth [UNK]."), ["and", "the", "[UNK]", "[UNK]", "[UNK]", "[UNK]", "."]);
        let cased = learned(TokenizerKind::Word, 1000, false);
        assert!(cased.id("God").is_some() && cased.id("god").is_none());
    }

    #[test]
    fn pieces_of_words_make_up_words_that_were_never_seen() {
        let pieces = learned(TokenizerKind::Wordpiece, 1000, true);
        assert_eq!(tokens(&pieces, "the earth"), ["the", "earth"]);
        let unseen = tokens(&pieces, "dearth");
        assert!(unseen.len() > 1 && unseen[1].starts_with("##"), "{unseen:?}");
        assert_eq!(unseen.iter().map(|t| t.trim_start_matches("##")).collect::<String>(), "dearth");
        assert_eq!(tokens(&pieces, "\u{3b1}\u{3b2}"), ["[UNK]"]);
    }

    #[test]
    fn bytes_make_up_every_word() {
        let bytes = learned(TokenizerKind::Bpe, 1000, true);
        assert_eq!(tokens(&bytes, "the earth"), ["\u{120}the", "\u{120}earth"]);
        let greek = tokens(&bytes, "\u{3b1}\u{3b2}");
        assert!(!greek.contains(&UNKNOWN.to_string()) && greek.len() == 5, "{greek:?}");
    }

    #[test]
    fn scripts_without_spaces_are_cut_between_characters_and_keep_their_marks() {
        let mut learner = Learner::new(TokenizerKind::Word, 1000, true).unwrap();
        let text = "\u{e27}\u{e31}\u{e19}\u{e19}\u{e35}\u{e49} \u{4eca}\u{5929}\u{3002} \u{30ab}\u{30e1}\u{30e9}\u{3067}\u{3059} words";
        learner.add(text).unwrap();
        learner.add("more words").unwrap();
        let tokenizer = learner.finish().unwrap();
        // By UAX #29: marks stay with their letters (WB4), Katakana is one word (WB13), all others are cut (WB999).
        let wanted = [
            "\u{e27}\u{e31}",
            "\u{e19}",
            "\u{e19}\u{e35}\u{e49}",
            "\u{4eca}",
            "\u{5929}",
            "\u{3002}",
            "\u{30ab}\u{30e1}\u{30e9}",
            "\u{3067}",
            "\u{3059}",
            "words",
        ];
        assert_eq!(tokens(&tokenizer, text), wanted);
        use unicode_segmentation::UnicodeSegmentation;
        assert_eq!(text.split_word_bounds().filter(|w| !w.trim().is_empty()).collect::<Vec<_>>(), wanted);
        assert_eq!(tokens(&tokenizer, "more \u{4eca}\u{4eca}"), ["more", "\u{4eca}", "\u{4eca}"]);
        // A text without such scripts gives the tokenizer that it always gave.
        let plain: Value = serde_json::from_slice(learned(TokenizerKind::Word, 1000, true).bytes()).unwrap();
        assert_eq!(plain["pre_tokenizer"], json!({"type": "BertPreTokenizer"}));
    }

    #[test]
    fn words_are_forgotten_by_their_counts_and_not_by_chance() {
        let run = || {
            let mut learner = Learner::new(TokenizerKind::Word, 100, true).unwrap();
            learner.most_words = 20;
            for i in 0..500 {
                learner.add(&format!("often word{i}")).unwrap();
            }
            assert!(learner.counts.len() <= 20 && learner.counts["often"] == 500);
            learner.finish().unwrap()
        };
        assert_eq!(run().bytes(), run().bytes());
    }

    #[test]
    fn a_vocabulary_that_is_too_small_and_a_text_without_words_are_refused() {
        for (kind, size) in [(TokenizerKind::Bpe, 999), (TokenizerKind::Wordpiece, 0), (TokenizerKind::Word, 1)] {
            let error = Learner::new(kind, size, true).err().unwrap();
            assert!(error.exit_code() == 2 && error.remedy().contains("--vocab-size"), "{error}");
        }
        let mut learner = Learner::new(TokenizerKind::Word, 10, true).unwrap();
        learner.add(" \u{200b} ").unwrap();
        assert!(learner.finish().err().unwrap().to_string().contains("no words"));
    }
}
