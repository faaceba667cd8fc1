//! Detection: which encoding bytes are most likely in.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{EUC_KR, Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use super::iso2022kr;
use super::korean::is_korean;

/// Bytes that the statistics look at, from the first one that is not ASCII.
const SAMPLE: usize = 1 << 18;
/// Length of the pieces that vote where the whole has no clear answer.
const PIECE: usize = 1 << 10;
/// Bytes of Korean, half as many syllables, that speak against any other declaration.
const ENOUGH: usize = 40;

/// The encoding that bytes are in; `declared` is what came with them says.
///
/// A pure function: the same bytes give the same answer. UTF-8 that is valid is never taken for
/// anything else, but for a page of at most a few two-byte characters that declares a legacy
/// encoding in which they are valid, too.
pub fn detect(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    if let Some((marked, _)) = Encoding::for_bom(bytes) {
        return marked;
    }
    if let Some(wide) = utf_16(bytes) {
        return wide;
    }
    let utf8 = Utf8::of(bytes);
    if utf8.bad == 0 {
        return match declared {
            _ if utf8.long + utf8.short == 0 && is_iso_2022_jp(bytes) => ISO_2022_JP,
            _ if utf8.long + utf8.short == 0 && is_iso_2022_kr(bytes) => EUC_KR,
            Some(declared) if utf8.is_doubtful() && !declared.is_single_byte() && fits(bytes, declared) => declared,
            _ => UTF_8,
        };
    }
    // Each character of another encoding is a bad place in UTF-8, and hardly ever a good one: in CP949 one in seven.
    if utf8.bad * 4 <= utf8.long + utf8.short / 2 || (utf8.is_cut_off && utf8.bad == 1 && utf8.long + utf8.short > 0) {
        return UTF_8;
    }
    let start = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
    let sample = &bytes[start..bytes.len().min(start + SAMPLE)];
    let korean = is_korean(sample);
    let is_likely = utf8.bad <= if declared == Some(UTF_8) { utf8.long + utf8.short } else { utf8.long + utf8.short / 2 };
    if is_likely && !korean && declared.is_none_or(|declared| declared == UTF_8 || declared.is_single_byte()) {
        return UTF_8;
    }
    // A few bytes of Chinese may look Korean; not so many.
    let is_against = korean && sample.iter().filter(|byte| !byte.is_ascii()).take(ENOUGH).count() == ENOUGH;
    if let Some(declared) = declared
        && declared != UTF_8
        && fits(sample, declared)
        && !(korean && declared.is_single_byte() || is_against)
    {
        return declared;
    }
    if korean {
        return EUC_KR;
    }
    by_statistics(sample)
}

fn by_statistics(sample: &[u8]) -> &'static Encoding {
    let guess = guess(sample);
    if !guess.is_single_byte() && fits(sample, guess) {
        return guess;
    }
    // One bad byte rules an encoding out of the statistics, so pieces are asked as well: where
    // most of those that say anything agree on a multi-byte encoding, the whole is in it.
    let high = sample.iter().filter(|byte| !byte.is_ascii()).count();
    if high * 4 < sample.len() {
        return guess;
    }
    let (mut votes, mut pieces) = (Vec::<(&'static Encoding, usize)>::new(), 0);
    for piece in sample.chunks(PIECE).take(64).filter(|piece| !piece.is_ascii()) {
        // A piece may begin and end inside a character: it is cut to where ASCII is.
        let first = piece.iter().position(u8::is_ascii).unwrap_or(0);
        let last = piece.iter().rposition(u8::is_ascii).map_or(piece.len(), |at| at + 1);
        let vote = self::guess(&piece[first..last.max(first)]);
        pieces += 1;
        match votes.iter_mut().find(|(encoding, _)| *encoding == vote) {
            Some((_, count)) => *count += 1,
            None => votes.push((vote, 1)),
        }
    }
    let best = votes.iter().filter(|(encoding, _)| !encoding.is_single_byte()).max_by_key(|(_, count)| *count);
    match best {
        Some((encoding, count)) if count * 2 > pieces && fits(sample, encoding) => encoding,
        _ => guess,
    }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether hardly any character is damaged when read so.
fn fits(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count() as u64;
    super::decode(bytes, encoding).bad_bytes * 40 <= high.max(40)
}

/// UTF-16 without a mark: zero bytes at even places only (big endian) or at odd ones only, and
/// hardly any lone surrogate or control character.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE) & !1];
    memchr::memchr(0, sample)?;
    // `가`, `대`, `저`, `一` and `─` have a zero byte at the other place: what could be half of one says nothing.
    let counts = |zero: u8, other: u8| usize::from(zero == 0 && other < 0x4e && !matches!(other, 0x25 | 0x30));
    let mut zeros = [0_usize; 2];
    for [first, second] in sample.as_chunks::<2>().0 {
        zeros[0] += counts(*first, *second);
        zeros[1] += counts(*second, *first);
    }
    let encoding = match zeros {
        [few, many] if few * 50 <= many => UTF_16LE,
        [many, few] if few * 50 <= many => UTF_16BE,
        _ => return None,
    };
    // Spaces and line ends are more than 2 % of any writing.
    if zeros[0].max(zeros[1]) * 100 < sample.len() {
        return None;
    }
    let decoded = super::decode(sample, encoding);
    let (mut characters, mut strange) = (0_usize, 0_usize);
    for character in decoded.text.chars() {
        characters += 1;
        let control = character.is_control() && !matches!(character, '\n' | '\r' | '\t');
        strange += usize::from(control || matches!(character, '\u{fffd}' | '\u{e000}'..='\u{f8ff}'));
    }
    (strange * 50 <= characters).then_some(encoding)
}

/// Whether 7-bit bytes switch to Japanese characters and back, as mail does.
fn is_iso_2022_jp(bytes: &[u8]) -> bool {
    let switches = [b"\x1b$B".as_slice(), b"\x1b$@"].iter().any(|escape| memchr::memmem::find(bytes, escape).is_some());
    switches && super::decode(bytes, ISO_2022_JP).bad_bytes == 0
}

/// The same for Korean, where hardly any pair is none.
fn is_iso_2022_kr(bytes: &[u8]) -> bool {
    iso2022kr::is_shifted(bytes) && {
        let bytes = iso2022kr::Unshifted::new(bytes).bytes;
        bytes.iter().any(|byte| !byte.is_ascii()) && fits(&bytes, EUC_KR)
    }
}

/// How far bytes are UTF-8.
struct Utf8 {
    /// Characters of two bytes, which two bytes of any encoding may happen to be.
    short: usize,
    /// Characters of three and four.
    long: usize,
    /// Places that are none.
    bad: usize,
    /// Whether the last of those is the beginning of a character, at the end of the bytes.
    is_cut_off: bool,
}

impl Utf8 {
    fn of(bytes: &[u8]) -> Self {
        let mut found = Self { short: 0, long: 0, bad: 0, is_cut_off: false };
        for chunk in bytes.utf8_chunks() {
            for byte in chunk.valid().bytes() {
                found.short += usize::from((0xc2..=0xdf).contains(&byte));
                found.long += usize::from(byte >= 0xe0);
            }
            let invalid = chunk.invalid();
            found.bad += usize::from(!invalid.is_empty());
            found.is_cut_off = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        }
        found
    }

    fn is_doubtful(&self) -> bool {
        self.long == 0 && (1..=4).contains(&self.short)
    }
}
