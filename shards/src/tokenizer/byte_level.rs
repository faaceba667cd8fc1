//! The printable alphabet that byte-level tokenizers write bytes in (GPT-2, `encoder.py`).

/// The character that stands for a byte: itself where Latin-1 prints it, else one from U+0100 on.
pub(crate) fn char_of(byte: u8) -> char {
    CHARACTERS[usize::from(byte)]
}

/// The byte that a character stands for; none for characters outside the alphabet.
pub(crate) fn byte_of(character: char) -> Option<u8> {
    BYTES.get(character as usize).copied().flatten()
}

/// Appends the bytes that a token stands for; one that is not all of the alphabet stands for itself.
pub(crate) fn push_bytes(token: &str, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    for character in token.chars() {
        match byte_of(character) {
            Some(byte) => bytes.push(byte),
            None => {
                bytes.truncate(length);
                bytes.extend_from_slice(token.as_bytes());
                return;
            }
        }
    }
}

/// By byte.
const CHARACTERS: [char; 256] = {
    let (mut characters, mut byte, mut hidden) = (['\0'; 256], 0, 0x100);
    while byte < 256 {
        characters[byte] = byte as u8 as char;
        if !prints(byte as u8) {
            characters[byte] = match char::from_u32(hidden) {
                Some(character) => character,
                None => char::REPLACEMENT_CHARACTER,
            };
            hidden += 1;
        }
        byte += 1;
    }
    characters
};

/// By code point.
const BYTES: [Option<u8>; 0x144] = {
    let (mut bytes, mut byte) = ([None; 0x144], 0);
    while byte < 256 {
        bytes[CHARACTERS[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    bytes
};

const fn prints(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_character() {
        assert_eq!((char_of(b'a'), char_of(b' '), char_of(b'\n')), ('a', 'Ġ', 'Ċ'));
        assert!((0..=255).all(|byte| byte_of(char_of(byte)) == Some(byte)));
        assert_eq!((byte_of(' '), byte_of('가'), byte_of('\u{144}')), (None, None, None));
    }

    #[test]
    fn a_token_outside_the_alphabet_stands_for_itself() {
        let mut bytes = b"x".to_vec();
        push_bytes("Ġab", &mut bytes);
        push_bytes("Ġ가", &mut bytes);
        assert_eq!(bytes, "x abĠ가".as_bytes());
    }

    #[test]
    fn agrees_with_the_library() {
        let mut theirs: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
        let mut ours: Vec<char> = (0..=255).map(char_of).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, theirs);
    }
}
