//! `cpc mi discrete`: information theory of labels, exact from a table of probabilities or estimated from samples.

use crate::command::picture::svg_file;
use crate::command::terminal::Terminal;
use crate::error::{Error, Result};
use crate::mi::discrete::{
    Counts, Estimator, Joint, Table, Unit, Variable, atoms, cross_entropy, read_columns, read_table, subsets,
    total_correlation,
};
use crate::mi::input;
use crate::report::diagram::Diagram;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Options of `cpc mi discrete`.
#[derive(Debug, Args)]
#[command(
    about = "Entropies and mutual information of labels: exact from probabilities, estimated from samples",
    long_about = "Entropies and mutual information of variables with few values.\n\n\
        The input is columns of a CSV file, one row per sample. --x and --y name them; several, separated by commas, are treated as one \
        variable. --given names columns to condition on.\n\n\
        Or the input is a joint table, --joint, with one row for each value of X and one column for each value of Y. Its cells are \
        probabilities (then all results are exact) or counts. The first row and column may hold the names of the values, and the corner may \
        hold X\\Y.\n\n\
        With samples, relative frequencies make entropies too low and mutual information too high, by about (cells - 1) / 2n. miller-madow \
        (the default) corrects for this bias, shrinkage is for more cells than samples, and plug-in makes no correction.\n\n\
        With three to eight columns, the total correlation (0 if all are independent) and the co-information (what all have in common; negative if they \
        say more together than one by one) are added. --diagram draws X, Y and Z as circles that overlap, and lists the value of every part.\n\n\
        --against gives a second table of probabilities q. The cross-entropy H(p, q) and the divergence KL(p || q) are then added.",
    after_help = "Examples:\n  \
        cpc mi discrete survey.csv --x smoker --y outcome\n  \
        cpc mi discrete survey.csv --x smoker,age --y outcome --given sex --unit bits\n  \
        cpc mi discrete survey.csv --x smoker --y outcome --given sex --diagram diagram.svg\n  \
        cpc mi discrete --joint p.csv --against q.csv --json\n  \
        cut -d, -f2,5 big.csv | cpc mi discrete - --x city --y plan"
)]
pub(crate) struct Discrete {
    /// A CSV file (with commas, semicolons or tabs) whose first line names the columns; `-` is standard input
    #[arg(required_unless_present = "joint", conflicts_with = "joint")]
    file: Option<PathBuf>,
    /// Columns of X
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        required_unless_present = "joint",
        conflicts_with = "joint"
    )]
    x: Vec<String>,
    /// Columns of Y
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        required_unless_present = "joint",
        conflicts_with = "joint"
    )]
    y: Vec<String>,
    /// Columns to condition on
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', conflicts_with = "joint")]
    given: Vec<String>,
    /// A joint table of probabilities or counts
    #[arg(long, value_name = "CSV")]
    joint: Option<PathBuf>,
    /// A second table of probabilities, to compare with the table of --joint
    #[arg(long, value_name = "CSV", requires = "joint")]
    against: Option<PathBuf>,
    /// The unit: nats, bits or hartleys
    #[arg(long, default_value = "nats", value_name = "UNIT")]
    unit: Unit,
    /// The estimator for counts: miller-madow, plug-in or shrinkage
    #[arg(long, default_value = "miller-madow", value_name = "HOW")]
    estimator: Estimator,
    /// Draw the entropies as overlapping circles to a .svg file, and list the value of every part
    #[arg(long, value_name = "FILE", value_parser = svg_file())]
    diagram: Option<PathBuf>,
}

/// The largest number of columns whose co-information is computed.
const TOGETHER: usize = 8;

#[derive(Serialize)]
struct Report {
    variables: Vec<Value>,
    /// The number of samples; none if probabilities were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    estimator: String,
    unit: String,
    quantities: Vec<Quantity>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Quantity {
    name: String,
    /// None means infinity.
    value: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    infinite_at: Vec<String>,
}

/// The data that quantities are computed from.
enum Source {
    Exact(Joint),
    Sampled(Counts, Estimator),
}

impl Source {
    fn variables(&self) -> &[Variable] {
        match self {
            Source::Exact(joint) => joint.variables(),
            Source::Sampled(counts, _) => counts.variables(),
        }
    }

    /// The entropies of these lists of variables, from one table.
    fn entropies(&self, of: &[Vec<usize>]) -> Result<Vec<f64>> {
        match self {
            Source::Exact(joint) => of.iter().map(|of| joint.entropy(of)).collect(),
            Source::Sampled(counts, how) => counts.entropies(of, *how),
        }
    }

