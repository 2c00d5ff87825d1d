//! The model card: `README.md` of a model directory, with the header that the Hugging Face hub reads.
//!
//! It states only what is known about a model: its architecture from `config.json`, and its training and its figures if they are given. Its
//! PyTorch program is written for this one architecture, and computes the same z and c as [`crate::features`].

mod details;
mod strings;

pub use details::{CARD, Details};
pub(crate) use strings::{called, percent, plain, repository, short, table, yaml};

/// Information given by the owner of a model; what is not known is omitted.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The name of the model.
    pub name: &'a str,
    /// The hub's id of its license, such as `mit`.
    pub license: Option<&'a str>,
    /// ISO 639 codes of the languages it was trained on.
    pub language: &'a [String],
    /// Data sets on the hub that it was trained on, `owner/name`.
    pub datasets: &'a [String],
    /// Its repository on the hub, `owner/name`; anything else is ignored.
    pub repo: Option<&'a str>,
}

impl About<'_> {
    /// The header that the hub reads.
    pub(crate) fn header(&self, tags: &[&str], pipeline: &str) -> String {
        let list = |key: &str, values: &[String]| match values {
            [] => String::new(),
            _ => format!("{key}:\n{}", values.iter().map(|v| format!("- {}\n", yaml(v))).collect::<String>()),
        };
        let license = self.license.map_or(String::new(), |license| format!("license: {}\n", yaml(license)));
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        format!(
            "---\nlibrary_name: cpc-toolkit\npipeline_tag: {pipeline}\n{}{license}{}{}---\n",
            list("tags", &tags),
            list("language", self.language),
            list("datasets", self.datasets)
        )
    }

    /// A card that states only what kind of model it is.
    pub fn minimal(&self, kind: &str) -> String {
        format!(
            "{}\n# {}\n\nA model of the kind `{kind}`, trained with [cpc-toolkit](https://crates.io/crates/cpc-toolkit). `cpc info` describes it.\n",
            self.header(&["cpc"], "feature-extraction"),
            plain(self.name)
        )
    }
}

pub(crate) const CITATION: &str = "
## Citation

```bibtex
@article{oord2018cpc,
  title   = {Representation Learning with Contrastive Predictive Coding},
  author  = {van den Oord, Aaron and Li, Yazhe and Vinyals, Oriol},
  journal = {arXiv preprint arXiv:1807.03748},
  year    = {2018}
}
```
";

/// A table of what is known: rows without a value are omitted.
pub(crate) fn facts(rows: Vec<(&str, String)>) -> String {
    let known = rows.into_iter().filter(|(_, value)| !value.is_empty());
    table(&["", ""], &known.map(|(key, value)| vec![key.to_string(), value]).collect::<Vec<_>>())
}
