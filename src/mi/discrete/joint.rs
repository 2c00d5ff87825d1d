//! A joint table of probabilities over named variables.

use crate::error::{Error, Result};
use crate::mi::discrete::distribution::{Divergence, TOLERANCE, divergence, surprise};

/// A discrete variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The values that it can take, in the order of its axis.
    pub values: Vec<String>,
}

impl Variable {
    /// A variable with `size` values `0`, `1`, ...
    pub fn numbered(name: &str, size: usize) -> Variable {
        Variable { name: name.into(), values: (0..size).map(|i| i.to_string()).collect() }
    }
}

/// p over the values of some variables: an array with one axis per variable, the last axis varying fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    variables: Vec<Variable>,
    p: Vec<f64>,
}

impl Joint {
    /// A table of probabilities. Their sum may differ from 1 by a millionth; they are divided by it.
    ///
    /// # Errors
    /// `p` does not have a value for each cell, a value is negative or not finite, or the sum is not 1.
    pub fn new(variables: Vec<Variable>, p: Vec<f64>) -> Result<Joint> {
        let sum: f64 = p.iter().sum();
        if (sum - 1.0).abs() > TOLERANCE && sum.is_finite() {
            let what = format!("the probabilities sum to {sum}, not 1");
            return Err(Error::failed(what, "give probabilities with more digits, or counts"));
        }
        Self::of_weights(variables, p)
    }

