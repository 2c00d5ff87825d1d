//! The size of images.

/// The size of the images of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ImageSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 for grayscale, 3 for color.
    pub channels: usize,
}

impl ImageSize {
    /// Number of values in an image.
    pub fn numbers(self) -> usize {
        self.height * self.width * self.channels
    }
}

impl std::fmt::Display for ImageSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {} x {}", self.height, self.width, self.channels)
    }
}
