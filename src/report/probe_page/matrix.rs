//! The confusion matrix as a heat map: rows are true classes, each row adds up to 100 %.
//!
//! A cell is colored by its share, in nine steps that get finer towards 0, since the errors of a good probe are small shares. The cells of
//! one step form one path, so that a page with 250 classes stays small and the style sheet determines the colors of light and dark mode.
//! The counts are given below as text; the script reads them from there.

use crate::report::markup::{Escaped, short, width};
use crate::report::probe_page::Counts;
use std::fmt::{self, Write};

/// The steps of a cell's share: step i begins at `STEPS[i]`, the first one just above 0.
const STEPS: [f64; 9] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8];
/// Largest number of classes for which the cells are large enough for numbers.
const NUMBERED: usize = 12;
/// Largest number of classes for which there are lines between cells.
const RULED: usize = 64;
/// The height of a line of labels, in pixels.
const LINE: f64 = 12.0;
/// The width of a letter of a label, in pixels.
const LETTER: f64 = 6.4;
/// Largest number of letters in a label.
const LETTERS: usize = 16;

/// The step of a share: 0 for a share of 0, otherwise 1 to 9.
fn step(share: f64) -> usize {
    if share > 0.0 { STEPS.iter().filter(|&&from| share >= from).count() } else { 0 }
}

/// The side of a cell in pixels.
fn cell(classes: usize) -> f64 {
    match classes {
        0..=6 => 64.0,
        7..=NUMBERED => 46.0,
        13..=24 => 26.0,
        25..=RULED => 15.0,
        n => (720.0 / n as f64).max(1.0),
    }
}

/// Writes the figure; `number` distinguishes the figures of a page.
pub(super) fn write(out: &mut String, counts: &Counts, number: usize) -> fmt::Result {
    let n = counts.classes.len();
    let cell = cell(n);
    let side = cell * n as f64;
    let letters = counts.classes.iter().map(|name| width(name, LETTERS)).max().unwrap_or(0) as f64;
    let upright = letters * LETTER < cell; // then the labels of the columns fit side by side
    let left = letters * LETTER + 26.0;
    let top = 24.0 + if upright { LINE } else { letters * LETTER + 4.0 };
    let every = (LINE / cell).ceil() as usize;
    let (total_width, total_height) = ((left + side).max(left + 330.0) + 4.0, top + side + 52.0);
    write!(
        out,
        "<figure class=\"matrix{}\" style=\"width:{total_width:.0}px\">\n<svg viewBox=\"0 0 {total_width:.0} {total_height:.0}\" width=\"{total_width:.0}\" role=\"img\" \
         aria-labeledby=\"m{number}t m{number}d\">\n<title id=\"m{number}t\">Confusion matrix of {}</title>\n\
         <desc id=\"m{number}d\">Rows are true classes, columns are predicted classes; each row adds up to 100 %. The counts \
         are given as text at the end of this section.</desc>\n",
        if n > 24 { " wide" } else { "" },
        Escaped(counts.features)
    )?;
    write!(
        out,
        "<defs><pattern id=\"m{number}p\" width=\"{0}\" height=\"{0}\" patternUnits=\"userSpaceOnUse\">",
        6.0 / cell
    )?;
    write!(
        out,
        "<path class=\"hatch\" stroke-width=\"{1}\" d=\"M0 {0}L{0} 0\"/></pattern></defs>",
        6.0 / cell,
        1.0 / cell
    )?;
    writeln!(
        out,
        "<text class=\"axis\" x=\"{left:.1}\" y=\"12\">predicted →</text><text class=\"axis\" text-anchor=\"end\" \
         transform=\"translate(12 {top:.1}) rotate(-90)\">← true</text>"
    )?;
    labels(out, counts, (left, top), cell, (every, upright))?;
    cells(out, counts, (left, top), cell, number)?;
    numbers(out, counts, (left, top), cell)?;
    key(out, left, top + side + 14.0)?;
    out.push_str("</svg>\n");
    write!(out, "<figcaption>Confusion matrix: each row is a true class and adds up to 100 %.")?;
    if every > 1 {
        write!(out, " One class in {every} is labeled.")?;
    }
    if counts.totals.contains(&0) {
        write!(out, " Hatched rows have no example in the test set.")?;
    }
    out.push_str(
        " <span class=\"scripted\">Point at a cell for its classes and count.</span></figcaption>\n</figure>\n",
    );
    Ok(())
}

fn labels(out: &mut String, counts: &Counts, at: (f64, f64), cell: f64, how: (usize, bool)) -> fmt::Result {
    let ((left, top), (every, upright)) = (at, how);
    for (i, name) in counts.classes.iter().enumerate().step_by(every.max(1)) {
        let middle = cell * (i as f64 + 0.5);
        let cut = short(name, LETTERS);
        let text = Escaped(&cut);
        let title = if cut == *name { String::new() } else { format!("<title>{}</title>", Escaped(name)) };
        let none = if counts.totals[i] == 0 { " class=\"none\"" } else { "" };
        write!(
            out,
            "<text{none} text-anchor=\"end\" x=\"{:.1}\" y=\"{:.2}\">{title}{text}</text>",
            left - 4.0,
            top + middle + 3.7
        )?;
        if upright {
            writeln!(
                out,
                "<text text-anchor=\"middle\" x=\"{:.2}\" y=\"{:.1}\">{title}{text}</text>",
                left + middle,
                top - 5.0
            )?;
        } else {
            let (x, y) = (left + middle + 3.7, top - 4.0);
            writeln!(out, "<text transform=\"translate({x:.2} {y:.1}) rotate(-90)\">{title}{text}</text>")?;
        }
    }
    Ok(())
}

