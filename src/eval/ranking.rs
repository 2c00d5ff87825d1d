//! How well scores rank what has a label above what lacks it.

/// The area under the ROC curve: the chance that a row with the label has a higher score than one without, ties counted half (Hanley and
/// McNeil 1982). None if all rows have the label, or none has.
pub fn auroc(scores: &[f64], has: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let positives = has.iter().filter(|&&has| has).count() as f64;
    let negatives = has.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut ranks, mut before) = (0.0, 0usize);
    for ties in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        // Ranks from 1 on; those of equal scores are their mean.
        let rank = before as f64 + (ties.len() as f64 + 1.0) / 2.0;
        ranks += rank * ties.iter().filter(|&&i| has[i]).count() as f64;
        before += ties.len();
    }
    Some((ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// The mean of [`auroc`] over the classes that have it, of `rows` with scores of K classes each; `has` says which classes a row has. None if no
/// class has it.
pub fn macro_auroc(scores: &[&[f64]], has: &[&[bool]]) -> Option<f64> {
    let classes = scores.first().map_or(0, |row| row.len());
    let of = |k: usize| {
        let scores: Vec<f64> = scores.iter().map(|row| row[k]).collect();
        let has: Vec<bool> = has.iter().map(|row| row[k]).collect();
        auroc(&scores, &has)
    };
    let each: Vec<f64> = (0..classes).filter_map(of).collect();
    (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_share_of_pairs_in_the_right_order() {
        let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4];
        let has = [false, false, true, true, true, false];
        let mut pairs = (0.0, 0.0);
        for i in 0..6 {
            for j in 0..6 {
                if has[i] && !has[j] {
                    pairs.1 += 1.0;
                    pairs.0 += if scores[i] > scores[j] {
                        1.0
                    } else if scores[i] == scores[j] {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
        }
        assert!((auroc(&scores, &has).unwrap() - pairs.0 / pairs.1).abs() < 1e-12);
        assert_eq!(auroc(&scores, &[true; 6]), None);
        assert_eq!(auroc(&[1.0, 2.0], &[false, true]), Some(1.0));
    }

    #[test]
    fn classes_that_no_row_has_do_not_count() {
        let scores: Vec<&[f64]> = vec![&[0.9, 0.1], &[0.2, 0.3]];
        let has: Vec<&[bool]> = vec![&[true, false], &[false, false]];
        assert_eq!(macro_auroc(&scores, &has), Some(1.0));
        assert_eq!(macro_auroc(&scores, &[&[false, false], &[false, false]]), None);
    }
}
