//! The sizes of a convolution over time, and which windows it has.

use std::ops::Range;

/// The sizes of one convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Time steps of the input.
    pub time_in: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Input steps from one output step to the next.
    pub stride: usize,
    /// Zeros before and after the input.
    pub padding: usize,
}

impl ConvShape {
    /// Time steps of the output: floor((time_in + 2 padding - kernel) / stride) + 1, or 0 where no window fits.
    pub fn time_out(&self) -> usize {
        (self.time_in + 2 * self.padding).checked_sub(self.kernel).map_or(0, |room| room / self.stride + 1)
    }

    /// Floats in a window.
    pub(super) fn width(&self) -> usize {
        self.kernel * self.channels_in
    }

    /// The output steps whose windows lie wholly inside the input.
    pub(super) fn interior(&self) -> Range<usize> {
        let first = self.padding.div_ceil(self.stride);
        let end = (self.time_in + self.padding).checked_sub(self.kernel).map_or(0, |last| last / self.stride + 1);
        first.min(end)..end.min(self.time_out())
    }

    /// The part of `rows` inside the interior, and the remaining rows on both sides.
    pub(super) fn parts(&self, rows: Range<usize>) -> (Range<usize>, impl Iterator<Item = usize> + use<>) {
        let inner = self.interior();
        let inside = inner.start.clamp(rows.start, rows.end)..inner.end.clamp(rows.start, rows.end);
        let inside = if inside.is_empty() { rows.start..rows.start } else { inside };
        (inside.clone(), (rows.start..inside.start).chain(inside.end..rows.end))
    }

    /// Where the window of step t overlaps the input: (first float of the window, range of floats of the item).
    pub(super) fn overlap(&self, t: usize) -> (usize, Range<usize>) {
        let start = t * self.stride; // in the padded input
        let from = start.max(self.padding);
        let to = (start + self.kernel).min(self.padding + self.time_in).max(from);
        (
            (from - start) * self.channels_in,
            (from - self.padding) * self.channels_in..(to - self.padding) * self.channels_in,
        )
    }
}