/// Writes the cells, in units of cells; adjacent cells of the same step are merged into one rectangle.
fn cells(out: &mut String, counts: &Counts, at: (f64, f64), cell: f64, number: usize) -> fmt::Result {
    let n = counts.classes.len();
    let mut paths = vec![String::new(); STEPS.len() + 1];
    for truth in 0..n {
        let step_at = |said: usize| step(counts.share(truth, said).unwrap_or(0.0));
        let mut said = 0;
        while said < n {
            let step = step_at(said);
            let length = (said..n).take_while(|&next| step_at(next) == step).count();
            if step > 0 {
                write!(paths[step], "M{said} {truth}h{length}v1h-{length}z")?;
            }
            said += length;
        }
    }
    writeln!(
        out,
        "<g class=\"cells\" transform=\"translate({:.1} {:.1}) scale({cell:.4})\"><rect class=\"s0\" width=\"{n}\" height=\"{n}\"/>",
        at.0, at.1
    )?;
    for (step, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        writeln!(out, "<path class=\"s{step}\" d=\"{path}\"/>")?;
    }
    for (truth, _) in counts.totals.iter().enumerate().filter(|&(_, &total)| total == 0) {
        writeln!(out, "<rect fill=\"url(#m{number}p)\" y=\"{truth}\" width=\"{n}\" height=\"1\"/>")?;
    }
    if n <= RULED {
        out.push_str("<path class=\"rule\" d=\"");
        (1..n).try_for_each(|i| write!(out, "M{i} 0v{n}M0 {i}h{n}"))?;
        out.push_str("\"/>");
    }
    writeln!(
        out,
        "<rect class=\"frame\" width=\"{n}\" height=\"{n}\"/><rect class=\"cursor\" width=\"1\" height=\"1\" visibility=\"hidden\"/></g>"
    )
}

fn numbers(out: &mut String, counts: &Counts, at: (f64, f64), cell: f64) -> fmt::Result {
    let n = counts.classes.len();
    if n > NUMBERED {
        return Ok(());
    }
    out.push_str("<g class=\"numbers\" text-anchor=\"middle\">");
    for (truth, said) in (0..n * n).map(|i| (i / n, i % n)) {
        let Some(share) = counts.share(truth, said).filter(|&share| share > 0.0) else { continue };
        let (x, y) = (at.0 + cell * (said as f64 + 0.5), at.1 + cell * (truth as f64 + 0.5) + 4.0);
        write!(out, "<text class=\"t{}\" x=\"{x:.1}\" y=\"{y:.1}\">", step(share))?;
        match share * 100.0 {
            p if p < 0.1 => out.push_str("&lt;0.1"),
            p => write!(out, "{p:.1}")?,
        }
        out.push_str("</text>");
    }
    out.push_str("</g>\n");
    Ok(())
}

/// Writes the key to the colors.
fn key(out: &mut String, left: f64, top: f64) -> fmt::Result {
    const BOX: f64 = 34.0;
    write!(out, "<g class=\"key\" transform=\"translate({left:.1} {top:.1})\">")?;
    for (i, from) in STEPS.iter().enumerate() {
        let x = BOX * i as f64;
        write!(out, "<rect class=\"s{}\" x=\"{x}\" width=\"{BOX}\" height=\"12\"/>", i + 1)?;
        let text = if i == 0 { "&gt;0".to_string() } else { format!("{:.0}", 100.0 * from) };
        write!(out, "<text x=\"{x}\" y=\"25\">{text}{}</text>", if i + 1 == STEPS.len() { " % +" } else { "" })?;
    }
    out.push_str("</g>\n");
    Ok(())
}

/// Writes the counts, tab-separated with a row and a column of names, in a collapsed element.
pub(super) fn write_counts(out: &mut String, counts: &Counts) -> fmt::Result {
    write!(
        out,
        "<details class=\"counts\"><summary>The confusion matrix as text (rows true, columns predicted, {}; tab-separated)</summary>\n<pre>true",
        Escaped(counts.unit)
    )?;
    counts.classes.iter().try_for_each(|name| write!(out, "\t{}", Escaped(name)))?;
    for (name, row) in counts.classes.iter().zip(&counts.rows) {
        write!(out, "\n{}", Escaped(name))?;
        row.iter().try_for_each(|count| write!(out, "\t{count}"))?;
    }
    out.push_str("</pre></details>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_on_the_edge_belongs_to_the_step_that_begins_there() {
        for (share, want) in [(0.0, 0), (1e-9, 1), (0.0099, 1), (0.01, 2), (0.2, 6), (0.7999, 8), (0.8, 9), (1.0, 9)] {
            assert_eq!(step(share), want, "{share}");
        }
    }
}