    fn entropy(&self, of: &[usize], given: &[usize]) -> Result<f64> {
        match (self, given) {
            (Source::Exact(joint), []) => joint.entropy(of),
            (Source::Exact(joint), _) => joint.conditional_entropy(of, given),
            (Source::Sampled(counts, how), []) => counts.entropy(of, *how),
            (Source::Sampled(counts, how), _) => counts.conditional_entropy(of, given, *how),
        }
    }

    fn information(&self, a: &[usize], b: &[usize], given: &[usize]) -> Result<f64> {
        match (self, given) {
            (Source::Exact(joint), []) => joint.mutual_information(a, b),
            (Source::Exact(joint), _) => joint.conditional_mutual_information(a, b, given),
            (Source::Sampled(counts, how), []) => counts.mutual_information(a, b, *how),
            (Source::Sampled(counts, how), _) => counts.conditional_mutual_information(a, b, given, *how),
        }
    }
}

impl Discrete {
    pub(crate) fn run(&self, terminal: &Terminal) -> Result<()> {
        let (source, sizes) = match &self.joint {
            Some(path) => (self.table(&terminal.source(path))?, [1, 1]),
            None => (self.columns(terminal)?, [self.x.len(), self.y.len()]),
        };
        let axes: Vec<usize> = (0..source.variables().len()).collect();
        let (x, rest) = axes.split_at(sizes[0]);
        let (y, z) = rest.split_at(sizes[1]);
        let names = |axes: &[usize]| {
            let names: Vec<&str> = axes.iter().map(|&a| source.variables()[a].name.as_str()).collect();
            names.join(", ")
        };
        let group = |axes: &[usize]| if axes.len() > 1 { format!("({})", names(axes)) } else { names(axes) };
        let mut quantities = Vec::new();
        let mut add = |name: String, nats: f64| {
            quantities.push(Quantity { name, value: Some(self.unit.of(nats)), infinite_at: Vec::new() });
        };
        let both = [x, y].concat();
        for of in [x, y, &both] {
            add(format!("H({})", names(of)), source.entropy(of, &[])?);
        }
        for (of, given) in [(x, y), (y, x)] {
            add(format!("H({} | {})", names(of), names(given)), source.entropy(of, given)?);
        }
        add(format!("I({}; {})", group(x), group(y)), source.information(x, y, &[])?);
        if !z.is_empty() {
            add(format!("I({}; {} | {})", group(x), group(y), names(z)), source.information(x, y, z)?);
        }
        if axes.len() > 2 && axes.len() <= TOGETHER {
            let each: Vec<&[usize]> = axes.chunks(1).collect();
            let h = source.entropies(&subsets(&each)?)?;
            let all: Vec<&str> = source.variables().iter().map(|v| v.name.as_str()).collect();
            add(format!("total correlation of {}", all.join(", ")), total_correlation(&h));
            add(format!("co-information I({})", all.join("; ")), atoms(&h)[h.len() - 1]);
        }
        if let Some(path) = &self.diagram {
            let groups: Vec<&[usize]> = [x, y, z].into_iter().filter(|group| !group.is_empty()).collect();
            let h = source.entropies(&subsets(&groups)?)?;
            let atoms: Vec<f64> = atoms(&h).iter().map(|nats| self.unit.of(*nats)).collect();
            let name = |atom: usize| {
                let (inside, outside): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|at| atom >> at & 1 == 1);
                let outside = names(&outside.iter().flat_map(|&at| groups[at].to_vec()).collect::<Vec<_>>());
                let inside = match inside[..] {
                    [one] => names(groups[one]),
                    _ => inside.iter().map(|&at| group(groups[at])).collect::<Vec<_>>().join("; "),
                };
                let given = if outside.is_empty() { String::new() } else { format!(" | {outside}") };
                format!("{}({inside}{given})", if atom.count_ones() == 1 { "H" } else { "I" })
            };
            let diagram = Diagram {
                names: groups.iter().map(|group| names(group)).collect(),
                entropies: (0..groups.len()).map(|at| self.unit.of(h[1 << at])).collect(),
                unit: self.unit.to_string(),
                atoms: atoms.iter().enumerate().map(|(at, value)| (*value, name(at))).collect(),
            };
            for (value, name) in diagram.atoms.iter().skip(1) {
                if !quantities.iter().any(|quantity| quantity.name == *name) {
                    quantities.push(Quantity { name: name.clone(), value: Some(*value), infinite_at: Vec::new() });
                }
            }
            let svg = diagram.svg().map_err(|e| Error::failed(format!("SVG: {e}"), "report this as a bug in cpc"))?;
            terminal.picture(Some(path), || Ok(svg))?;
        }
        if let Some(path) = &self.against {
            quantities.extend(self.compared(&source, &terminal.source(path))?);
        }
        let report = Report {
            variables: source.variables().iter().map(|v| json!({ "name": v.name, "values": v.values.len() })).collect(),
            n: match &source {
                Source::Exact(_) => None,
                Source::Sampled(counts, _) => Some(counts.n()),
            },
            estimator: match &source {
                Source::Exact(_) => "exact".into(),
                Source::Sampled(_, how) => how.to_string(),
            },
            unit: self.unit.to_string(),
            quantities,
            warnings: match &source {
                Source::Exact(_) => Vec::new(),
                Source::Sampled(counts, _) => counts.warnings(&axes)?,
            },
        };
        report.warnings.iter().for_each(|warning| terminal.warning(warning));
        terminal.result_or_json(&report, &text(&report, source.variables()))
    }

