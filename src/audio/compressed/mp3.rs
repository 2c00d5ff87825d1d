//! What an MP3 says of its length, and how long it is.

/// The length in a Xing, Info or VBRI tag.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The number of MPEG frames.
    pub frames: Option<u64>,
    /// Size of the stream in bytes, from its first frame.
    pub bytes: Option<u64>,
    /// Samples that encoder and decoder put before the first, and that fill the last frame.
    pub trims: Option<(u64, u64)>,
}

/// Samples by which a decoder of layer 3 is late, beside the encoder's own delay.
const DECODER: u64 = 528 + 1;

/// Looks for a tag in the first bytes of a stream.
pub(super) fn find(head: &[u8]) -> Option<Tag> {
    // The tag follows the frame's header and side information: 13 to 36 bytes into the first frame.
    let near = head.get(..1024).unwrap_or(head);
    let at = |name: &[u8; 4]| near.windows(4).position(|w| w == name);
    let word = |i: usize| near.get(i..i + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).map(u64::from);
    if let Some(i) = at(b"Xing").or_else(|| at(b"Info")) {
        let flags = word(i + 4)?;
        let bytes_at = i + 8 + 4 * (flags & 1) as usize;
        let given = |flag: u64, at: usize| if flags & flag != 0 { word(at) } else { None };
        let bytes = given(2, bytes_at);
        // Then a table of contents and a quality, if there are any, and LAME's extension.
        let lengths = [4, 4, 100, 4].into_iter().enumerate();
        let at = i + 8 + lengths.filter(|(bit, _)| flags & (1 << bit) != 0).map(|(_, n)| n).sum::<usize>();
        return Some(Tag { frames: given(1, i + 8), bytes, trims: trims(near.get(at..)) });
    }
    // VBRI: version, delay and quality (2 bytes each), then bytes and frames (4 bytes each).
    let i = at(b"VBRI")?;
    Some(Tag { frames: word(i + 14), bytes: word(i + 10), trims: None })
}

/// The trims in LAME's extension of a tag: 12 bits each. Its checksum is not checked, as in ffmpeg: it covers the rest of the tag too.
fn trims(extension: Option<&[u8]>) -> Option<(u64, u64)> {
    let extension = extension?;
    let known = [b"LAME", b"Lavf", b"Lavc"].iter().any(|name| extension.starts_with(*name));
    let &[a, b, c] = extension.get(21..24)? else { return None };
    let [a, b, c] = [a, b, c].map(u64::from);
    let (delay, padding) = ((a << 4) | (b >> 4), ((b & 0x0f) << 8) | c);
    known.then(|| (delay + DECODER, padding.saturating_sub(DECODER)))
}

/// The number of samples per channel of the MPEG frame of layer 3 that begins with these bytes: 1152 in MPEG 1, 576 in MPEG 2 and 2.5.
pub(super) fn samples(frame: &[u8]) -> u64 {
    if frame.get(1).is_some_and(|b| b & 0x08 != 0) { 1152 } else { 576 }
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
        assert_eq!(find(&head), Some(Tag { frames: Some(16), bytes: Some(8192), trims: None }));
        let lame = b"LAME3.100\0\0\0\0\0\0\0\0\0\0\0\0\x24\x03\x80".to_vec();
        let tag = find(&[head.clone(), lame].concat()).unwrap();
        assert_eq!(tag.trims, Some((576 + 529, 896 - 529)));
        head.truncate(36);
        head.extend_from_slice(b"VBRI\0\x01\x08\0\0\x64\0\0\x20\0\0\0\0\x11");
        assert_eq!(find(&head), Some(Tag { frames: Some(17), bytes: Some(8192), trims: None }));
        assert_eq!(find(b"Xing"), None);
        assert_eq!([samples(&[0xff, 0xfb]), samples(&[0xff, 0xf3]), samples(&[0xff, 0xe3])], [1152, 576, 576]);
    }
}
