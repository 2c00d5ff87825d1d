//! The page of a probe's result: one self-contained HTML file, readable without a network and without scripts.
//!
//! It contains the table of accuracies as bars, and for each kind of features the confusion matrix, the recall of each class, the pairs
//! most often confused, and a map of the frames. The script only adds interaction with a pointer: it shows the numbers of a cell, and
//! highlights one class of the map. Names of classes and files are escaped everywhere, and the page's own policy forbids loading anything.

mod map;
mod matrix;
#[cfg(feature = "images")]
mod neighbors;

#[cfg(feature = "images")]
pub use neighbors::neighbors;

use crate::eval::probe::outcome::{ProbeOutcome, ProbeRow};
use crate::eval::probe::protocol::Protocol;
use crate::report::markup::{Escaped, percent, short, width};
use base64::Engine;
use serde::Serialize;
use std::fmt::{self, Write};

/// Points of the map of a report.
pub const MAP_POINTS: usize = 2000;

/// How many of the most confused pairs are listed.
const PAIRS: usize = 15;
/// Letters of a class's name in the list of recalls at most.
const LETTERS: usize = 18;

/// What the page shows.
#[derive(Debug, Clone, Serialize)]
pub struct ProbePage {
    /// The heading.
    pub title: String,
    /// What was measured and how, such as ("protocol", "frame"), in the order of the page.
    pub facts: Vec<(String, String)>,
    /// What is counted, in the plural: `frames` or `utterances`.
    pub unit: String,
    /// The accuracy of guessing evenly, as a share of 1, marked in the bars.
    pub chance: Option<f64>,
    /// The accuracy of always saying the largest class, as a share of 1, marked in the bars.
    pub majority: Option<f64>,
    /// A row for each kind of features, in the order of the page.
    pub table: Vec<PageRow>,
    /// The names of the classes; a class is told by its place here.
    pub classes: Vec<String>,
    /// The features that are shown more closely.
    pub details: Vec<Detail>,
}

impl ProbePage {
    /// The page of an outcome.
    pub fn of(outcome: &ProbeOutcome) -> ProbePage {
        let part = |utterances: usize, rows: usize| match outcome.unit {
            "utterances" => format!("{utterances} utterances, {rows} rows"),
            unit => format!("{utterances} {unit}"),
        };
        let mut facts = vec![
            ("protocol".to_string(), format!("{}, {} probe", outcome.protocol.name(), outcome.probe)),
            ("labels".to_string(), outcome.labels.clone()),
            ("train".to_string(), part(outcome.train.utterances, outcome.train.rows)),
            ("test".to_string(), part(outcome.test.utterances, outcome.test.rows)),
        ];
        facts.extend(outcome.remarks.iter().map(|remark| ("note".to_string(), remark.clone())));
        let unit = match (outcome.protocol, outcome.unit) {
            (Protocol::Frame, _) => "frames",
            (_, "utterances") => "rows",
            (_, unit) => unit,
        };
        let detail = |row: &ProbeRow| Detail {
            features: row.features.clone(),
            confusion: row.confusion.clone(),
            map: row.map.as_ref().map(|map| Map {
                method: "t-SNE on 50 principal components, perplexity 30".into(),
                points: map.tsne.iter().zip(&map.classes).map(|(&[x, y], &class)| (x, y, class)).collect(),
            }),
            picture: None,
        };
        ProbePage {
            title: "What a classifier reads from the features".into(),
            facts,
            unit: unit.into(),
            chance: Some(outcome.chance),
            majority: Some(outcome.majority),
            table: outcome
                .rows
                .iter()
                .map(|row| PageRow {
                    features: row.features.clone(),
                    accuracy: row.accuracy,
                    ci95: row.ci95,
                    macro_f1: row.macro_f1,
                })
                .collect(),
            classes: outcome.rows.first().map_or(Vec::new(), |r| r.recalls.iter().map(|r| r.class.clone()).collect()),
            details: outcome.rows.iter().map(detail).collect(),
        }
    }
}

/// How well one kind of features did.
#[derive(Debug, Clone, Serialize)]
pub struct PageRow {
    /// The name of the features, such as `c` or `mfcc`.
    pub features: String,
    /// Accuracy on the test set, as a share of 1.
    pub accuracy: f64,
    /// The ends of its 95 % confidence interval, as shares of 1.
    pub ci95: Option<[f64; 2]>,
    /// The mean over classes of F1, as a share of 1.
    pub macro_f1: f64,
}

/// One kind of features, more closely.
#[derive(Debug, Clone, Serialize)]
pub struct Detail {
    /// The name of the features, as in [`PageRow`].
    pub features: String,
    /// Counts (true class, predicted class), a row and a column for each of [`ProbePage::classes`]; what is missing is 0. The recall
    /// of a class is its share on the diagonal of its row; a row of zeros is a class without an example.
    pub confusion: Vec<Vec<u64>>,
    /// Where some of the test set lies on a plane.
    pub map: Option<Map>,
    /// Images of the test set with their nearest neighbors, a PNG file.
    #[serde(skip)]
    pub picture: Option<Vec<u8>>,
}

