//! Encodings: bytes as text, with what they were encoded in and how many of them were not.
//!
//! What decides, in this order:
//! 1. a byte order mark (UTF-8, UTF-16LE, UTF-16BE);
//! 2. UTF-16 without a mark, by the zero bytes of its spaces and line ends;
//! 3. strict UTF-8, whatever the page declares;
//! 4. UTF-8 with fewer damaged places than characters of several bytes;
//! 5. what the page declares (HTTP header, `<meta charset>`, XML declaration), where the bytes
//!    agree; another encoding is not believed over bytes that are Korean;
//! 6. Korean by its syllables, which one bad byte does not hide;
//! 7. the statistics of chardetng, on the whole text and then on pieces of it.
//!
//! Names are those of the WHATWG: `EUC-KR` is CP949 (UHC), its superset, and `windows-1252` is
//! Latin-1. ISO-2022-KR, the seven-bit form of mail, is read as `EUC-KR`. Johab (for which there is no maintained library),
//! EUC-TW, UTF-7 and UTF-32 are unknown. A text of a few legacy bytes can be
//! anybody's: below about ten Korean syllables detection is a guess.

mod declared;
mod detect;
mod iso2022kr;
mod korean;

use std::borrow::Cow;

use encoding_rs::{DecoderResult, EUC_KR, Encoding, UTF_8};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use declared::{http_charset, in_markup};
pub use detect::detect;
pub(crate) use korean::is_frequent_syllable;

/// How a source's bytes become text: the `encoding` of a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Found out for each file or page. Bytes that do not fit are replaced and counted.
    Auto,
    /// One encoding for all files; bytes that do not fit are for `encoding-errors`.
    Named(&'static Encoding),
}

/// A text that was bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The text, without a byte order mark.
    pub text: Cow<'a, str>,
    /// What the bytes were encoded in.
    pub encoding: &'static Encoding,
    /// How many bytes were not, and became U+FFFD.
    pub bad_bytes: u64,
    /// Offset of the first of them.
    pub first_bad: Option<u64>,
}

/// The encoding of a label, of the WHATWG or as Korean and Japanese software writes it: `cp949`,
/// `uhc`, `euc-kr`, `iso-2022-kr`, `cp932`, `latin1`, `utf-16le`.
pub fn encoding(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let label = match label.as_str() {
        "cp949" | "cp-949" | "ms949" | "949" | "uhc" | "euckr" | "euc_kr" | "x-windows-949" | "ks_c_5601" | "ksc5601-1987"
        | "iso-2022-kr" | "csiso2022kr" => "euc-kr",
        "cp932" | "cp-932" => "shift_jis",
        "cp936" | "cp-936" => "gbk",
        "cp950" | "cp-950" => "big5",
        "utf_8" => "utf-8",
        other => other,
    };
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// Decodes bytes that may be of any encoding; `declared` is what came with them says they are.
///
/// ```
/// let decoded = corpora::decode_any(b"\xc7\xd1\xb1\xb9\xbe\xee\xb7\xce \xbe\xb2\xc0\xcc\xb4\xc2 \xb1\xdb\xc0\xcc\xb4\xd9", None);
/// assert_eq!((&*decoded.text, decoded.encoding.name(), decoded.bad_bytes), ("한국어로 쓰이는 글이다", "EUC-KR", 0));
/// ```
pub fn decode_any<'a>(bytes: &'a [u8], declared: Option<&'static Encoding>) -> Decoded<'a> {
    decode(bytes, detect(bytes, declared))
}

/// Decodes bytes of a known encoding; a byte order mark of that encoding is passed over.
pub fn decode<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Decoded<'a> {
    if encoding == EUC_KR && iso2022kr::is_shifted(bytes) {
        let unshifted = iso2022kr::Unshifted::new(bytes);
        let Decoded { text, bad_bytes, first_bad, .. } = decode(&unshifted.bytes, encoding);
        let first_bad = first_bad.map(|at| unshifted.origin(at));
        return Decoded { text: text.into_owned().into(), encoding, bad_bytes, first_bad };
    }
    let mark = match Encoding::for_bom(bytes) {
        Some((marked, length)) if marked == encoding => length,
        _ => 0,
    };
    let body = &bytes[mark..];
    let whole = |text| Decoded { text, encoding, bad_bytes: 0, first_bad: None };
    match encoding.decode_without_bom_handling_and_without_replacement(body) {
        Some(text) => whole(text),
        None if encoding == UTF_8 => replaced_utf8(body, mark),
        None => replaced(body, mark, encoding),
    }
}

