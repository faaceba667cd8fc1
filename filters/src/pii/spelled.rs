//! Mobile numbers whose writer hid them: `공일공-일이삼사-오육칠팔`, `O1O-1234-5678`, `010_1234_5678`.

use super::groups::{Gap, Group, ascii_at, is_free_before, is_free_behind, separator_at};
use super::place::is_file;

/// Digits as they are read aloud.
const HANGUL: [(&str, u8); 12] =
    [("공", 0), ("영", 0), ("일", 1), ("이", 2), ("삼", 3), ("사", 4), ("오", 5), ("육", 6), ("륙", 6), ("칠", 7), ("팔", 8), ("구", 9)];

/// Most digits of a mobile number.
const MAX_DIGITS: usize = 11;

/// How a digit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Plain,
    /// `O` for 0, `l` for 1.
    Latin,
    Hangul,
    /// `①`, or a digit on a key (`1️⃣`).
    Framed,
}

/// The digits of a number and what stands between them.
#[derive(Default)]
struct Number {
    values: [u8; MAX_DIGITS],
    count: usize,
    plain: usize,
    hangul: usize,
    latin: usize,
    /// Of letters for digits, those behind the first three.
    late_latin: usize,
    /// A bit for each digit before which something stands.
    gaps: u16,
    /// The sign of all gaps, when it is one that no number is usually divided by.
    odd: Option<u8>,
    /// Gaps with that sign.
    odd_gaps: usize,
    end: usize,
}

/// The hidden number that begins with this group of plain digits, or with letters before it: `O1O`, `OlO-1234`.
pub(super) fn around(bytes: &[u8], floor: usize, group: &Group) -> Option<(usize, usize)> {
    let at = group.start;
    let start = match (group.digits(), &bytes[floor..at]) {
        ([0, 1, ..], _) => at,
        // `0l0`, `0일0`, a key.
        ([0], _) if matches!(bytes.get(group.end), Some(b'l' | b'I' | 0xE2 | 0xEC | 0xEF)) => at,
        ([1, ..], [.., b'O' | b'o']) => at - 1,
        ([1, ..], [.., 0xEA, 0xB3, 0xB5] | [.., 0xEC, 0x98, 0x81]) => at - "공".len(),
        ([_, _, _, _], [.., b'O' | b'o', b'l' | b'I', b'O' | b'o', b'-' | b'.' | b' ' | b'_']) => at - "OlO-".len(),
        _ => return None,
    };
    at_start(bytes, start)
}

/// The number that begins at `start`. Only numbers that are 10 or 11 digits of a mobile one count, divided where
/// mobile numbers are, and hidden in some way: others are for `phone`.
pub(super) fn at_start(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut number = Number { end: start, ..Number::default() };
    let mut last = Written::Plain;
    while number.count < MAX_DIGITS {
        let (gap, next) = if number.count == 0 { (None, start) } else { gap(bytes, number.end) };
        let Some((value, written, length)) = digit_at(bytes, next) else { break };
        // `010-1234 5678` of ten digits would take a digit of the next number.
        if number.count == 10 && number.values[2] != 0 && next > number.end {
            break;
        }
        number.push(value, written, next > number.end, gap);
        number.end = next + length;
        last = written;
    }
    let end = number.end;
    let behind = match last {
        // `오육칠팔이구요`: a particle may look like two digits.
        Written::Hangul => !(0..3).all(|nth| hangul_at(bytes, end + 3 * nth).is_some()) && !follows_digit(bytes, end),
        _ => is_free_behind(bytes, end),
    };
    let longer = hangul_at(bytes, start).is_some() && start.checked_sub(3).is_some_and(|at| hangul_at(bytes, at).is_some());
    let before = is_free_before(bytes, start) && !longer;
    (before && behind && number.is_mobile() && number.is_hidden(bytes, start) && !is_file(&bytes[end..])).then_some((start, end))
}

impl Number {
    fn push(&mut self, value: u8, written: Written, apart: bool, odd: Option<u8>) {
        self.values[self.count] = value;
        self.gaps |= u16::from(apart) << self.count;
        match written {
            Written::Plain => self.plain += 1,
            Written::Hangul => self.hangul += 1,
            Written::Latin => (self.latin, self.late_latin) = (self.latin + 1, self.late_latin + usize::from(self.count >= 3)),
            Written::Framed => {}
        }
        if odd.is_some() {
            self.odd_gaps += usize::from(self.odd.is_none() || self.odd == odd);
            self.odd = odd;
        }
        self.count += 1;
    }