/// Points on a plane.
#[derive(Debug, Clone, Serialize)]
pub struct Map {
    /// How it was made, such as `t-SNE, perplexity 30`.
    pub method: String,
    /// x, y and the class of each point. Points that are not finite, or of no class, are left out and counted.
    pub points: Vec<(f32, f32, u32)>,
}

/// The page as HTML that is well-formed XML too. The same input gives the same text.
pub fn render(page: &ProbePage) -> String {
    let mut out = String::new();
    let _ = write_page(&mut out, page); // writing to a string cannot fail
    out
}

fn write_page(out: &mut String, page: &ProbePage) -> fmt::Result {
    let title = Escaped(&page.title);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\"/>\n\
         <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        include_str!("page.css")
    )?;
    if !page.facts.is_empty() {
        out.push_str("<dl class=\"facts\">\n");
        for (name, value) in &page.facts {
            writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value))?;
        }
        out.push_str("</dl>\n");
    }
    accuracies(out, page)?;
    if page.details.len() > 1 {
        out.push_str("<nav aria-label=\"Features\">In detail:");
        for (i, detail) in page.details.iter().enumerate() {
            write!(out, " <a href=\"#d{i}\">{}</a>", Escaped(&detail.features))?;
        }
        out.push_str("</nav>\n");
    }
    for (i, detail) in page.details.iter().enumerate() {
        let counts = Counts::new(page, detail);
        writeln!(out, "<section id=\"d{i}\">\n<h2>{}</h2>", Escaped(&detail.features))?;
        out.push_str("<div class=\"beside\">\n");
        matrix::write(out, &counts, i)?;
        pairs(out, &counts)?;
        out.push_str("</div>\n");
        recalls(out, &counts)?;
        if let Some(points) = &detail.map {
            map::write(out, points, &page.classes, i)?;
        }
        if let Some(picture) = &detail.picture {
            writeln!(
                out,
                "<figure><img src=\"data:image/png;base64,{}\" alt=\"images and their nearest neighbors\"/>\
                 <figcaption>On the left of each line is an image of the test set, followed by its nearest neighbors by the angle \
                 between features.</figcaption></figure>",
                base64::engine::general_purpose::STANDARD.encode(picture)
            )?;
        }
        matrix::write_counts(out, &counts)?;
        out.push_str("</section>\n");
    }
    write!(
        out,
        "</main>\n<div id=\"tip\" aria-hidden=\"true\" hidden=\"hidden\"></div>\n<script>\n{}</script>\n</body>\n</html>\n",
        include_str!("page.js")
    )
}

/// The confusion matrix of one kind of features, completed with zeros, with the sums of its rows.
struct Counts<'a> {
    classes: &'a [String],
    unit: &'a str,
    features: &'a str,
    rows: Vec<Vec<u64>>,
    totals: Vec<u64>,
}

impl<'a> Counts<'a> {
    fn new(page: &'a ProbePage, detail: &'a Detail) -> Self {
        let n = page.classes.len();
        let count = |truth: usize, said: usize| detail.confusion.get(truth).and_then(|row| row.get(said)).copied();
        let row = |truth: usize| (0..n).map(|said| count(truth, said).unwrap_or(0)).collect::<Vec<u64>>();
        let rows: Vec<Vec<u64>> = (0..n).map(row).collect();
        let totals = rows.iter().map(|row| row.iter().sum()).collect();
        Counts { classes: &page.classes, unit: &page.unit, features: &detail.features, rows, totals }
    }

    /// The share of class `truth` that was classified as `said`; `None` without an example.
    fn share(&self, truth: usize, said: usize) -> Option<f64> {
        let total = self.totals[truth];
        (total > 0).then(|| self.rows[truth][said] as f64 / total as f64)
    }
}

