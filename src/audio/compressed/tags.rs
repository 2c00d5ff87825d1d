//! Tags that are not audio, before and after the stream of a compressed file: ID3v2, ID3v1, APEv2 and Lyrics3.

use crate::audio::source::Input;
use std::io::{Read, Result, Seek, SeekFrom};

/// Length in bytes of the ID3v2 tag that begins with these bytes; 0 if there is none.
pub(in crate::audio) fn head(first: &[u8]) -> u64 {
    match first {
        [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] => {
            // A footer repeats the ten bytes of the header.
            10 + seven_bits([*a, *b, *c, *d]) + if flags & 0x10 != 0 { 10 } else { 0 }
        }
        _ => 0,
    }
}

/// The byte at which the stream ends: that of the first of the tags at the end of `input`, or the end of the input.
pub(in crate::audio) fn tail(input: &mut Input) -> Result<u64> {
    let mut end = input.length();
    while let Some(length) = last(input, end)?.filter(|length| *length > 0 && *length <= end) {
        end -= length;
    }
    Ok(end)
}

/// The length of the tag that ends at `end`.
fn last(input: &mut Input, end: u64) -> Result<Option<u64>> {
    let take = end.min(128);
    input.seek(SeekFrom::Start(end - take))?;
    let mut bytes = vec![0; take as usize];
    input.read_exact(&mut bytes)?;
    let before = |n: usize| bytes.len().checked_sub(n).map_or(&[][..], |at| &bytes[at..]);
    let number = |b: &[u8]| b.try_into().map_or(0, u32::from_le_bytes);
    Ok(match () {
        () if take == 128 && bytes.starts_with(b"TAG") => Some(128),
        // Size and flags of the footer: the size includes the footer, but not the header.
        () if before(32).starts_with(b"APETAGEX") => {
            let footer = before(32);
            let header = if number(&footer[20..24]) & 0x8000_0000 != 0 { 32 } else { 0 };
            Some(u64::from(number(&footer[12..16])) + header)
        }
        // Six digits, which do not count themselves.
        () if before(9) == b"LYRICS200" => {
            let digits = std::str::from_utf8(&before(15)[..6.min(before(15).len())]).unwrap_or_default();
            digits.parse::<u64>().ok().map(|size| size + 15)
        }
        () if before(10).starts_with(b"3DI") => {
            let size = before(10)[6..10].try_into().map_or(0, seven_bits);
            Some(20 + size)
        }
        () => None,
    })
}

/// A number of seven bits a byte.
fn seven_bits(bytes: [u8; 4]) -> u64 {
    bytes.iter().fold(0, |sum, byte| (sum << 7) | u64::from(byte & 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn stream_ends(bytes: Vec<u8>) -> u64 {
        let length = bytes.len() as u64;
        tail(&mut Input::new(Cursor::new(bytes), length)).unwrap()
    }

    #[test]
    fn tags_at_the_end_do_not_belong_to_the_stream() {
        let audio = vec![7u8; 500];
        assert_eq!(stream_ends(audio.clone()), 500);
        assert_eq!(stream_ends(b"TAG".to_vec()), 3);
        let id3v1 = [b"TAG".to_vec(), vec![0; 125]].concat();
        assert_eq!(stream_ends([audio.clone(), id3v1.clone()].concat()), 500);
        let half = |flags: u32| {
            let mut half = b"APETAGEX\xd0\x07\0\0".to_vec();
            half.extend(48u32.to_le_bytes());
            half.extend(1u32.to_le_bytes());
            half.extend(flags.to_le_bytes());
            half.extend([0; 8]);
            half
        };
        let ape = [half(0xa000_0000), vec![1; 16], half(0x8000_0000)].concat();
        assert_eq!(stream_ends([audio.clone(), ape.clone(), id3v1.clone()].concat()), 500);
        let bare = [vec![1; 16], half(0)].concat();
        assert_eq!(stream_ends([audio.clone(), bare].concat()), 500);
        let lyrics = b"LYRICSBEGININD0000200000029LYRICS200".to_vec();
        let lyrics = [lyrics[..21].to_vec(), b"000021LYRICS200".to_vec()].concat();
        assert_eq!(stream_ends([audio.clone(), lyrics, id3v1].concat()), 500);
        let id3v2 = [b"ID3\x04\0\x10\0\0\0\x05".to_vec(), vec![0; 5], b"3DI\x04\0\x10\0\0\0\x05".to_vec()].concat();
        assert_eq!(stream_ends([audio, id3v2.clone()].concat()), 500);
        assert_eq!(head(&id3v2), 25);
        // A size that is larger than the file is no tag.
        assert_eq!(stream_ends([half(0)[..12].to_vec(), vec![0xff; 4], half(0)[16..].to_vec()].concat()), 32);
    }
}