    /// A table of weights, such as counts, which are divided by their sum.
    ///
    /// # Errors
    /// There is not a weight for each cell, a weight is negative or not finite, or all are 0.
    pub fn of_weights(variables: Vec<Variable>, weights: Vec<f64>) -> Result<Joint> {
        let cells = variables.iter().try_fold(1usize, |n, v| n.checked_mul(v.values.len()));
        if cells != Some(weights.len()) {
            let shape: Vec<String> = variables.iter().map(|v| v.values.len().to_string()).collect();
            let what = format!("{} weights do not fill a table of {} cells", weights.len(), shape.join(" x "));
            return Err(Error::usage(what, "give one weight for each combination of values"));
        }
        if let Some(i) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
            let what = format!("cell {} is {}", i + 1, weights[i]);
            return Err(Error::failed(what, "probabilities and counts are numbers from 0"));
        }
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 || !sum.is_finite() {
            return Err(Error::failed(format!("the weights sum to {sum}"), "give at least one that is not 0"));
        }
        Ok(Joint { variables, p: weights.into_iter().map(|w| w / sum).collect() })
    }

    /// The variables, in the order of the axes.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The probabilities, the last axis varying fastest.
    pub fn p(&self) -> &[f64] {
        &self.p
    }

    /// The axis of a variable.
    ///
    /// # Errors
    /// There is no variable of that name; the message lists the existing names.
    pub fn axis(&self, name: &str) -> Result<usize> {
        self.variables.iter().position(|v| v.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.variables.iter().map(|v| v.name.as_str()).collect();
            Error::usage(format!("there is no variable {name}"), format!("choose from {}", names.join(", ")))
        })
    }

    /// The table of these variables alone, in this order. The other variables are summed over.
    ///
    /// # Errors
    /// There is no such axis, or an axis is named twice.
    pub fn marginal(&self, axes: &[usize]) -> Result<Joint> {
        self.check(axes)?;
        if (1..axes.len()).any(|i| axes[..i].contains(&axes[i])) {
            return Err(Error::usage(format!("an axis is named twice in {axes:?}"), "name each axis once"));
        }
        let variables: Vec<Variable> = axes.iter().map(|&a| self.variables[a].clone()).collect();
        let mut p = vec![0.0; variables.iter().map(|v| v.values.len()).product()];
        self.places(axes).zip(&self.p).for_each(|(place, value)| p[place] += value);
        Ok(Joint { variables, p })
    }

    /// The table of the other variables, given that variable `axis` has the value with index `value`.
    ///
    /// # Errors
    /// There is no such axis or value, or the value has probability 0.
    pub fn given(&self, axis: usize, value: usize) -> Result<Joint> {
        self.check(&[axis])?;
        let variable = &self.variables[axis];
        let of = |place: usize| variable.values.get(place).map_or("?", String::as_str);
        let rest: Vec<Variable> =
            self.variables.iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, v)| v.clone()).collect();
        let p: Vec<f64> = self.places(&[axis]).zip(&self.p).filter(|(v, _)| *v == value).map(|(_, p)| *p).collect();
        if p.iter().sum::<f64>() > 0.0 {
            return Self::of_weights(rest, p);
        }
        let what = format!("{} = {} (value {value}) never occurs", variable.name, of(value));
        Err(Error::usage(what, "a condition needs a probability above 0"))
    }

    /// The joint entropy H of these variables, in nats; 0 for no variables.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn entropy(&self, of: &[usize]) -> Result<f64> {
        Ok(self.marginal(&union(&[of]))?.p.into_iter().map(surprise).sum())
    }

    /// H(of | given) in nats: the mean of the conditional entropy over the values of `given`.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn conditional_entropy(&self, of: &[usize], given: &[usize]) -> Result<f64> {
        let both = union(&[of, given]);
        let (p, q) = (self.marginal(&both)?, self.marginal(&union(&[given]))?);
        let inside = within(&both, &union(&[given]));
        let terms = p.places(&inside).zip(&p.p).filter(|(_, p)| **p > 0.0);
        Ok(terms.map(|(place, p)| p * (q.p[place] / p).ln()).sum())
    }

    /// I(a; b) in nats. An axis may be in both: I(X; X) = H(X).
    ///
    /// # Errors
    /// There is no such axis.
    pub fn mutual_information(&self, a: &[usize], b: &[usize]) -> Result<f64> {
        self.conditional_mutual_information(a, b, &[])
    }

    /// I(a; b | given) in nats, as one sum over the cells. Rounding errors are those of the terms, not of differences of entropies.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn conditional_mutual_information(&self, a: &[usize], b: &[usize], given: &[usize]) -> Result<f64> {
        let all = union(&[a, b, given]);
        let p = self.marginal(&all)?;
        let part = |axes: &[&[usize]]| -> Result<Vec<f64>> {
            let axes = union(axes);
            let table = self.marginal(&axes)?;
            Ok(p.places(&within(&all, &axes)).map(|place| table.p[place]).collect())
        };
        let (with_a, with_b, z) = (part(&[a, given])?, part(&[b, given])?, part(&[given])?);
        let cells = (0..p.p.len()).filter(|&i| p.p[i] > 0.0);
        Ok(cells.map(|i| p.p[i] * ((p.p[i] / with_a[i]) * (z[i] / with_b[i])).ln()).sum())
    }

    /// KL(self || other) in nats, over all variables together.
    ///
    /// # Errors
    /// The tables differ in shape.
    pub fn divergence(&self, other: &Joint) -> Result<Divergence> {
        let shape = |joint: &Joint| joint.variables.iter().map(|v| v.values.len()).collect::<Vec<_>>();
        if shape(self) != shape(other) {
            let what = format!("the tables have the shapes {:?} and {:?}", shape(self), shape(other));
            return Err(Error::usage(what, "give both over the same values, with 0 for values that cannot occur"));
        }
        divergence(&self.p, &other.p)
    }

    fn check(&self, axes: &[usize]) -> Result<()> {
        match axes.iter().find(|&&a| a >= self.variables.len()) {
            None => Ok(()),
            Some(axis) => {
                let what = format!("there is no axis {axis} among {}", self.variables.len());
                Err(Error::usage(what, "axes are counted from 0"))
            }
        }
    }

    /// The index of each cell in the table over `axes` alone.
    fn places(&self, axes: &[usize]) -> impl Iterator<Item = usize> {
        let sizes: Vec<usize> = self.variables.iter().map(|v| v.values.len()).collect();
        let mut strides = vec![0; sizes.len()];
        let mut stride = 1;
        for &axis in axes.iter().rev() {
            strides[axis] = stride;
            stride *= sizes[axis];
        }
        (0..self.p.len()).map(move |cell| {
            let mut rest = cell;
            let along = sizes.iter().zip(&strides).rev().map(|(size, stride)| {
                let value = rest % size;
                rest /= size;
                value * stride
            });
            along.sum()
        })
    }
}

/// The axes in any of the lists, each once, in ascending order.
pub(super) fn union(lists: &[&[usize]]) -> Vec<usize> {
    let mut axes = lists.concat();
    axes.sort_unstable();
    axes.dedup();
    axes
}

