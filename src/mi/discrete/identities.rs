//! The identities and inequalities of information theory, each as a property of random tables.

use crate::mi::discrete::{Joint, Variable};
use proptest::prelude::*;

const X: &[usize] = &[0];
const Y: &[usize] = &[1];
const Z: &[usize] = &[2];
const XY: &[usize] = &[0, 1];
const YZ: &[usize] = &[1, 2];
/// The axes that [`World`] adds.
const F_X: &[usize] = &[3];
const G_Y: &[usize] = &[4];
const H_XY: &[usize] = &[5];

/// The rounding error of sums of some hundred terms.
const ROUNDING: f64 = 1e-12;

/// p(x, y, z), with f(x), g(y) and h(x, y) as three more variables.
#[derive(Debug, Clone)]
struct World {
    plain: Joint,
    all: Joint,
}

impl World {
    fn h(&self, of: &[usize]) -> f64 {
        self.all.entropy(of).unwrap()
    }

    fn h_given(&self, of: &[usize], given: &[usize]) -> f64 {
        self.all.conditional_entropy(of, given).unwrap()
    }

    fn i(&self, a: &[usize], b: &[usize]) -> f64 {
        self.all.mutual_information(a, b).unwrap()
    }

    fn i_given(&self, a: &[usize], b: &[usize], given: &[usize]) -> f64 {
        self.all.conditional_mutual_information(a, b, given).unwrap()
    }
}

prop_compose! {
    /// Tables whose cells have probability 0, a very small one or an ordinary one.
    fn world()(sizes in prop::array::uniform3(1usize..5))(
        weights in prop::collection::vec(prop_oneof![2 => Just(0.0), 1 => Just(1e-9), 4 => 0.01..1.0f64], sizes.iter().product::<usize>())
            .prop_filter("no weight", |w| w.iter().any(|w| *w > 0.0)),
        f in prop::collection::vec(0usize..3, sizes[0]),
        g in prop::collection::vec(0usize..3, sizes[1]),
        h in prop::collection::vec(0usize..3, sizes[0] * sizes[1]),
        sizes in Just(sizes),
    ) -> World {
        let mut variables: Vec<Variable> =
            ["X", "Y", "Z"].iter().zip(sizes).map(|(name, size)| Variable::numbered(name, size)).collect();
        let plain = Joint::of_weights(variables.clone(), weights.clone()).unwrap();
        variables.extend(["f(X)", "g(Y)", "h(X,Y)"].map(|name| Variable::numbered(name, 3)));
        let mut all = vec![0.0; weights.len() * 27];
        for (cell, weight) in weights.into_iter().enumerate() {
            let (x, y) = (cell / (sizes[1] * sizes[2]), cell / sizes[2] % sizes[1]);
            all[cell * 27 + f[x] * 9 + g[y] * 3 + h[x * sizes[1] + y]] = weight;
        }
        World { plain, all: Joint::of_weights(variables, all).unwrap() }
    }
}

macro_rules! equal {
    ($a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        prop_assert!((a - b).abs() < ROUNDING, "{} = {a}, {} = {b}", stringify!($a), stringify!($b));
    }};
}

macro_rules! at_most {
    ($a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        prop_assert!(a <= b + ROUNDING, "{} = {a} > {} = {b}", stringify!($a), stringify!($b));
    }};
}

proptest! {
    #[test]
    fn a_condition_never_adds_entropy_and_none_is_below_0(w in world()) {
        at_most!(0.0, w.h_given(X, Y));
        at_most!(w.h_given(X, Y), w.h(X));
    }

    #[test]
    fn mutual_information_is_what_the_entropies_have_in_common(w in world()) {
        equal!(w.i(X, Y), w.h(X) + w.h(Y) - w.h(XY));
        equal!(w.i(X, Y), w.h(X) - w.h_given(X, Y));
        equal!(w.i(X, Y), w.i(Y, X));
    }

    #[test]
    fn mutual_information_is_the_divergence_from_independence(w in world()) {
        let (xy, x, y) = (w.plain.marginal(XY).unwrap(), w.plain.marginal(X).unwrap(), w.plain.marginal(Y).unwrap());
        let product = x.p().iter().flat_map(|x| y.p().iter().map(move |y| x * y)).collect();
        let product = Joint::of_weights(xy.variables().to_vec(), product).unwrap();
        let divergence = xy.divergence(&product).unwrap();
        equal!(w.i(X, Y), divergence.nats);
        prop_assert!(divergence.infinite_at.is_empty());
    }

    #[test]
    fn mutual_information_is_at_least_0_and_at_most_either_entropy(w in world()) {
        at_most!(0.0, w.i(X, Y));
        at_most!(w.i(X, Y), w.h(X).min(w.h(Y)));
        at_most!(0.0, w.i_given(X, Y, Z));
    }

    #[test]
    fn processing_adds_no_information(w in world()) {
        at_most!(w.i(F_X, G_Y), w.i(X, Y));
        at_most!(w.i_given(F_X, G_Y, Z), w.i_given(X, Y, Z));
    }

    #[test]
    fn a_function_of_x_is_certain_once_x_is_known(w in world()) {
        equal!(w.h_given(F_X, X), 0.0);
        equal!(w.h(&[0, 3]), w.h(X));
    }

    #[test]
    fn entropy_is_that_of_a_function_and_what_the_function_leaves(w in world()) {
        equal!(w.h(X), w.h(F_X) + w.h_given(X, F_X));
    }

    #[test]
    fn x_and_its_function_share_all_of_the_function(w in world()) {
        equal!(w.i(X, F_X), w.h(F_X));
    }

    #[test]
    fn a_function_of_y_tells_no_more_of_x_than_y_does(w in world()) {
        at_most!(w.h_given(X, Y), w.h_given(X, G_Y));
    }

    #[test]
    fn a_function_of_x_and_y_adds_nothing_to_x_once_y_is_known(w in world()) {
        equal!(w.h_given(&[0, 5], Y), w.h_given(X, Y));
        equal!(w.h_given(H_XY, XY), 0.0);
    }

    #[test]
    fn more_conditions_leave_less_entropy(w in world()) {
        at_most!(w.h_given(X, YZ), w.h_given(X, Y));
    }

    #[test]
    fn information_about_two_variables_adds_up_one_after_the_other(w in world()) {
        equal!(w.i_given(X, Y, Z) + w.i(Y, Z), w.i(Y, &[0, 2]));
    }

    #[test]
    fn conditional_quantities_are_means_over_what_is_given(w in world()) {
        let z = w.plain.marginal(Z).unwrap();
        let (mut h, mut i) = (0.0, 0.0);
        for (value, p) in z.p().iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let there = w.plain.given(2, value).unwrap();
            h += p * there.entropy(X).unwrap();
            i += p * there.mutual_information(X, Y).unwrap();
        }
        equal!(h, w.h_given(X, Z));
        equal!(i, w.i_given(X, Y, Z));
    }
}
