//! The tag in an MP3's first frame that gives the length of the file.

/// The contents of a Xing, Info or VBRI tag.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// Whether the tag gives the number of frames, so that they need not be counted.
    pub counted: bool,
    /// Size of the stream in bytes, from its first frame.
    pub bytes: Option<u64>,
}

/// Looks for a tag in the first bytes of a stream.
pub(super) fn find(head: &[u8]) -> Option<Tag> {
    // The tag follows the frame's header and side information: 13 to 36 bytes into the first frame.
    let near = head.get(..1024).unwrap_or(head);
    let at = |name: &[u8; 4]| near.windows(4).position(|w| w == name);
    let word = |i: usize| near.get(i..i + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    if let Some(i) = at(b"Xing").or_else(|| at(b"Info")) {
        let flags = word(i + 4)?;
        let bytes_at = i + 8 + 4 * (flags & 1) as usize;
        let bytes = if flags & 2 != 0 { word(bytes_at).map(u64::from) } else { None };
        return Some(Tag { counted: flags & 1 != 0, bytes });
    }
    // VBRI: version, delay and quality (2 bytes each), then bytes and frames (4 bytes each).
    let i = at(b"VBRI")?;
    Some(Tag { counted: true, bytes: word(i + 10).map(u64::from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_and_absence_is_told() {
        let mut head = vec![0xff, 0xfb, 0x90, 0];
        head.resize(36, 0);
        assert_eq!(find(&head), None);
        head.extend_from_slice(b"Info\0\0\0\x03\0\0\0\x10\0\0\x20\0");
        assert_eq!(find(&head), Some(Tag { counted: true, bytes: Some(8192) }));
        assert_eq!(find(b"Xing"), None);
    }
}
