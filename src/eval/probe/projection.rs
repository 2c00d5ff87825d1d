//! A map of features in two dimensions: PCA, and t-SNE on the leading principal components.
//!
//! A limited number of rows is drawn (by seed): the same number from every class, as far as it has enough.

use crate::error::Result;
use crate::eval::probe::split::shuffle;
use crate::eval::probe::standard::Standard;
use crate::eval::probe::table::Table;
use crate::eval::probe::{pca, tsne};
use crate::seed::stream;

/// Number of principal components given to t-SNE.
const COMPONENTS: usize = 50;

/// Positions of some rows on two maps.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// The names of the classes.
    pub names: Vec<String>,
    /// The class of each row.
    pub classes: Vec<u32>,
    /// The utterance of each row.
    pub utterances: Vec<String>,
    /// The first two principal components of each row.
    pub pca: Vec<[f32; 2]>,
    /// The position of each row on the t-SNE map.
    pub tsne: Vec<[f32; 2]>,
}

impl Map {
    /// Maps at most `limit` standardized rows of some utterances.
    ///
    /// # Errors
    /// If rows cannot be read.
    pub fn new(table: &Table, items: &[usize], standard: &Standard, limit: usize, seed: u64) -> Result<Map> {
        let drawn = draw(table, items, limit, seed);
        let dim = table.dim();
        let (mut rows, mut classes, mut utterances) = (Vec::with_capacity(limit * dim), Vec::new(), Vec::new());
        let mut read: Option<(usize, Vec<f32>)> = None;
        for (item, at) in drawn {
            if read.as_ref().is_none_or(|r| r.0 != item) {
                read = Some((item, table.rows(item, standard)?));
            }
            let Some((_, values)) = &read else { continue };
            rows.extend_from_slice(&values[at * dim..(at + 1) * dim]);
            let utterance = &table.items()[item];
            classes.push(table.classes()[utterance.rows.start + at]);
            utterances.push(utterance.id.clone());
        }
        let components = COMPONENTS.min(dim);
        let leading = pca::coordinates(&rows, dim, components);
        let places = |c: &[f32]| [c[0], c.get(1).copied().unwrap_or(0.0)];
        let pca: Vec<[f32; 2]> = leading.chunks_exact(components.max(1)).map(places).collect();
        let tsne = tsne::map(&leading, components, &pca);
        Ok(Map { names: table.names().to_vec(), classes, utterances, pca, tsne })
    }
}

/// At most `limit` rows, in order, as (utterance, row within it): the same number from each class, as far as it has enough.
fn draw(table: &Table, items: &[usize], limit: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut of_class = vec![Vec::new(); table.names().len()];
    for &item in items {
        let rows = table.items()[item].rows.clone();
        table.classes()[rows].iter().enumerate().for_each(|(at, &class)| of_class[class as usize].push((item, at)));
    }
    let mut rng = stream(seed, "probe/map", 0);
    // The smallest classes first, so that what they cannot fill goes to the others.
    of_class.sort_by_key(Vec::len);
    let (mut drawn, mut classes) = (Vec::with_capacity(limit), of_class.len());
    for mut rows in of_class {
        let quota = (limit - drawn.len()) / classes;
        classes -= 1;
        shuffle(&mut rows, &mut rng);
        drawn.extend(rows.into_iter().take(quota));
    }
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::probe::fixtures::{Corpus, reading};
    use crate::eval::probe::protocol::Protocol;

    #[test]
    fn rows_are_drawn_from_every_class_equally() {
        let mut corpus = Corpus::new(6, 100, 3, 3);
        corpus.ids.iter_mut().for_each(|ids| ids.iter_mut().for_each(|id| *id = 0));
        corpus.ids[2][..20].fill(1);
        corpus.ids[4].fill(2);
        let set = corpus.set();
        let table = Table::gather(&set, &corpus.ids(), &corpus.labels(), &reading(Protocol::Frame)).unwrap();
        let items: Vec<usize> = (0..6).collect();
        let drawn = draw(&table, &items, 120, 1);
        let count = |c| drawn.iter().filter(|&&(i, at)| table.classes()[table.items()[i].rows.start + at] == c).count();
        assert_eq!((count(0), count(1), count(2), drawn.len()), (50, 20, 50, 120));
        assert_eq!(drawn, draw(&table, &items, 120, 1));
        let map = Map::new(&table, &items, &Standard::identity(3), 40, 1).unwrap();
        assert_eq!((map.pca.len(), map.tsne.len(), map.classes.len()), (40, 40, 40));
        assert!(map.tsne.iter().flatten().all(|v| v.is_finite()));
    }
}
