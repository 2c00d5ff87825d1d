//! Two sides of numbers.
//!
//! 1. A normal and a t copula are fitted to each fold's training rows, and evaluated on its held-out rows by InfoNCE, like any critic. The t copula
//!    is the base if it is better by more than two standard errors, else the normal one.
//! 2. A network starts from the base and learns the residual, with the same folds. Its gain on held-out rows is tested: is it more than
//!    two standard errors, computed row by row?
//! 3. If not, the copula holds, as far as these rows show. The estimate is its information in closed form, with the bias of the sample
//!    covariance subtracted. With coarse columns, whose ranks have no normal scores, it is the bound on held-out rows.
//! 4. If so, the estimate is the bound on held-out rows, plus half of what the base lost from its training rows to held-out rows. That is the
//!    cost of having estimated the base (for d parameters fitted by maximum likelihood, the value is d/2n too high on training rows and
//!    d/2n too low on others; Akaike 1973).
//! 5. In few dimensions, nearest neighbors are used too. Both are too low where they are wrong, so the larger value counts; if the network has
//!    found nothing, neighbors have to be larger by three standard errors.
//! 6. Of more columns, a screening finds those that inform. They are studied alone, and a network that sees only them starts from the base.
//! 7. Where X and Y nearly determine each other, what a prediction leaves shows what neighbors cannot
//!    ([`residual`](crate::mi::residual)).

use crate::error::{Error, Result};
use crate::mi::copula::{Ranked, normal};
use crate::mi::estimate::auto::components::Components;
use crate::mi::estimate::auto::{Candidate, against_shifts, named, original, parts, sampled, say_on, tables, wide};
use crate::mi::estimate::copula::of_copula;
use crate::mi::estimate::held_out::{ERRORS, HeldOut, held_out, is_more};
use crate::mi::estimate::neural::{of_crossed, start, training};
use crate::mi::estimate::{Estimate, EstimateKind, Estimator, Settings, Start, neighbors};
use crate::mi::interval::{at_least, error_of, of_mean, of_rows, of_series};
use crate::mi::neighbors::{Ksg, ksg};
use crate::mi::neural::{HeldOutRows, cross_fit};
use crate::mi::normality::are_normal;
use crate::mi::ranks::normal_scores;
use crate::mi::residual::{Residual, residual};
use crate::mi::samples::Samples;
use crate::mi::screening::{Binned, Finding, screen};
use crate::mi::series::rows_for_a_sample;
use crate::mi::variable::Variable;
use crate::objective::Bound;

/// The number of standard errors by which a candidate without a held-out value has to be larger.
const LARGER: f64 = 3.0;
/// The largest number of dimensions of X and Y together for which nearest neighbors are used.
const FEW: usize = 4;
/// More dimensions of X and Y together are reduced first.
const WIDE: usize = 120;
/// From this number of columns of a side on, principal components are tried, and a normal copula has to be normal in all columns together.
const MANY: usize = 9;
/// The smallest number of rows of a part for which a network is trained.
const PART: usize = 500;
/// From this value on, in nats, X and Y may nearly determine each other.
const STRONG: f64 = 4.0;
/// The number of findings of the screening whose columns are tried, and of columns of a side that a network sees.
const TRIED: usize = 12;
const SEEN: usize = 8;
/// The number of findings whose tables are candidates.
const BINNED: usize = 3;

