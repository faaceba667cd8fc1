//! The splitting patterns that the engine knows by heart.
//!
//! A tokenizer.json carries its pattern as a regular expression. Each known one is a [`Rules`],
//! which `scan` follows without a regular expression engine; any other is left to the library.

/// What a word may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// ` ?\p{L}+`
    AfterSpace,
    /// `[^\r\n\p{L}\p{N}]?\p{L}+`
    AfterMark,
    /// `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`
    WithMarks,
    /// Upper case before lower case: `[^\r\n\p{L}\p{N}]?[\p{Lu}…\p{M}]*[\p{Ll}…\p{M}]+` and so on.
    ByCase,
    /// After a sign of ASCII or white space: ``[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+``
    AfterSign,
}

/// Where an English contraction (`'s`, `'ll`) is split off or joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contractions {
    /// A pre-token of its own, in lower case only.
    Lower,
    /// A pre-token of its own, in any case.
    AnyCase,
    /// The end of the word before it, in any case.
    Suffix,
    /// Nothing special.
    None,
}

/// What a text is split at before the pattern sees the pieces one by one, as texts of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stops {
    /// Nothing.
    None,
    /// Each digit is a piece, as the pre-tokenizer `Digits` has it.
    Digit,
    /// Each run of digits is one.
    Digits,
    /// Up to three digits are one, and so is a run of Han and kana: `\p{N}{1,3}`, then `[一-龥぀-ゟ゠-ヿ]+`.
    DigitsAndKana,
}

/// A splitting pattern, as the choices in which the known ones differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) words: Words,
    pub(crate) contractions: Contractions,
    /// Most digits in a pre-token.
    pub(crate) digits: usize,
    /// Bytes that may follow a run of marks: `[\r\n]*`, `[\r\n/]*` or none.
    pub(crate) tail: &'static [u8],
    /// `\s*[\r\n]+` before the other rules on white space.
    pub(crate) breaks: bool,
    pub(crate) stops: Stops,
}

/// GPT-2's pattern, which `ByteLevel` with `use_regex` applies.
pub(crate) const GPT2: Rules =
    Rules { words: Words::AfterSpace, contractions: Contractions::Lower, digits: usize::MAX, tail: b"", breaks: false, stops: Stops::None };

const QWEN2: Rules =
    Rules { words: Words::AfterMark, contractions: Contractions::AnyCase, digits: 1, tail: b"\r\n", breaks: true, stops: Stops::None };
const LLAMA3: Rules = Rules { digits: 3, ..QWEN2 };
const QWEN3_5: Rules = Rules { words: Words::WithMarks, ..QWEN2 };
const O200K: Rules = Rules { words: Words::ByCase, contractions: Contractions::Suffix, digits: 3, tail: b"\r\n/", ..QWEN2 };
const TEKKEN: Rules = Rules { contractions: Contractions::None, digits: 1, ..O200K };

/// Every known pattern as its files spell it.
pub(crate) const KNOWN: [(&str, Rules); 6] = [
    (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", GPT2),
    (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", QWEN2),
    // cl100k and Llama 3.
    (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", LLAMA3),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        QWEN3_5,
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        O200K,
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        TEKKEN,
    ),
];

/// The patterns of DeepSeek V3, applied one after the other.
pub(crate) const DEEPSEEK: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥\u{3040}-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
];

/// The rules of patterns as a file spells them.
pub(crate) fn find(patterns: &[&str]) -> Option<Rules> {
    match patterns {
        [one] => KNOWN.iter().find(|(known, _)| known == one).map(|(_, rules)| *rules),
        _ if patterns == DEEPSEEK => {
            Some(Rules { words: Words::AfterSign, contractions: Contractions::None, digits: 3, stops: Stops::DigitsAndKana, ..QWEN2 })
        }
        _ => None,
    }
}
