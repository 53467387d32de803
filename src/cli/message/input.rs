//! What a message tool is given: hex, bytes, a file or standard input.

use std::io::{self, Read as _};
use std::path::PathBuf;

use super::{MessageToolError, begins, unframed};

/// Most bytes read as one message: a frame of 65,535 bytes as hex with a space after each.
pub(super) const INPUT_BYTES_MAX: u64 = 200_000;

/// A file, or standard input for `-`.
pub(super) fn read(input: &str, want: &'static str) -> Result<Vec<u8>, MessageToolError> {
    let mut bytes = Vec::new();
    let limit = INPUT_BYTES_MAX.saturating_add(1);
    if input == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(MessageToolError::Stdin)?;
    } else {
        std::fs::File::open(input)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .map_err(|source| MessageToolError::Read { path: PathBuf::from(input), want, source })?;
    }
    if u64::try_from(bytes.len()).is_ok_and(|len| len > INPUT_BYTES_MAX) {
        return Err(MessageToolError::TooLong);
    }
    Ok(bytes)
}

pub(super) fn is_hex(text: &[u8]) -> bool {
    let mut digits = text.iter().filter(|byte| !byte.is_ascii_whitespace()).peekable();
    digits.peek().is_some() && digits.all(u8::is_ascii_hexdigit)
}

/// The bytes that hex stands for; bytes that are not hex as they are.
pub(super) fn unhexed(input: Vec<u8>) -> Result<Vec<u8>, MessageToolError> {
    if input.trim_ascii().is_empty() {
        return Err(MessageToolError::Empty);
    }
    if !is_hex(&input) {
        return Ok(input);
    }
    let digits: Vec<u8> = input.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // A frame with hex bitmaps may itself look like hex; hex of a frame begins with a 3, which is no version.
    let is_frame = matches!(*input, [b'0'..=b'2', b'1'..=b'8', b'0'..=b'9', b'0'..=b'9', ..]);
    match hex::decode(&digits) {
        Ok(bytes) if begins(unframed(&bytes).1) || !is_frame => Ok(bytes),
        Err(_) if !is_frame => Err(MessageToolError::OddHex { digits: digits.len() }),
        Ok(_) | Err(_) => Ok(input.trim_ascii().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_taken_as_people_paste_it() {
        let bare = b"0800\x82\x20".to_vec();
        for text in ["303830308220", " 30 38 30 30\n82 20\n", "3038 3030 8220"] {
            assert_eq!(unhexed(text.into()).unwrap(), bare);
        }
        assert_eq!(unhexed(bare.clone()).unwrap(), bare, "bytes as they are");
        assert!(matches!(unhexed(b"3038303".to_vec()), Err(MessageToolError::OddHex { digits: 7 })));
        assert!(matches!(unhexed(b" \n".to_vec()), Err(MessageToolError::Empty)));
        // A frame that is all hex digits is a frame, since what it would stand for is none.
        let ascii = b"080082200000000000000400000000000000".to_vec();
        assert_eq!(unhexed(ascii.clone()).unwrap(), ascii);
    }
}