/// The estimate for numbers, which are `columns` of X and Y; `closed` if the information of a copula may be used in closed form.
pub(super) fn of(
    x: &Samples,
    y: &Samples,
    columns: [&[usize]; 2],
    closed: bool,
    settings: &Settings,
    depth: usize,
) -> Result<Estimate> {
    if let Some(rows) = sampled::rows(x.len(), settings) {
        let mut found = of(&x.take(&rows), &y.take(&rows), columns, closed, settings, depth)?;
        // Neighbors are fast, and can have all rows.
        let near = if x.dim() + y.dim() <= FEW { Some(near(x, y, settings)?) } else { None };
        let of_near = near.as_ref().and_then(|near| found.candidates.iter().position(|c| c.name == near.method));
        let chosen = near.filter(|near| near.method == found.method);
        sampled::told(&mut found, &rows, x.len());
        let Some(near) = chosen else { return Ok(found) };
        if let Some(at) = of_near {
            found.candidates[at] = Candidate { name: near.method.clone(), held_out: None, nats: near.nats };
        }
        return Ok(Estimate { candidates: found.candidates, warnings: found.warnings, ..near });
    }
    if x.dim() + y.dim() > WIDE {
        return wide::of(x, y, columns, settings, depth);
    }
    if let Err(e) = settings.protocol.parts(x.len()) {
        // A part of the rows may be too small for folds.
        return if depth == 0 { Err(e) } else { near(x, y, settings) };
    }
    let alike = if settings.protocol.blocked { rows_for_a_sample(x, y) } else { 1.0 };
    let ranked = Ranked::new(x, y)?;
    let every: Vec<usize> = (0..x.len()).collect();
    let found = match normal(&ranked, &every).and_then(|_| held_out(&ranked, settings)) {
        Ok(base) => {
            let mut found = Found::new(x, y, &ranked, &base, closed, alike, settings)?;
            let many = depth == 0 && x.dim().max(y.dim()) >= MANY;
            let few = if many { Components::best(x, y, settings)? } else { None };
            if let Some(few) = few.filter(|few| few.are_better_than(&base, settings)) {
                found.components(&few)?;
            // Between two single columns neighbors are enough for a part.
            } else if depth == 0 || (x.len() >= PART && x.dim() + y.dim() > 2) {
                found.network()?;
            }
            found.neighbors()?;
            if depth == 0 && x.dim() + y.dim() > 2 {
                found.screened(columns)?;
            }
            Estimate { candidates: found.candidates, ..found.chosen }
        }
        Err(e @ Error::Interrupted { .. }) => return Err(e),
        Err(e) => {
            // Ranks may be equal where values are not.
            let found = determined(x, y, None)?;
            return found.ok_or(e);
        }
    };
    if found.nats > STRONG.min((x.len() as f64).ln() - 2.0)
        && let Some(more) = determined(x, y, Some(&found))?
    {
        let mut candidates = found.candidates;
        candidates.push(Candidate { name: more.method.clone(), held_out: None, nats: more.nats });
        return Ok(Estimate { candidates, ..more });
    }
    Ok(found)
}

/// What a prediction leaves, if it shows more than `found`.
fn determined(x: &Samples, y: &Samples, found: Option<&Estimate>) -> Result<Option<Estimate>> {
    if found.is_some() && x.dim().max(y.dim()) > FEW {
        return Ok(None); // their entropies would be those of normal variables
    }
    match residual(x, y)? {
        Some(Residual::Known(nats, error)) if found.is_none_or(|found| nats > found.nats + LARGER * error) => {
            let mut estimate = Estimate::new(Estimator::Auto, nats, EstimateKind::Estimate, x.len());
            estimate.method = "entropy of what a prediction leaves".into();
            estimate.ci95 = Some(at_least(None, nats, error));
            let what = "X and Y nearly determine each other: the value is how small the rest is; is Y computed from X?";
            estimate.warnings.push(what.into());
            Ok(Some(estimate))
        }
        Some(Residual::Nothing) => {
            let what = "X and Y determine each other: their mutual information is infinite";
            Err(Error::failed(what, "leave out columns of Y that are computed from columns of X"))
        }
        _ => Ok(None),
    }
}

/// Nearest neighbors; for series, beyond what drifting together gives.
fn near(x: &Samples, y: &Samples, settings: &Settings) -> Result<Estimate> {
    let settings = &Settings { neighbors: settings.neighbors.min(x.len().saturating_sub(1)).max(1), ..*settings };
    let mut found = neighbors::ksg(x, y, settings)?;
    if settings.protocol.blocked {
        let (a, b) = (normal_scores(x)?, normal_scores(y)?);
        against_shifts(&mut found, settings, |rows| {
            Ok(ksg(&a, &b.take(rows), settings.neighbors, Ksg::First, settings.seed)?.mi)
        })?;
    }
    Ok(Estimate { estimator: Estimator::Auto, ..found })
}