    fn table(&self, table: &input::Source) -> Result<Source> {
        Ok(match read_table(table.reader()?, &table.to_string())? {
            Table::Probabilities(joint) => Source::Exact(joint),
            Table::Counts(counts) => Source::Sampled(counts, self.estimator),
        })
    }

    fn columns(&self, terminal: &Terminal) -> Result<Source> {
        let file = terminal.source(self.file.as_deref().unwrap_or(Path::new("-")));
        let wanted: Vec<&str> = self.x.iter().chain(&self.y).chain(&self.given).map(String::as_str).collect();
        if let Some((i, again)) = wanted.iter().enumerate().find(|(i, name)| wanted[..*i].contains(name)) {
            let what = format!("column `{again}` is named twice among --x, --y and --given ({} names)", i + 1);
            return Err(Error::usage(what, "name each column once"));
        }
        if let input::Source::Memory { .. } = file {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            return Ok(Source::Sampled(Counts::of_columns(&input::read_labels(&file, &wanted)?)?, self.estimator));
        }
        Ok(Source::Sampled(
            Counts::of_columns(&read_columns(file.reader()?, &file.to_string(), &wanted)?)?,
            self.estimator,
        ))
    }

    /// H(p, q) and KL(p || q).
    fn compared(&self, source: &Source, against: &input::Source) -> Result<Vec<Quantity>> {
        let p = match source {
            Source::Exact(joint) => joint.clone(),
            Source::Sampled(counts, _) => counts.joint()?,
        };
        let q = match read_table(against.reader()?, &against.to_string())? {
            Table::Probabilities(joint) => joint,
            Table::Counts(counts) => counts.joint()?,
        };
        let divergence = p.divergence(&q)?;
        let cross = cross_entropy(p.p(), q.p())?;
        let places = |at: &[usize]| -> Vec<String> { at.iter().map(|&i| cell(p.variables(), i)).collect() };
        let quantity = |name: &str, nats: f64, at: &[usize]| Quantity {
            name: name.into(),
            value: nats.is_finite().then(|| self.unit.of(nats)),
            infinite_at: places(at),
        };
        Ok(vec![
            quantity("H(p, q)", cross.nats, &cross.infinite_at),
            quantity("KL(p || q)", divergence.nats, &divergence.infinite_at),
        ])
    }
}

/// The values of a cell, given its index in the table.
fn cell(variables: &[Variable], mut place: usize) -> String {
    let mut parts = Vec::new();
    for variable in variables.iter().rev() {
        let size = variable.values.len().max(1);
        parts.push(format!("{} = {}", variable.name, variable.values[place % size]));
        place /= size;
    }
    parts.reverse();
    parts.join(", ")
}

fn text(report: &Report, variables: &[Variable]) -> String {
    let sizes: Vec<String> = variables.iter().map(|v| format!("{} ({} values)", v.name, v.values.len())).collect();
    let of = match report.n {
        Some(n) => format!("{n} samples, {}", report.estimator),
        None => "probabilities, exact".into(),
    };
    let width = report.quantities.iter().map(|q| q.name.chars().count()).max().unwrap_or(0).max(8);
    let mut text = format!("{}; {of}\n\n{:<width$}  {:>9}\n", sizes.join(", "), "quantity", report.unit);
    for quantity in &report.quantities {
        let value = quantity.value.map_or("infinity".into(), |v| format!("{v:.4}"));
        writeln!(text, "{:<width$}  {value:>9}", quantity.name).ok();
        for place in quantity.infinite_at.iter().take(5) {
            writeln!(text, "{:<width$}  q is 0 and p is not where {place}", "").ok();
        }
    }
    text
}
