//! Hangul syllables as numbers: 0 to 11,171, the final consonant being the remainder by 28.

/// Code of the first syllable, 가.
const FIRST: u32 = 0xAC00;
/// How many syllables there are.
pub(super) const COUNT: u32 = 11_172;

/// The number of the syllable that these bytes of UTF-8 are.
pub(super) fn number_of_bytes([first, second, third]: [u8; 3]) -> u16 {
    let code = u32::from(first & 0xF) << 12 | u32::from(second & 0x3F) << 6 | u32::from(third & 0x3F);
    code.wrapping_sub(FIRST) as u16
}

/// Finals (받침) by their number.
pub(super) const N: u16 = 4;
pub(super) const L: u16 = 8;
pub(super) const M: u16 = 16;
pub(super) const B: u16 = 17;
pub(super) const SS: u16 = 20;

/// The final consonant of a syllable, 0 for none.
pub(super) fn last(syllable: u16) -> u16 {
    syllable % 28
}

/// The syllable with another final.
pub(super) fn open(syllable: u16) -> u16 {
    syllable - syllable % 28
}

/// The number of a syllable of a literal; other characters give a number that no syllable has.
pub(super) const fn of(c: char) -> u16 {
    let number = (c as u32).wrapping_sub(FIRST);
    if number < COUNT { number as u16 } else { 0xFFF0 }
}