/// What was found so far.
struct Found<'a> {
    x: &'a Samples,
    y: &'a Samples,
    ranked: &'a Ranked,
    base: &'a HeldOut,
    closed: bool,
    /// Whether the closed form of the copula may hold.
    holds: bool,
    alike: f64,
    settings: &'a Settings,
    chosen: Estimate,
    /// The information of the copula of all columns, and its standard error.
    copula: (f64, f64),
    /// Whether held-out rows show more than the copula.
    learned: bool,
    candidates: Vec<Candidate>,
}

impl<'a> Found<'a> {
    /// The copula.
    fn new(
        x: &'a Samples,
        y: &'a Samples,
        ranked: &'a Ranked,
        base: &'a HeldOut,
        closed: bool,
        alike: f64,
        settings: &'a Settings,
    ) -> Result<Found<'a>> {
        let mut candidates = Vec::new();
        let fitted = |student| of_copula(ranked, student, alike, Estimator::Auto);
        let mut chosen = fitted(base.student_is_better)?;
        for (student, name) in [(false, "normal copula"), (true, "t copula")] {
            let Some(held_out) = base.means[usize::from(student)] else { continue };
            let nats = match (closed, student == base.student_is_better) {
                (true, true) => chosen.nats,
                (true, false) => fitted(student)?.nats,
                (false, _) => held_out,
            };
            candidates.push(Candidate { name: name.into(), held_out: Some(held_out), nats });
        }
        if !closed {
            let values: Vec<f64> = base.parts.iter().map(|part| part.1).collect();
            let null = error_of(chosen.ci95);
            let interval = of_rows(&values, settings.protocol.blocked);
            // A critic that is worse than none says nothing.
            if base.mean() > 0.0 {
                (chosen.nats, chosen.ci95) = (base.mean(), Some(at_least(interval, base.mean(), null)));
                chosen.pointwise.clone_from(&base.parts);
                chosen.method += ", on held-out rows";
                if x.dim() + y.dim() > FEW {
                    let what = "columns of few values: a copula predicts held-out rows as well as this, and what it does not see is missing; where columns \
                                stand for a label, give the label with --discrete";
                    chosen.warnings.push(what.into());
                }
            } else {
                (chosen.nats, chosen.ci95) = (0.0, Some(at_least(None, 0.0, null)));
                chosen.pointwise.iter_mut().for_each(|part| part.1 = 0.0);
                chosen.method = "nothing: copulas are worse than none on held-out rows".into();
            }
        }
        let cost = base.cost();
        let many = x.dim().max(y.dim()) >= MANY;
        let holds = closed && (!many || base.student_is_better || are_normal(&ranked.normal_scores()?, alike)?);
        if closed && !holds {
            // Its closed form is that of normal columns.
            let refused = chosen.nats;
            let values: Vec<f64> = base.parts.iter().map(|part| part.1).collect();
            let interval = of_rows(&values, settings.protocol.blocked);
            let null = error_of(interval);
            chosen.nats = base.mean() + cost;
            chosen.ci95 = Some(at_least(None, chosen.nats, null.max(alike.sqrt() * cost / LARGER)));
            chosen.pointwise.clone_from(&base.parts);
            chosen.method += ", on held-out rows";
            if refused - chosen.nats > LARGER * error_of(chosen.ci95) {
                chosen.warnings.push(format!(
                    "a normal copula has {refused:.2} nats, but the columns are not normal together, so this is not used; held-out rows show {:.2}, and \
                     the truth may be larger",
                    chosen.nats
                ));
            }
        }
        let copula = (chosen.nats, error_of(chosen.ci95));
        Ok(Found { x, y, ranked, base, closed, holds, alike, settings, chosen, copula, learned: false, candidates })
    }

    /// A network that sees the columns `x` and `y` and starts from the base; none if held-out rows do not show that it is better.
    fn critic(&mut self, x: &Samples, y: &Samples, on: &str) -> Result<Option<Estimate>> {
        let blocked = self.settings.protocol.blocked;
        let (normal_x, normal_y) = (normal_scores(x)?, normal_scores(y)?);
        let training = training(Bound::InfoNce, self.settings);
        let student = self.base.student_is_better;
        // Without a closed form, a base that is worse than none is no base.
        let helps = self.closed || self.base.mean() > 0.0;
        let begin = match (helps, student) {
            (false, _) => Start::Nothing,
            (true, true) => Start::Student,
            (true, false) => Start::Normal,
        };
        let ranked = helps.then_some(self.ranked);
        let rows = |train: &[u32]| HeldOutRows::new(&normal_x, &normal_y, start(ranked, train, begin)?);
        let crossed = cross_fit(x.len(), self.settings.protocol, &training, rows)?;
        let mut learned = of_crossed(Estimator::Auto, &crossed, &training);
        let values: Vec<f64> = crossed.parts.iter().map(|part| part.1).collect();
        if blocked {
            learned.ci95 = of_series(&values);
        }
        let cost = if helps { self.base.cost() } else { 0.0 };
        learned.nats += cost;
        learned.ci95 = learned.ci95.map(|ci| ci.map(|end| end + cost));
        learned.kind = EstimateKind::Estimate;
        learned.method =
            format!("network that starts from a {}{on}", if student { "t copula" } else { "normal copula" });
        let candidate = Candidate { name: learned.method.clone(), held_out: Some(crossed.value), nats: learned.nats };
        self.candidates.push(candidate);
        let gains: Vec<f64> =
            crossed.parts.iter().zip(&self.base.parts).map(|(network, base)| network.1 - base.1).collect();
        Ok(is_more(&gains, if blocked { LARGER } else { ERRORS }, blocked).then_some(learned))
    }

    /// Principal components in place of the columns.
    fn components(&mut self, few: &Components) -> Result<()> {
        let mut found = of(&few.x, &few.y, [&[], &[]], self.closed, self.settings, 1)?;
        say_on(&mut found, &few.named());
        self.candidates.append(&mut found.candidates);
        // A copula that holds for all columns sees what components leave out.
        if !(self.holds && self.chosen.nats > found.nats + LARGER * error_of(self.chosen.ci95)) {
            self.chosen = found;
            self.learned = true;
        }
        Ok(())
    }

    fn network(&mut self) -> Result<()> {
        if let Some(learned) = self.critic(self.x, self.y, "")? {
            self.chosen = learned;
            self.learned = true;
        }
        Ok(())
    }

    fn neighbors(&mut self) -> Result<()> {
        if self.x.dim() + self.y.dim() > FEW {
            return Ok(());
        }
        let near = near(self.x, self.y, self.settings)?;
        self.candidates.push(Candidate { name: near.method.clone(), held_out: None, nats: near.nats });
        let margin = if self.learned && !self.settings.protocol.blocked { 0.0 } else { LARGER * error_of(near.ci95) };
        if near.nats > self.chosen.nats + margin {
            self.chosen = near;
            self.learned = true;
        }
        Ok(())
    }

    /// Candidates that see only the columns that inform.
    fn screened(&mut self, columns: [&[usize]; 2]) -> Result<()> {
        let names = |xs: &[usize], ys: &[usize]| {
            format!("{} and {}", named(&original(xs, columns[0]), "X"), named(&original(ys, columns[1]), "Y"))
        };
        let (binned_x, binned_y) = (Binned::numbers(self.x), Binned::numbers(self.y));
        let findings = screen(&binned_x, &binned_y, self.alike);
        let Some(first) = findings.first() else { return Ok(()) };
        let [xs, ys] = self.few(&findings)?;
        let all = self.x.dim() + self.y.dim();
        if xs.len() + ys.len() < all {
            let (x, y) = (self.x.columns(&xs)?, self.y.columns(&ys)?);
            // Is there more than a copula of these columns has?
            let own = of_copula(&Ranked::new(&x, &y)?, false, self.alike, Estimator::Auto);
            let near = near(&x, &y, self.settings)?;
            let own = own.map_or(f64::NEG_INFINITY, |own| own.nats);
            if near.nats > own + LARGER * error_of(near.ci95) {
                // Do the other columns say more than these?
                let rest = self.copula.0 > own.max(0.0) + LARGER * self.copula.1;
                let mut few = parts::whole(&Variable::Numbers(x), &Variable::Numbers(y), self.settings, 1)?;
                few.method += &format!(", on {}", names(&xs, &ys));
                self.candidates.push(Candidate { name: few.method.clone(), held_out: None, nats: few.nats });
                let all_of = |side: &dyn Fn(&Finding) -> Vec<usize>| {
                    let mut columns: Vec<usize> = Vec::new();
                    for j in findings.iter().flat_map(side) {
                        if columns.len() < SEEN && !columns.contains(&j) {
                            columns.push(j);
                        }
                    }
                    columns.sort_unstable();
                    columns
                };
                let (xs, ys) = (all_of(&|f| f.x.clone()), all_of(&|f| f.y.clone()));
                if few.nats > self.chosen.nats + 2.0 * error_of(few.ci95) {
                    few.candidates.clear();
                    self.chosen = few;
                    self.learned = true;
                }
                if rest && xs.len() + ys.len() < all {
                    let (x, y) = (self.x.columns(&xs)?, self.y.columns(&ys)?);
                    let on = format!(" and sees {}", names(&xs, &ys));
                    if let Some(learned) = self.critic(&x, &y, &on)?.filter(|learned| learned.nats > self.chosen.nats) {
                        self.chosen = learned;
                        self.learned = true;
                    }
                }
            }
        }
        // Bins cannot have more information than the columns have, and see corners that neighbors and networks smooth over.
        for finding in findings.iter().take(BINNED) {
            let (x, y) = (binned_x.classes(&finding.x), binned_y.classes(&finding.y));
            let mut table = tables::of(&x, &y, self.settings)?;
            table.method = format!("table of bins of {}", names(&finding.x, &finding.y));
            self.candidates.push(Candidate { name: table.method.clone(), held_out: None, nats: table.nats });
            if table.nats > self.chosen.nats + LARGER * error_of(table.ci95) {
                self.chosen = table;
                self.learned = true;
            }
        }
        if !self.learned && self.chosen.ci95.is_none_or(|[low, _]| low <= 0.0) {
            let what = format!(
                "{} depend on each other (probability by chance {:.1e}), but no candidate shows it: the value is too low; estimate them alone",
                names(&first.x, &first.y),
                first.chance
            );
            self.chosen.warnings.push(what);
        }
        Ok(())
    }

    /// The few columns about which neighbors say the most: the best finding, and columns that add to it.
    fn few(&self, findings: &[Finding]) -> Result<[Vec<usize>; 2]> {
        let (x, y) = (normal_scores(self.x)?, normal_scores(self.y)?);
        let value = |xs: &[usize], ys: &[usize]| -> Result<(f64, f64)> {
            let found = ksg(&x.columns(xs)?, &y.columns(ys)?, self.settings.neighbors, Ksg::First, self.settings.seed)?;
            Ok((found.mi, error_of(of_mean(&found.local))))
        };
        let mut best = ([Vec::new(), Vec::new()], (f64::NEG_INFINITY, 0.0));
        for finding in findings.iter().take(TRIED) {
            let found = value(&finding.x, &finding.y)?;
            if found.0 > best.1.0 {
                best = ([finding.x.clone(), finding.y.clone()], found);
            }
        }
        for finding in findings.iter().take(TRIED) {
            let mut more = best.0.clone();
            for (columns, new) in more.iter_mut().zip([&finding.x, &finding.y]) {
                columns.extend(new.iter().filter(|j| !columns.contains(j)).copied().collect::<Vec<_>>());
                columns.sort_unstable();
            }
            let size = more[0].len() + more[1].len();
            if size > FEW || size == best.0[0].len() + best.0[1].len() {
                continue;
            }
            let found = value(&more[0], &more[1])?;
            if found.0 > best.1.0 + found.1 {
                best = (more, found);
            }
        }
        Ok(best.0)
    }
}
