//! The information diagram: entropies as areas that overlap.
//!
//! For each choice of variables there is one atom, what these have in common and the others do not know: H(X | Y, Z), I(X; Y | Z), I(X; Y; Z), and so
//! on. Every entropy is the sum of the atoms inside it (Yeung 1991, *A new outlook on Shannon's information measures*). What three variables or more
//! have in common, their co-information (McGill 1954), may be negative: then they say more together than one by one, as x, y and x xor y.
//!
//! Subsets of m variables are numbered by bits: subset 0b101 has the first and the third.

use crate::error::{Error, Result};
use crate::mi::discrete::joint::union;

/// The largest number of variables: there are 2^12 subsets.
const MOST: usize = 12;

/// Sums of entropies are exact to about this many nats.
const ROUNDING: f64 = 1e-12;

/// The axes of each subset of `variables`, of which each is a list of axes; the first subset is empty.
///
/// # Errors
/// There are more than 12.
pub fn subsets(variables: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
    if variables.len() > MOST {
        let what = format!("{} variables have 2^{} subsets", variables.len(), variables.len());
        return Err(Error::usage(what, format!("choose at most {MOST} columns")));
    }
    let inside = |subset: usize| {
        let lists: Vec<&[usize]> =
            variables.iter().enumerate().filter(|(at, _)| subset >> at & 1 == 1).map(|(_, list)| *list).collect();
        union(&lists)
    };
    Ok((0..1 << variables.len()).map(inside).collect())
}

/// The atom of each subset from the entropy of each subset, in nats: what its variables have in common and the others do not know. That of the empty
/// subset is 0.
pub fn atoms(entropies: &[f64]) -> Vec<f64> {
    let all = entropies.len() - 1;
    let atom = |inside: usize| {
        let outside = all & !inside;
        // - sum over T within `inside` of (-1)^|T| H(T and the others).
        let terms = (0..=inside).filter(|part| part & !inside == 0).map(|part| {
            let sign = if part.count_ones() % 2 == 1 { 1.0 } else { -1.0 };
            sign * entropies[part | outside]
        });
        let value: f64 = terms.sum();
        // What is left of rounding is nothing.
        if value.abs() < ROUNDING { 0.0 } else { value }
    };
    (0..=all).map(|inside| if inside == 0 { 0.0 } else { atom(inside) }).collect()
}

/// The total correlation (Watanabe 1960) from the entropy of each subset, in nats: the sum of the entropies of the variables, less that of all together.
/// It is 0 if all are independent.
pub fn total_correlation(entropies: &[f64]) -> f64 {
    let all = entropies.len() - 1;
    (0..entropies.len().ilog2()).map(|at| entropies[1 << at]).sum::<f64>() - entropies[all]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mi::discrete::{Joint, Variable};
    use proptest::prelude::*;

    fn entropies(joint: &Joint) -> Vec<f64> {
        let axes: Vec<Vec<usize>> = (0..joint.variables().len()).map(|axis| vec![axis]).collect();
        let lists: Vec<&[usize]> = axes.iter().map(Vec::as_slice).collect();
        subsets(&lists).unwrap().iter().map(|of| joint.entropy(of).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn atoms_are_the_quantities_of_the_textbook_and_add_up(weights in prop::collection::vec(0.01..1.0f64, 24)) {
            let sizes = [2, 3, 4].iter().zip(["X", "Y", "Z"]).map(|(&n, name)| Variable::numbered(name, n)).collect();
            let joint = Joint::of_weights(sizes, weights).unwrap();
            let h = entropies(&joint);
            let found = atoms(&h);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
            let (only_z, x_and_y) = (joint.conditional_entropy(&[2], &[0, 1]), joint.conditional_mutual_information(&[0], &[1], &[2]));
            prop_assert!(close(found[0b100], only_z.unwrap()) && close(found[0b011], x_and_y.unwrap()));
            let shared = joint.mutual_information(&[0], &[1]).unwrap();
            prop_assert!(close(found[0b011] + found[0b111], shared));
            // Every entropy is the sum of the atoms that its variables are in.
            for (of, entropy) in h.iter().enumerate() {
                let inside: f64 = (1..8).filter(|atom| atom & of != 0).map(|atom| found[atom]).sum();
                prop_assert!(close(inside, *entropy), "{of:b}");
            }
            let chain = shared + joint.mutual_information(&[0, 1], &[2]).unwrap();
            prop_assert!(close(total_correlation(&h), chain));
        }
    }

    #[test]
    fn two_bits_and_their_sum_have_less_than_nothing_in_common() {
        let bit = |name| Variable::numbered(name, 2);
        let p = (0..8).map(|i| if i >> 2 & 1 == (i >> 1 & 1) ^ (i & 1) { 0.25 } else { 0.0 }).collect();
        let h = entropies(&Joint::new(vec![bit("X"), bit("Y"), bit("Z")], p).unwrap());
        let found = atoms(&h);
        let bits = |nats: f64| nats / 2f64.ln();
        assert!((bits(found[0b111]) + 1.0).abs() < 1e-12 && (bits(found[0b011]) - 1.0).abs() < 1e-12, "{found:?}");
        assert!((bits(total_correlation(&h)) - 1.0).abs() < 1e-12 && found[0b001].abs() < 1e-12);
        // Three copies of one bit have it in common.
        let copies = (0..8).map(|i| if i == 0 || i == 7 { 0.5 } else { 0.0 }).collect();
        let copies = Joint::new(vec![bit("X"), bit("Y"), bit("Z")], copies).unwrap();
        assert!((bits(atoms(&entropies(&copies))[0b111]) - 1.0).abs() < 1e-12);
        assert!(subsets(&[[0usize].as_slice(); 13]).unwrap_err().to_string().contains("2^13"));
    }
}
