//! Discrete units: the nearest of some centroids in place of each frame.

pub mod kmeans;
