//! Classes of characters, as the regular expressions of tokenizers see them.
//!
//! The answers are those of Onigmo's Unicode tables, which the `tokenizers` crate matches with; a
//! test compares every code point. Where Unicode versions differ, ids would.

use std::sync::LazyLock;

use super::class_runs::RUNS;

/// `\p{L}`.
pub(crate) const LETTER: u8 = 1;
/// `\p{N}`.
pub(crate) const NUMBER: u8 = 1 << 1;
/// `\s`.
pub(crate) const SPACE: u8 = 1 << 2;
/// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`.
pub(crate) const UPPER: u8 = 1 << 3;
/// `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`.
pub(crate) const LOWER: u8 = 1 << 4;
/// `[\p{P}\p{S}]`.
pub(crate) const SIGN: u8 = 1 << 5;
/// `[\r\n]`.
pub(crate) const BREAK: u8 = 1 << 6;
/// May be changed by NFC, or may change what stands before it.
pub(crate) const UNSTABLE: u8 = 1 << 7;

const BLOCK: usize = 256;
const BLOCKS: usize = 0x11_0000 / BLOCK;

/// The class of every code point: blocks of 256, equal blocks stored once.
pub(crate) struct Classes {
    ascii: [u8; 128],
    blocks: Vec<u16>,
    classes: Vec<u8>,
}

/// The one table, made from its runs when first used.
pub(crate) static CLASSES: LazyLock<Classes> = LazyLock::new(Classes::new);

impl Classes {
    fn new() -> Self {
        let mut flat = vec![0u8; BLOCKS * BLOCK];
        for (index, run) in RUNS.iter().enumerate() {
            let end = RUNS.get(index + 1).map_or(flat.len(), |next| (next >> 8) as usize);
            flat[(run >> 8) as usize..end].fill(*run as u8);
        }
        let (mut blocks, mut classes) = (Vec::with_capacity(BLOCKS), Vec::<u8>::new());
        for block in flat.chunks_exact(BLOCK) {
            let known = classes.chunks_exact(BLOCK).position(|other| other == block);
            let at = known.unwrap_or_else(|| {
                classes.extend_from_slice(block);
                classes.len() / BLOCK - 1
            });
            blocks.push(at as u16);
        }
        let mut ascii = [0; 128];
        ascii.copy_from_slice(&flat[..128]);
        Self { ascii, blocks, classes }
    }

    /// The class of a code point.
    #[inline]
    pub(crate) fn of(&self, code: u32) -> u8 {
        let block = self.blocks.get(code as usize / BLOCK).copied().unwrap_or(0);
        self.classes[block as usize * BLOCK + code as usize % BLOCK]
    }

    /// The class of a byte below 128.
    #[inline]
    pub(crate) fn of_ascii(&self, byte: u8) -> u8 {
        self.ascii[(byte & 127) as usize]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
    use tokenizers::tokenizer::pattern::Pattern;
    use tokenizers::{NormalizedString, Normalizer, SplitDelimiterBehavior};

    use super::*;

    fn everything() -> String {
        (0..=0x10_ffff).filter_map(char::from_u32).collect()
    }

    /// Sets `flag` for what the library's regular expression engine says is in `set`.
    fn mark(text: &str, set: &str, flag: u8, classes: &mut [u8]) {
        let split = Split::new(SplitPattern::Regex(format!("{set}+")), SplitDelimiterBehavior::Isolated, false).unwrap();
        for ((start, end), found) in (&split.regex).find_matches(text).unwrap() {
            if found {
                text[start..end].chars().for_each(|c| classes[c as usize] |= flag);
            }
        }
    }

    fn nfc(text: &str) -> String {
        let mut text = NormalizedString::from(text);
        tokenizers::normalizers::NFC.normalize(&mut text).unwrap();
        text.get().to_owned()
    }

    /// Characters that NFC changes, reorders, or joins with one before them.
    fn mark_unstable(classes: &mut [u8]) {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let alone = c.to_string();
            // U+0334 has the lowest combining class in use, U+0345 the highest.
            let moves = [format!("{c}\u{334}"), format!("\u{345}{c}")].iter().any(|pair| nfc(pair) != *pair);
            if nfc(&alone) != alone || moves {
                classes[c as usize] |= UNSTABLE;
            }
            let mut parts = NormalizedString::from(alone.as_str());
            tokenizers::normalizers::NFD.normalize(&mut parts).unwrap();
            parts.get().chars().skip(1).for_each(|part| classes[part as usize] |= UNSTABLE);
        }
    }

    fn expected() -> Vec<u8> {
        let text = everything();
        let mut classes = vec![0; 0x11_0000];
        let sets = [
            (r"[\p{L}]", LETTER),
            (r"[\p{N}]", NUMBER),
            (r"[\s]", SPACE),
            (r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", UPPER),
            (r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", LOWER),
            (r"[\p{P}\p{S}]", SIGN),
            (r"[\r\n]", BREAK),
        ];
        sets.iter().for_each(|(set, flag)| mark(&text, set, *flag, &mut classes));
        mark_unstable(&mut classes);
        classes
    }

    #[test]
    fn every_code_point_agrees_with_the_library() {
        let expected = expected();
        for code in (0..=0x10_ffff).filter(|&code| char::from_u32(code).is_some()) {
            assert_eq!(CLASSES.of(code), expected[code as usize], "U+{code:04X}");
            assert!(code > 127 || CLASSES.of_ascii(code as u8) == expected[code as usize]);
        }
    }

    /// Writes `class_runs.rs` anew, for a new version of the library:
    /// `cargo test -p malmoi-shards write_class_runs -- --ignored`.
    #[test]
    #[ignore = "writes a source file"]
    fn write_class_runs() {
        use std::fmt::Write as _;
        let expected = expected();
        let mut source = String::from(
            "//! Written by the test `write_class_runs`: where a class begins (code point shifted left by 8) and\n//! its flags, up to the next entry.\n\npub(super) const RUNS: &[u32] = &[\n",
        );
        let mut line = String::new();
        for code in 0..expected.len() {
            if code == 0 || expected[code] != expected[code - 1] {
                let entry = format!("0x{:x},", code << 8 | expected[code] as usize);
                if line.len() + entry.len() > 130 {
                    writeln!(source, "    {}", line.trim_end()).unwrap();
                    line.clear();
                }
                line += &entry;
                line.push(' ');
            }
        }
        writeln!(source, "    {}\n];", line.trim_end()).unwrap();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tokenizer/engine/class_runs.rs"), source).unwrap();
    }
}
