//! The end of an Ogg stream, read from its page headers (RFC 3533, section 6).
//!
//! A seek into the last page of a stream is not dependable: the page's own end is trimmed to the length of the audio,
//! and from the page alone one cannot tell by how much. Seeks therefore go to an earlier page; how far they may go is
//! found here, together with whether the stream is whole.

use crate::audio::source::Input;
use std::io::{Read, Seek, SeekFrom};

/// The largest page: 27 bytes of header, 255 sizes, 255 times 255 bytes.
const LARGEST: u64 = 27 + 255 + 255 * 255;

/// What the last pages tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// The frame at which the last page begins; 0 if that cannot be seen.
    pub last_page: u64,
    /// The stream that the last page belongs to.
    pub serial: u32,
    /// Whether the last page is complete and says that it is the last.
    pub whole: bool,
}

/// Reads the last pages of `input`. None if there is no page at all.
pub(super) fn tail(input: &mut Input) -> std::io::Result<Option<Tail>> {
    let length = input.length();
    let take = length.min(2 * LARGEST);
    input.seek(SeekFrom::Start(length - take))?;
    let mut bytes = Vec::new();
    input.take(take).read_to_end(&mut bytes)?;
    Ok(scan(&bytes))
}

fn scan(bytes: &[u8]) -> Option<Tail> {
    let mut found: Option<Tail> = None;
    let mut end_of_previous = 0;
    let mut i = 0;
    while let Some(step) = bytes.get(i..).and_then(|rest| rest.windows(4).position(|w| w == b"OggS")) {
        i += step;
        let Some((flags, granule, serial, size)) = header(&bytes[i..]) else {
            // The header itself is cut off.
            return found.map(|tail| Tail { whole: false, ..tail });
        };
        let complete = i + size <= bytes.len();
        found = Some(Tail { last_page: end_of_previous, serial, whole: complete && flags & 4 != 0 });
        // A page on which no packet ends has no timestamp.
        if granule != u64::MAX {
            end_of_previous = granule;
        }
        i += if complete { size } else { 4 };
    }
    found
}

/// Flags, granule position, serial number and size of the page that begins here.
fn header(page: &[u8]) -> Option<(u8, u64, u32, usize)> {
    let flags = *page.get(5)?;
    let granule = u64::from_le_bytes(page.get(6..14)?.try_into().ok()?);
    let serial = u32::from_le_bytes(page.get(14..18)?.try_into().ok()?);
    let sizes = page.get(27..27 + usize::from(*page.get(26)?))?;
    let body: usize = sizes.iter().map(|&n| usize::from(n)).sum();
    Some((flags, granule, serial, 27 + sizes.len() + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(flags: u8, granule: u64, body: usize) -> Vec<u8> {
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend_from_slice(&granule.to_le_bytes());
        page.extend_from_slice(&7u32.to_le_bytes());
        page.extend_from_slice(&[0; 8]);
        page.extend_from_slice(&[1, body as u8]);
        page.resize(page.len() + body, 1);
        page
    }

    #[test]
    fn the_last_page_begins_where_the_one_before_it_ends() {
        let mut bytes = page(2, 0, 30);
        bytes.extend(page(0, 4000, 200));
        bytes.extend(page(0, u64::MAX, 200));
        bytes.extend(page(4, 5000, 100));
        assert_eq!(scan(&bytes), Some(Tail { last_page: 4000, serial: 7, whole: true }));
        bytes.pop();
        assert_eq!(scan(&bytes).map(|t| t.whole), Some(false));
        bytes.truncate(bytes.len() - 115);
        assert_eq!(scan(&bytes).map(|t| t.whole), Some(false));
        assert_eq!(scan(b"no pages here"), None);
    }
}
