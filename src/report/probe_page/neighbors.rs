//! A picture of images with those that a model represents as most similar.

use crate::error::{Error, Result};
use crate::image::ImageSet;
use crate::report::sheet::sheet;

/// Number of neighbors in a line.
const NEAREST: usize = 9;

/// A PNG of `shown` images, the first ones of each label in turn. Each line shows one of them with the images whose features (N, `dim`) are
/// at the smallest angle to its own.
///
/// # Errors
/// If the number of features does not match the number of images.
pub fn neighbors(set: &ImageSet, features: &[f32], dim: usize, shown: usize) -> Result<Vec<u8>> {
    if dim == 0 || features.len() != set.len() * dim {
        let what = format!("{} values are not {dim}-dimensional features of {} images", features.len(), set.len());
        return Err(Error::failed(what, "report this as a bug in cpc"));
    }
    let unit: Vec<f32> = features
        .chunks_exact(dim)
        .flat_map(|row| {
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
            row.iter().map(move |x| x / norm).collect::<Vec<_>>()
        })
        .collect();
    let row = |i: usize| &unit[i * dim..(i + 1) * dim];
    let lines: Vec<Vec<usize>> = chosen(&set.labels, shown)
        .into_iter()
        .map(|i| {
            let mut others: Vec<(f32, usize)> = (0..set.len())
                .filter(|&j| j != i)
                .map(|j| (row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f32>(), j))
                .collect();
            others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            std::iter::once(i).chain(others.into_iter().take(NEAREST).map(|(_, j)| j)).collect()
        })
        .collect();
    sheet(set, &lines, true)
}

/// The indices of `shown` images: label by label, the first ones of each, in the order of the set.
fn chosen(labels: &[u32], shown: usize) -> Vec<usize> {
    let most = labels.iter().max().map_or(0, |&label| label + 1);
    let of = |label: u32| labels.iter().enumerate().filter(move |(_, l)| **l == label).map(|(i, _)| i);
    let each = shown.div_ceil(most.max(1) as usize);
    let mut all: Vec<usize> = (0..most).flat_map(|label| of(label).take(each)).collect();
    all.truncate(shown);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::images;

    #[test]
    fn every_label_is_shown_with_those_that_are_most_alike() {
        let set = images(1, 40).test;
        // Features that identify the label: an image's neighbors have the same label.
        let features: Vec<f32> =
            set.labels.iter().flat_map(|&label| (0..10).map(move |c| f32::from(u8::from(c == label)))).collect();
        assert_eq!(chosen(&set.labels, 20).len(), 20);
        let png = neighbors(&set, &features, 10, 20).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), ((10 * 60 + 12) as u32, (20 * 60 + 4) as u32));
        // An image of label 0 is bright in its square, and so is its first neighbor.
        let at = |x: usize| picture.get_pixel((4 + x * 60 + if x > 0 { 4 } else { 0 } + 6) as u32, 14)[0];
        assert!(at(0) >= 128 && at(1) >= 128);
        assert!(neighbors(&set, &features, 9, 20).is_err());
    }
}
