//! The card of an image model.

use crate::kinds::dim::DimModelConfig;
use crate::kinds::word;
use crate::report::model_card::{About, facts, plain, repository};

/// The contents of the card of an image model.
#[derive(Debug, Clone, Copy)]
pub struct ImageCard<'a> {
    /// Information given by its owner.
    pub about: About<'a>,
    /// Its architecture and objective.
    pub config: &'a DimModelConfig,
}

const PYTORCH: &str = include_str!("model.py.txt");

const CITATION: &str = "
## Citation

```bibtex
@inproceedings{hjelm2019dim,
  title     = {Learning deep representations by mutual information estimation and maximization},
  author    = {Hjelm, R Devon and Fedorov, Alex and Lavoie-Marchildon, Samuel and Grewal, Karan and Bachman, Phil and Trischler, Adam and Bengio, Yoshua},
  booktitle = {International Conference on Learning Representations},
  year      = {2019}
}
```
";

impl ImageCard<'_> {
    /// The card as Markdown.
    pub fn markdown(&self) -> String {
        let (c, size) = (self.config, self.config.size);
        let architecture = c.encoder.architecture;
        let [kernel, stride, padding] = architecture.window();
        let channels: Vec<String> = architecture.channels().iter().map(ToString::to_string).collect();
        let labeled = c.objective.labels > 0.0;
        let learned = if labeled {
            "learned with labels"
        } else {
            "learned without labels by maximizing the information it carries about its image, at every location or as a whole"
        };
        let norm = if architecture.batch_norm() { ", batch norm" } else { "" };
        let weights = format!("alpha {}, beta {}, gamma {}", c.objective.alpha, c.objective.beta, c.objective.gamma);
        let rows = vec![
            ("images", size.to_string()),
            ("convolutions", format!("{} channels of {kernel}/{stride}/{padding}{norm}, ReLU", channels.join(", "))),
            ("fully connected", format!("{}{norm}, ReLU", c.encoder.fc_dim)),
            ("Y", format!("{} dimensions", c.encoder.latent_dim)),
            (
                "objective",
                if labeled { "labels".into() } else { format!("{}, {weights}", word(&c.objective.estimator)) },
            ),
        ];
        let repo = self.about.repo.and_then(repository);
        let model = repo.map_or("MODEL".to_string(), |repo| format!("hf:{repo}"));
        let (import, file) = match repo {
            Some(repo) => (
                "from huggingface_hub import hf_hub_download\n",
                format!("hf_hub_download(\"{repo}\", \"model.safetensors\")"),
            ),
            None => ("", "\"model.safetensors\"".to_string()),
        };
        let program = [
            ("<<import>>\n", import.to_string()),
            ("<<file>>", file),
            ("<<channels>>", size.channels.to_string()),
            ("<<height>>", size.height.to_string()),
            ("<<width>>", size.width.to_string()),
            ("<<convolutions>>", channels.len().to_string()),
            ("<<stride>>", stride.to_string()),
            ("<<padding>>", padding.to_string()),
        ]
        .iter()
        .fold(PYTORCH.to_string(), |program, (mark, text)| program.replace(mark, text));
        format!(
            "{}\n# {}\n\nAn encoder for images of {size}, of the Deep InfoMax family ([Hjelm et al. 2019](https://arxiv.org/abs/1808.06670)): it \
            turns an image into a vector Y of {} numbers, {learned}.\n\n## Architecture\n\n{}\n## Use\n\nWith [cpc](https://crates.io/crates/cpc-toolkit); DATA is a \
            directory of MNIST's IDX files or of parquet files:\n\n```sh\ncpc extract {model} DATA --layer y --out features\ncpc probe {model} --data DATA --layer y,conv \
            --baselines random,pca\n```\n\nIn PyTorch, without cpc:\n\n```python\n{program}```\n\n## Intended use and limits\n\n- It is meant for features of images like those it was \
            trained on.\n- Nothing is reported here about how well these features classify images: `cpc probe` measures that.\n{CITATION}",
            self.about.header(
                &["deep-infomax", "mutual-information", "self-supervised", "images", "feature-extraction"],
                "image-feature-extraction"
            ),
            plain(self.about.name),
            c.encoder.latent_dim,
            facts(rows),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ImageSize;
    use crate::kinds::dim::DimConfig;

    #[test]
    fn it_says_what_the_model_is_and_how_to_use_it() {
        let mut run = DimConfig::default();
        let size = ImageSize { height: 28, width: 28, channels: 1 };
        run.encoder.architecture = run.encoder.architecture.of([28, 28]).unwrap();
        let config = DimModelConfig::new(&run, size, 10);
        let about = About { name: "a*b", license: Some("mit"), language: &[], datasets: &[], repo: Some("owner/name") };
        let text = ImageCard { about, config: &config }.markdown();
        for words in [
            "license: \"mit\"",
            "# a\\*b",
            "64, 128 channels of 5/2/2, ReLU",
            "vector Y of 64",
            "cpc extract hf:owner/name DATA",
            "hf_hub_download(\"owner/name\", \"model.safetensors\")",
            "stride=2, padding=2",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("<<") && !text.contains("batch norm,"), "{text}");
        let text = ImageCard { about: About { repo: None, ..about }, config: &config }.markdown();
        assert!(text.contains("cpc extract MODEL DATA") && text.contains("load_file(\"model.safetensors\")"));
    }
}