fn replaced_utf8(bytes: &[u8], mark: usize) -> Decoded<'static> {
    let mut decoded = Decoded { text: Cow::Borrowed(""), encoding: UTF_8, bad_bytes: 0, first_bad: None };
    let mut text = String::with_capacity(bytes.len() + 16);
    let mut at = mark;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            text.push('\u{fffd}');
            decoded.first_bad.get_or_insert(at as u64);
            decoded.bad_bytes += chunk.invalid().len() as u64;
            at += chunk.invalid().len();
        }
    }
    decoded.text = text.into();
    decoded
}

fn replaced(bytes: &[u8], mark: usize, encoding: &'static Encoding) -> Decoded<'static> {
    let mut decoded = Decoded { text: Cow::Borrowed(""), encoding, bad_bytes: 0, first_bad: None };
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 2 + 16);
    let mut read = 0;
    loop {
        let (result, taken) = decoder.decode_to_string_without_replacement(&bytes[read..], &mut text, true);
        read += taken;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => text.reserve((bytes.len() - read).max(64)),
            DecoderResult::Malformed(length, after) => {
                let start = read.saturating_sub(usize::from(length) + usize::from(after));
                decoded.first_bad.get_or_insert((mark + start) as u64);
                decoded.bad_bytes += u64::from(length).max(1);
                text.reserve(3); // may be more than the decoder's own estimate
                text.push('\u{fffd}');
            }
        }
    }
    decoded.text = text.into();
    decoded
}

/// Whether the beginning of a file says that its lines switch to Korean (ISO-2022-KR).
pub(crate) fn is_shifted(head: &[u8]) -> bool {
    iso2022kr::is_shifted(head)
}

/// A line of such a file, if it does; the file said so only once.
pub(crate) fn decode_shifted(line: &[u8]) -> Option<Decoded<'static>> {
    let bytes = [iso2022kr::DESIGNATOR, line].concat();
    iso2022kr::is_shifted(&bytes).then(|| {
        let Decoded { text, encoding, bad_bytes, first_bad } = decode(&bytes, EUC_KR);
        let first_bad = first_bad.map(|at| at.saturating_sub(iso2022kr::DESIGNATOR.len() as u64));
        Decoded { text: text.into_owned().into(), encoding, bad_bytes, first_bad }
    })
}

/// Whether a text is what decoding made of something else: archives, images, programs. One
/// control character in ten or a NUL byte in a hundred is more than any writing has.
pub(crate) fn looks_binary(text: &str) -> bool {
    let (mut characters, mut controls, mut zeros) = (0_u64, 0_u64, 0_u64);
    for character in text.chars() {
        characters += 1;
        zeros += u64::from(character == '\0');
        controls += u64::from(matches!(character, '\0'..='\x08' | '\x0e'..='\x1f' | '\x7f'..='\u{9f}' | '\u{fffd}'));
    }
    zeros * 100 > characters || controls * 10 > characters
}

impl Charset {
    /// Strict UTF-8.
    pub const UTF_8: Self = Self::Named(UTF_8);

    /// As a recipe writes it.
    pub fn name(self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Named(encoding) => encoding.name().to_ascii_lowercase(),
        }
    }
}

impl<'de> Deserialize<'de> for Charset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        if label == "auto" {
            return Ok(Self::Auto);
        }
        encoding(&label).map(Self::Named).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "unknown encoding `{label}`, expected `auto` or a label such as `utf-8`, `cp949`, `utf-16le`, `windows-1252`"
            ))
        })
    }
}

impl Serialize for Charset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

#[cfg(test)]
mod tests;
