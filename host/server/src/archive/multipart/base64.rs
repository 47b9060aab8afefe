//! Base64 as Python forgives it.

/// The value of a letter in base64.
fn sextet(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Decodes as `binascii.a2b_base64`, which passes over foreign letters and stops at sound padding, where the crate
/// `base64` refuses.
pub(super) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3);
    let (mut place, mut left, mut padding) = (0_u8, 0_u8, 0_u8);
    for letter in text {
        if *letter == b'=' {
            if place >= 2 {
                padding += 1;
                if place + padding >= 4 {
                    return Some(decoded);
                }
            }
            continue;
        }
        let Some(value) = sextet(*letter) else { continue };
        padding = 0;
        match place {
            0 => {}
            1 => decoded.push(left << 2 | value >> 4),
            2 => decoded.push(left << 4 | value >> 2),
            _ => decoded.push(left << 6 | value),
        }
        left = value;
        place = (place + 1) % 4;
    }
    (place == 0).then_some(decoded)
}

/// Whether a file's pieces are base64. Each is decoded on its own, up to a multiple of four letters.
pub(super) fn is_base64<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut held: Vec<u8> = Vec::new();
    for piece in pieces {
        held.extend(piece.iter().filter(|byte| !super::is_space(char::from(**byte))));
        let aligned = held.len() / 4 * 4;
        if from_base64(&held[..aligned]).is_none() {
            return false;
        }
        held.drain(..aligned);
    }
    held.is_empty()
}
