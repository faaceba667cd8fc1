//! The printable alphabet that byte-level tokenizers write bytes in (GPT-2, `encoder.py`).

/// The character that stands for a byte: itself where Latin-1 prints it, else one from U+0100 on.
pub(crate) fn char_of(byte: u8) -> char {
    if prints(byte) {
        return char::from(byte);
    }
    let hidden_before = (0..byte).filter(|&other| !prints(other)).count() as u32;
    char::from_u32(0x100 + hidden_before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for; none for characters outside the alphabet.
pub(crate) fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    match u8::try_from(code) {
        Ok(byte) => prints(byte).then_some(byte),
        Err(_) => {
            let hidden = code.checked_sub(0x100)? as usize;
            (0..=255).filter(|&byte| !prints(byte)).nth(hidden)
        }
    }
}

fn prints(byte: u8) -> bool {
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
    fn agrees_with_the_library() {
        let mut theirs: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
        let mut ours: Vec<char> = (0..=255).map(char_of).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, theirs);
    }
}
