//! The card of a text model.

use crate::kinds::text::TextModelConfig;
use crate::report::model_card::{About, CITATION, facts, plain, repository};

/// The contents of the card of a text model.
#[derive(Debug, Clone, Copy)]
pub struct TextCard<'a> {
    /// Information given by its owner.
    pub about: About<'a>,
    /// Its architecture.
    pub config: &'a TextModelConfig,
}

/// Tags for searches on the hub.
const TAGS: [&str; 6] =
    ["cpc", "contrastive-predictive-coding", "self-supervised", "text", "sentence-embeddings", "feature-extraction"];

const PYTORCH: &str = include_str!("model.py.txt");

impl TextCard<'_> {
    /// The card as Markdown.
    pub fn markdown(&self) -> String {
        let (e, c, h) = (&self.config.encoder, &self.config.context, &self.config.heads);
        let context = c.kind.title();
        let rows = vec![
            ("vocabulary", format!("{} tokens (tokenizer.json)", e.vocab_size)),
            ("embedding", format!("{} dimensions", e.embedding_dim)),
            (
                "encoder",
                format!(
                    "convolution of width {}, ReLU, mean over the sentence: z of {} dimensions",
                    e.kernel, e.hidden_dim
                ),
            ),
            ("longest sentence", format!("{} tokens; longer sentences are truncated", self.config.max_tokens)),
            ("context", format!("{context} of {} over sentences, {} layer(s)", c.hidden_dim, c.num_layers)),
            ("prediction heads", format!("one matrix for each of the next K = {} sentences", h.steps)),
        ];
        let repo = self.about.repo.and_then(repository);
        let command = match repo {
            Some(repo) => format!("cpc extract hf:{repo} sentences.txt --out vectors"),
            None => "cpc extract MODEL sentences.txt --out vectors    # MODEL: the directory of this file".into(),
        };
        let (import, file) = match repo {
            Some(repo) => (
                "from huggingface_hub import hf_hub_download\n",
                format!("lambda name: hf_hub_download(\"{repo}\", name)"),
            ),
            None => ("", "lambda name: name".to_string()),
        };
        let program = [
            ("<<import>>\n", import.to_string()),
            ("<<file>>", file),
            ("<<padding>>", (e.kernel / 2).to_string()),
            ("<<tokens>>", self.config.max_tokens.to_string()),
        ]
        .iter()
        .fold(PYTORCH.to_string(), |program, (mark, text)| program.replace(mark, text));
        format!(
            "{}\n# {}\n\nA model of contrastive predictive coding on text \
            ([van den Oord et al. 2018](https://arxiv.org/abs/1807.03748), section 3.3): it turns a sentence into a vector z of {} dimensions, learned without labels by \
            distinguishing the sentences that follow from others.\n\n## Architecture\n\n{}\n## Use\n\nWith [cpc](https://crates.io/crates/cpc-toolkit), one sentence per line:\n\n\
            ```sh\n{command}\n```\n\nIn PyTorch, without cpc:\n\n```python\n{program}```\n\n## Intended use and limits\n\n- It is meant for sentence vectors: the input of a \
            classifier. It does not generate text.\n- All words it does not know are treated as one unknown word; `cpc text expand` adds words from a file of word vectors.\n\
            {CITATION}",
            self.about.header(&TAGS, "feature-extraction"),
            plain(self.about.name),
            e.hidden_dim,
            facts(rows),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HeadsConfig, SentenceEncoderConfig};
    use crate::nn::ContextConfig;

    #[test]
    fn it_says_what_the_model_is_and_how_to_use_it() {
        let config = TextModelConfig {
            kind: TextModelConfig::KIND.into(),
            format: 1,
            encoder: SentenceEncoderConfig { vocab_size: 99, embedding_dim: 7, hidden_dim: 11, kernel: 3 },
            context: ContextConfig::default(),
            heads: HeadsConfig::default(),
            max_tokens: 13,
            tokenizer_sha256: String::new(),
            origin: None,
        };
        let about = About {
            name: "a*b",
            license: Some("mit"),
            language: &["en".into()],
            datasets: &[],
            repo: Some("owner/name"),
        };
        let card = TextCard { about, config: &config };
        let text = card.markdown();
        for words in [
            "license: \"mit\"",
            "language:\n- \"en\"",
            "# a\\*b",
            "vector z of 11",
            "cpc extract hf:owner/name sentences.txt",
            "hf_hub_download(\"owner/name\", name)",
            "padding=1",
            "[:13]",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("<<"), "{text}");
        assert!(
            TextCard { about: About { repo: None, ..about }, ..card }
                .markdown()
                .contains("cpc extract MODEL sentences.txt")
        );
    }
}