/// The positions of `axes` among `all`.
fn within(all: &[usize], axes: &[usize]) -> Vec<usize> {
    axes.iter().filter_map(|axis| all.iter().position(|a| a == axis)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joint(sizes: &[usize], p: &[f64]) -> Joint {
        let variables = sizes.iter().enumerate().map(|(i, &n)| Variable::numbered(["X", "Y", "Z"][i], n)).collect();
        Joint::new(variables, p.to_vec()).unwrap()
    }

    #[test]
    fn the_worked_example_of_cover_and_thomas_comes_out() {
        // Elements of Information Theory, 2nd ed., example 2.2.1 (in bits): rows are Y, columns X.
        let p = [4.0, 2.0, 1.0, 1.0, 2.0, 4.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 8.0, 0.0, 0.0, 0.0].map(|p| p / 32.0);
        let joint = joint(&[4, 4], &p);
        let bits = |nats: Result<f64>| nats.unwrap() / 2f64.ln();
        for (value, expected) in [
            (bits(joint.entropy(&[1])), 7.0 / 4.0),
            (bits(joint.entropy(&[0])), 2.0),
            (bits(joint.conditional_entropy(&[1], &[0])), 11.0 / 8.0),
            (bits(joint.conditional_entropy(&[0], &[1])), 13.0 / 8.0),
            (bits(joint.entropy(&[0, 1])), 27.0 / 8.0),
            (bits(joint.mutual_information(&[0], &[1])), 3.0 / 8.0),
        ] {
            assert!((value - expected).abs() < 1e-14, "{value} {expected}");
        }
    }

    #[test]
    fn exclusive_or_is_known_only_from_both() {
        // Z = X xor Y of two fair coins: I(X; Z) = 0, I(X; Z | Y) = ln 2.
        let p: Vec<f64> = (0..8).map(|i| if (i >> 2) ^ (i >> 1 & 1) == i & 1 { 0.25 } else { 0.0 }).collect();
        let joint = joint(&[2, 2, 2], &p);
        assert_eq!(joint.mutual_information(&[0], &[2]).unwrap(), 0.0);
        let given = joint.conditional_mutual_information(&[0], &[2], &[1]).unwrap();
        assert!((given - 2f64.ln()).abs() < 1e-15, "{given}");
    }

    #[test]
    fn margins_and_conditions_are_tables_themselves() {
        let joint = joint(&[2, 3], &[0.1, 0.2, 0.1, 0.3, 0.0, 0.3]);
        let margin = joint.marginal(&[1]).unwrap();
        assert_eq!((margin.variables()[0].name.as_str(), margin.variables()[0].values.len()), ("Y", 3));
        assert!(margin.p().iter().zip([0.4, 0.2, 0.4]).all(|(a, b)| (a - b).abs() < 1e-15));
        let turned = joint.marginal(&[1, 0]).unwrap();
        assert_eq!(turned.p(), [0.1, 0.3, 0.2, 0.0, 0.1, 0.3]);
        assert!(joint.given(1, 1).unwrap().p().iter().zip([1.0, 0.0]).all(|(a, b)| a == &b));
        assert_eq!(joint.marginal(&[]).unwrap().p().len(), 1);
    }

    #[test]
    fn faults_say_what_is_wrong() {
        let variables = || vec![Variable::numbered("X", 2)];
        let message = |p: &[f64]| Joint::new(variables(), p.to_vec()).unwrap_err().to_string();
        assert_eq!(message(&[0.5, 0.25]), "the probabilities sum to 0.75, not 1");
        assert_eq!(message(&[1.5, -0.5]), "cell 2 is -0.5");
        assert_eq!(message(&[f64::NAN, 1.0]), "cell 1 is NaN");
        assert_eq!(message(&[1.0]), "1 weights do not fill a table of 2 cells");
        assert_eq!(Joint::of_weights(variables(), vec![0.0; 2]).unwrap_err().to_string(), "the weights sum to 0");
        let joint = joint(&[2], &[0.0, 1.0]);
        assert_eq!(joint.given(0, 0).unwrap_err().to_string(), "X = 0 (value 0) never occurs");
        assert_eq!(joint.entropy(&[1]).unwrap_err().to_string(), "there is no axis 1 among 1");
        assert_eq!(joint.axis("Q").unwrap_err().remedy(), "choose from X");
    }
}
