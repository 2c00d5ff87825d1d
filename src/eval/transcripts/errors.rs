//! Errors of a transcript: the fewest insertions, deletions and substitutions that turn it into another (Levenshtein 1966).

/// The edit distance of two sequences.
pub fn edits<T: PartialEq>(said: &[T], truth: &[T]) -> u64 {
    let mut row: Vec<u64> = (0..=truth.len() as u64).collect();
    for (i, a) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i as u64 + 1;
        for (j, b) in truth.iter().enumerate() {
            let cost = diagonal + u64::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[truth.len()]
}

/// Errors, and the symbols of the true sequences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Errors {
    /// Insertions, deletions and substitutions.
    pub errors: u64,
    /// Symbols of the truth.
    pub symbols: u64,
}

impl Errors {
    /// The errors of one sequence.
    pub fn of<T: PartialEq>(said: &[T], truth: &[T]) -> Errors {
        Errors { errors: edits(said, truth), symbols: truth.len() as u64 }
    }

    /// Errors per symbol; more than 1 if there are more errors than symbols, and none without symbols.
    pub fn rate(self) -> Option<f64> {
        (self.symbols > 0).then(|| self.errors as f64 / self.symbols as f64)
    }
}

impl std::iter::Sum for Errors {
    fn sum<I: Iterator<Item = Errors>>(each: I) -> Errors {
        each.fold(Errors::default(), |a, b| Errors { errors: a.errors + b.errors, symbols: a.symbols + b.symbols })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted() {
        let of = |a: &str, b: &str| edits(a.as_bytes(), b.as_bytes());
        assert_eq!((of("kitten", "sitting"), of("", "abc"), of("abc", ""), of("abc", "abc")), (3, 3, 3, 0));
        assert_eq!((of("flaw", "lawn"), of("intention", "execution")), (2, 5));
        let sum: Errors = [Errors::of(&[1, 2], &[1, 3]), Errors::of(&[], &[4, 5])].into_iter().sum();
        assert_eq!((sum, sum.rate()), (Errors { errors: 3, symbols: 4 }, Some(0.75)));
        assert_eq!(Errors::default().rate(), None);
    }
}
