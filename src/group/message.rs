//! Numbers in the bytes of a message.

use crate::error::{Error, Result};

/// A message that is being written.
#[derive(Debug, Clone, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// An empty message.
    pub fn new() -> Message {
        Message::default()
    }

    /// Appends a number.
    pub fn number(&mut self, n: u64) -> &mut Self {
        self.0.extend(n.to_le_bytes());
        self
    }

    /// Appends bytes, with their number before them.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// Appends integers, with their number before them.
    pub fn integers(&mut self, values: &[u32]) -> &mut Self {
        self.number(values.len() as u64);
        self.0.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        self
    }

    /// Appends values, bit for bit, with their number before them.
    pub fn values(&mut self, values: &[f32]) -> &mut Self {
        self.number(values.len() as u64);
        self.0.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        self
    }

    /// The bytes to send.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// A message that is being read, in the order in which it was written.
#[derive(Debug, Clone)]
pub struct Reading<'a>(&'a [u8]);

impl<'a> Reading<'a> {
    /// Reads a message from its beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reading(bytes)
    }

    /// Whether everything has been read.
    pub fn is_at_its_end(&self) -> bool {
        self.0.is_empty()
    }

    fn next(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(|| {
            Error::failed("a message from another process is too short", "use the same build of cpc on all machines")
        })?;
        self.0 = rest;
        Ok(taken)
    }

    fn words<T>(&mut self, of: impl Fn([u8; 4]) -> T) -> Result<Vec<T>> {
        let n = self.number()? as usize;
        let bytes = self.next(n.saturating_mul(4))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|word| of(*word)).collect())
    }

    /// The number that comes next.
    ///
    /// # Errors
    /// The message ends before; so for all that follows.
    pub fn number(&mut self) -> Result<u64> {
        let mut word = [0; 8];
        word.copy_from_slice(self.next(8)?);
        Ok(u64::from_le_bytes(word))
    }

    /// The bytes that come next.
    ///
    /// # Errors
    /// As [`Reading::number`].
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.number()? as usize;
        self.next(n)
    }

    /// The integers that come next.
    ///
    /// # Errors
    /// As [`Reading::number`].
    pub fn integers(&mut self) -> Result<Vec<u32>> {
        self.words(u32::from_le_bytes)
    }

    /// The values that come next.
    ///
    /// # Errors
    /// As [`Reading::number`].
    pub fn values(&mut self) -> Result<Vec<f32>> {
        self.words(f32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_bit_for_bit() {
        let values = [1.5, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0];
        let bytes = Message::new().number(7).values(&values).integers(&[3, u32::MAX]).bytes(b"x").take();
        let mut reading = Reading::new(&bytes);
        assert_eq!(reading.number().unwrap(), 7);
        let read = reading.values().unwrap();
        assert!(read.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!((reading.integers().unwrap(), reading.bytes().unwrap()), (vec![3, u32::MAX], &b"x"[..]));
        assert!(reading.number().is_err());
        assert!(Reading::new(&u64::MAX.to_le_bytes()).values().is_err());
    }
}
