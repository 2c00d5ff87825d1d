//! What is odd about a header whose recording is read all the same.

use super::AudioInfo;

/// A contradiction between a header and its file. The file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remark {
    /// The header leaves the length open, as in a pipe, or in a recorder that did not finish.
    Open,
    /// The header promises this number of frames, more than there are.
    Promises(u64),
    /// This number of bytes follows the samples, and nothing says what they are.
    Behind(u64),
    /// The tag of an MP3 says this number of MPEG frames; there are that many.
    Tag(u64, u64),
}

impl AudioInfo {
    /// What its header says wrongly, and how the file is read, as the rest of a sentence that begins with its place.
    pub fn remark(&self) -> Option<String> {
        let seconds = |frames: u64| frames as f64 / f64::from(self.rate.max(1));
        let held = self.seconds();
        self.remark.map(|remark| match remark {
            Remark::Open => format!("its header does not say how long it is: read to its end, {held:.3} s"),
            Remark::Promises(frames) => {
                format!("its header promises {:.3} s: read to its end, {held:.3} s", seconds(frames))
            }
            Remark::Behind(bytes) => {
                format!("its header says {held:.3} s, which are read; {bytes} bytes after them are left out")
            }
            Remark::Tag(said, counted) => {
                format!("its tag says {said} MPEG frames, it has {counted}: all of it is read, {held:.3} s")
            }
        })
    }
}