fn accuracies(out: &mut String, page: &ProbePage) -> fmt::Result {
    out.push_str("<table class=\"accuracy\">\n<caption>Accuracy, with its 95 % confidence interval");
    let lines = [("chance", "chance", page.chance), ("majority", "the largest class alone", page.majority)];
    for (class, name, value) in lines.iter().filter_map(|&(class, name, value)| Some((class, name, value?))) {
        write!(
            out,
            "<span class=\"key\"><svg class=\"line\" viewBox=\"0 0 24 10\" aria-hidden=\"true\">\
             <path class=\"{class}\" d=\"M0 5h24\"/></svg> {name} {}</span>",
            percent(value)
        )?;
    }
    out.push_str(
        "</caption>\n<thead><tr><th scope=\"col\">Features</th><th scope=\"col\" class=\"bars\"><div class=\"axis\">",
    );
    for tick in [0, 25, 50, 75, 100] {
        write!(out, "<span style=\"left:{tick}%\">{tick}</span>")?;
    }
    out.push_str(
        "</div></th><th scope=\"col\" class=\"number\">Accuracy</th><th scope=\"col\" class=\"number\">Macro-F1</th></tr></thead>\n<tbody>\n",
    );
    let place = |share: f64| if share.is_finite() { share.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    for row in &page.table {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"bars\"><svg viewBox=\"0 0 100 20\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect class=\"bar\" y=\"4\" width=\"{:.3}\" height=\"12\"/>",
            Escaped(&row.features),
            place(row.accuracy)
        )?;
        if let Some([low, high]) = row.ci95 {
            let (low, high) = (place(low), place(high));
            write!(out, "<path class=\"interval\" d=\"M{low:.3} 10H{high:.3}M{low:.3} 7v6M{high:.3} 7v6\"/>")?;
        }
        // The lines have an SVG of their own, as high as the row, so that they connect with those of the next row.
        out.push_str(
            "</svg><svg class=\"marks\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <path class=\"grid\" d=\"M0 0v1M25 0v1M50 0v1M75 0v1M100 0v1\"/>",
        );
        for (class, _, value) in lines {
            if let Some(value) = value {
                write!(out, "<path class=\"{class}\" d=\"M{:.3} 0v1\"/>", place(value))?;
            }
        }
        write!(out, "</svg></td><td class=\"number\"><b>{}</b>", percent(row.accuracy))?;
        if let Some([low, high]) = row.ci95 {
            write!(out, " <small>{:.1}\u{a0}to\u{a0}{:.1}</small>", 100.0 * low, 100.0 * high)?;
        }
        writeln!(out, "</td><td class=\"number\">{}</td></tr>", percent(row.macro_f1))?;
    }
    out.push_str("</tbody>\n</table>\n");
    Ok(())
}

fn pairs(out: &mut String, counts: &Counts) -> fmt::Result {
    let n = counts.classes.len();
    let mut wrong: Vec<(u64, usize, usize)> = (0..n * n)
        .map(|i| (counts.rows[i / n][i % n], i / n, i % n))
        .filter(|&(count, truth, said)| count > 0 && truth != said)
        .collect();
    wrong.sort_by_key(|&(count, truth, said)| (std::cmp::Reverse(count), truth, said));
    if wrong.is_empty() {
        out.push_str("<p class=\"pairs\">No class was taken for another.</p>\n");
        return Ok(());
    }
    write!(
        out,
        "<table class=\"pairs\">\n<caption>Most often confused</caption>\n<thead><tr><th scope=\"col\">True</th>\
         <th scope=\"col\">Predicted</th><th scope=\"col\" class=\"number\">Count</th>\
         <th scope=\"col\" class=\"number\">Share of the true class</th></tr></thead>\n<tbody>\n"
    )?;
    for &(count, truth, said) in wrong.iter().take(PAIRS) {
        writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"number\">{count}</td><td class=\"number\">{}</td></tr>",
            Escaped(&counts.classes[truth]),
            Escaped(&counts.classes[said]),
            percent(counts.share(truth, said).unwrap_or(f64::NAN))
        )?;
    }
    out.push_str("</tbody>\n</table>\n");
    Ok(())
}

fn recalls(out: &mut String, counts: &Counts) -> fmt::Result {
    let n = counts.classes.len();
    let recall = |class: usize| counts.share(class, class);
    let mut order: Vec<usize> = (0..n).collect();
    let letters = counts.classes.iter().map(|name| width(name, LETTERS)).max().unwrap_or(0).max(3);
    order.sort_by(|&a, &b| recall(b).unwrap_or(-1.0).total_cmp(&recall(a).unwrap_or(-1.0)).then(a.cmp(&b)));
    writeln!(
        out,
        "<h3>Recall of each class</h3>\n<p>The share of its {} that was classified correctly, and their number in the test set.</p>\n\
         <ol class=\"recall\" style=\"--name: {:.2}em\">",
        Escaped(counts.unit),
        1.0 + 0.62 * letters as f64
    )?;
    for class in order {
        let (name, cut) = (&counts.classes[class], short(&counts.classes[class], LETTERS));
        write!(out, "<li><span class=\"name\" title=\"{}\">{}</span>", Escaped(name), Escaped(&cut))?;
        match recall(class) {
            Some(share) => write!(
                out,
                "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" width=\"100\" \
                 height=\"10\"/><rect class=\"bar\" width=\"{:.3}\" height=\"10\"/></svg><span class=\"number\">{}</span>",
                share * 100.0,
                percent(share)
            )?,
            None => out.push_str("<span class=\"none\">no example</span><span></span>"),
        }
        writeln!(out, "<span class=\"number total\">{}</span></li>", counts.totals[class])?;
    }
    out.push_str("</ol>\n");
    Ok(())
}

#[cfg(test)]
mod tests;
