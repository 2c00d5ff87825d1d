//! Describes a text: how many sentences and documents it has, read as lines and as prose, and what is left out.

use crate::config::OnBadFile;
use crate::error::{Problem, Result};
use crate::kinds::{Described, Inspected};
use crate::text::{Counts, Source, Split};
use serde_json::{Value, json};
use std::path::Path;

/// Problems that are listed before the rest is only counted.
const LISTED: usize = 10;

/// Describes the text at `data`; `column` is its column of a table or key of JSONL, if that is not the usual one.
pub(super) fn inspect(data: &Path, column: &str) -> Result<Inspected> {
    let read = |split| -> Result<(Source, Counts)> {
        let source = Source::open(data, split, column, OnBadFile::Skip)?;
        let counts = source.read(&mut |_| Ok(()))?;
        Ok((source, counts))
    };
    let (source, lines) = read(Split::Lines)?;
    let (_, prose) = read(Split::Sentences)?;
    let count = |c: &Counts| json!({"sentences": c.sentences, "documents": c.documents, "joined_lines": c.joined});
    let mut text = format!(
        "text        {}\nfiles       {}\nlines       {}, {} of them blank\nsentences   {} in {} documents, one per line\n            \
         {} in {} documents with --split sentences, which joins {} lines to the lines before them\n",
        data.display(),
        source.files().len(),
        lines.lines,
        lines.blank + lines.ends,
        lines.sentences,
        lines.documents,
        prose.sentences,
        prose.documents,
        prose.joined,
    );
    if lines.unspaced > 0 {
        text += &format!("scripts     {} sentences are in scripts without spaces between words\n", lines.unspaced);
    }
    let info: Value = json!({
        "path": data, "files": source.files().len(), "lines": lines.lines, "blank_lines": lines.blank + lines.ends,
        "unspaced": lines.unspaced, "as_lines": count(&lines), "as_prose": count(&prose),
    });
    let mut problems = lines.problems;
    if lines.more_problems > 0 {
        problems.push(Problem::new(data.display(), format!("{} more problems", lines.more_problems)));
    }
    if !problems.is_empty() {
        text += &format!("problems    {}\n", problems.len());
        problems.iter().take(LISTED).for_each(|problem| text += &format!("  {problem}\n"));
        if let more @ 1.. = problems.len().saturating_sub(LISTED) {
            text += &format!("  ... and {more} more\n");
        }
    }
    Ok(Inspected { described: Described::new(&info, text)?, problems })
}