    fn is_mobile(&self) -> bool {
        let length = match self.values {
            [0, 1, 0, ..] => self.count == 11,
            [0, 1, 1 | 6..=9, ..] => matches!(self.count, 10 | 11),
            _ => false,
        };
        let divided = (1 << 3) | (1 << (self.count - 4));
        // Aloud, each digit may stand apart.
        let read = self.hangul == self.count && self.gaps == (1 << self.count) - 2;
        length && (self.gaps & !divided == 0 || read)
    }

    fn is_hidden(&self, bytes: &[u8], start: usize) -> bool {
        if self.plain == self.count {
            let Some(sign) = self.odd else { return false };
            let listed = |at: usize| bytes.get(at) == Some(&sign) && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            let behind_list = start >= 2 && bytes[start - 1] == sign && bytes[start - 2].is_ascii_digit();
            return self.values[2] == 0 && self.odd_gaps == 2 && self.gaps.count_ones() == 2 && !listed(self.end) && !behind_list;
        }
        // `l` and `O` stand in words and codes: most must be digits, and the rest divided.
        self.latin == 0 || (self.plain >= 6 && self.hangul == 0 && (self.late_latin == 0 || self.gaps.count_ones() == 2))
    }
}

/// The digit at `at`, how it is written, and its length.
fn digit_at(bytes: &[u8], at: usize) -> Option<(u8, Written, usize)> {
    match ascii_at(bytes, at) {
        Some((digit @ b'0'..=b'9', length)) => {
            // A key: variation selector and enclosing keycap.
            let key = ["\u{FE0F}\u{20E3}", "\u{20E3}"].into_iter().find(|key| bytes[at + length..].starts_with(key.as_bytes()));
            let written = if key.is_some() { Written::Framed } else { Written::Plain };
            Some((digit - b'0', written, length + key.map_or(0, str::len)))
        }
        Some((b'O' | b'o', length)) => Some((0, Written::Latin, length)),
        Some((b'l' | b'I', length)) => Some((1, Written::Latin, length)),
        Some(_) => None,
        None => hangul_at(bytes, at).map(|digit| (digit, Written::Hangul, 3)).or_else(|| circled_at(bytes, at)),
    }
}

fn hangul_at(bytes: &[u8], at: usize) -> Option<u8> {
    let three = bytes.get(at..at + 3)?;
    HANGUL.iter().find(|(syllable, _)| syllable.as_bytes() == three).map(|(_, digit)| *digit)
}

/// `①` to `⑨` (U+2460), and `⓪` (U+24EA).
fn circled_at(bytes: &[u8], at: usize) -> Option<(u8, Written, usize)> {
    match bytes.get(at..at + 3)? {
        [0xE2, 0x91, last @ 0xA0..=0xA8] => Some((last - 0xA0 + 1, Written::Framed, 3)),
        [0xE2, 0x93, 0xAA] => Some((0, Written::Framed, 3)),
        _ => None,
    }
}

fn follows_digit(bytes: &[u8], at: usize) -> bool {
    matches!(ascii_at(bytes, at), Some((b'0'..=b'9', _)))
}

/// Where the next digit would begin behind up to three signs that divide a number, and the odd one among them:
/// `_`, `~`, `*`, `=`, `/`, a sign like `★` or `…`, or a dot with a space.
fn gap(bytes: &[u8], at: usize) -> (Option<u8>, usize) {
    let (mut next, mut odd, mut dot) = (at, None, false);
    for _ in 0..3 {
        match (separator_at(bytes, next), bytes.get(next)) {
            (Some((Gap::Space, length)), _) => {
                odd = if dot && odd.is_none() { Some(b'.') } else { odd };
                next += length;
            }
            (Some((gap, length)), _) => (dot, next) = (gap == Gap::Dot, next + length),
            (None, Some(sign @ (b'_' | b'~' | b'*' | b'=' | b'/'))) => (odd, next) = (Some(*sign), next + 1),
            // U+2000 to U+2BFF, but for digits in circles.
            (None, Some(sign @ 0xE2)) if circled_at(bytes, next).is_none() => (odd, next) = (Some(*sign), next + 3),
            _ => break,
        }
    }
    (odd, next)
}
