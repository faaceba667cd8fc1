//! ISO-2022-KR (RFC 1557): KS X 1001 in seven bits, as Korean mail was sent. The WHATWG, and encoding_rs with it, reads it
//! as one error, because pages could hide markup in it; in a corpus it is text.
//!
//! `ESC $ ) C` says at the beginning that there will be some, SO switches to pairs of bytes and SI back. With its high
//! bits set such a pair is EUC-KR, so that is what the bytes become.

use memchr::memmem;

/// Says that shifted bytes are KS X 1001.
pub(super) const DESIGNATOR: &[u8] = b"\x1b$)C";
const SHIFT_OUT: u8 = 0x0e;
const SHIFT_IN: u8 = 0x0f;

/// The bytes of EUC-KR that ISO-2022-KR stands for.
pub(super) struct Unshifted {
    pub(super) bytes: Vec<u8>,
    /// Where a run of bytes begins here, and where it began.
    runs: Vec<(usize, usize)>,
}

/// Whether the bytes are in seven bits and say that they switch to Korean; what they decode to is not looked at.
pub(super) fn is_shifted(bytes: &[u8]) -> bool {
    memmem::find(bytes, DESIGNATOR).is_some_and(|at| memchr::memchr(SHIFT_OUT, &bytes[at..]).is_some()) && bytes.is_ascii()
}

impl Unshifted {
    /// Switches off all shifts; a line that ends without SI ends its shift, too.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut out = Self { bytes: Vec::with_capacity(bytes.len()), runs: Vec::new() };
        let (mut at, mut shifted, mut skipped) = (0, false, true);
        while at < bytes.len() {
            let rest = &bytes[at..];
            let control = match rest[0] {
                SHIFT_OUT | SHIFT_IN => 1,
                _ if rest.starts_with(DESIGNATOR) => DESIGNATOR.len(),
                _ => 0,
            };
            if control > 0 {
                shifted = if control == 1 { rest[0] == SHIFT_OUT } else { shifted };
                (at, skipped) = (at + control, true);
                continue;
            }
            if std::mem::take(&mut skipped) {
                out.runs.push((out.bytes.len(), at));
            }
            shifted &= rest[0] != b'\n';
            let high = shifted && (0x21..=0x7e).contains(&rest[0]);
            out.bytes.push(if high { rest[0] | 0x80 } else { rest[0] });
            at += 1;
        }
        out
    }

    /// Where a byte came from.
    pub(super) fn origin(&self, at: u64) -> u64 {
        let run = self.runs.partition_point(|(here, _)| *here as u64 <= at).checked_sub(1).map(|run| self.runs[run]);
        run.map_or(at, |(here, there)| at - here as u64 + there as u64)
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_KR, UTF_8};
    use proptest::prelude::*;

    use super::super::{decode, decode_any, encoding};
    use super::*;

    /// As Python 3.11 encodes it in `iso2022_kr`.
    const TEXT: &str = "모든 인간은 태어날 때부터 자유롭다.\nHello, 세계!";
    const BYTES: &[u8] = b"\x1b$)C\x0e8p5g\x0f \x0e@N0#@:\x0f \x0eEB>n3/\x0f \x0e6':NEM\x0f \x0e@Z@/7S4Y\x0f.\nHello, \x0e<<0h\x0f!";

    #[test]
    fn mail_of_python_is_read() {
        let decoded = decode_any(BYTES, None);
        assert_eq!((&*decoded.text, decoded.encoding, decoded.bad_bytes), (TEXT, EUC_KR, 0));
        assert_eq!(encoding("ISO-2022-KR"), Some(EUC_KR));
        assert_eq!(decode_any(BYTES, encoding("iso-2022-kr")).text, TEXT);
        assert_eq!(decode(BYTES, EUC_KR).text, TEXT);
    }

    #[test]
    fn what_is_damaged_costs_itself() {
        let text = |bytes: &[u8]| {
            let decoded = decode(bytes, EUC_KR);
            (decoded.text.into_owned(), decoded.bad_bytes, decoded.first_bad)
        };
        // Without SI a shift ends with its line; without a second byte a character is none; a second designator says nothing new.
        assert_eq!(text(b"\x1b$)C\x0e8p5g\nabc"), ("모든\nabc".into(), 0, None));
        assert_eq!(text(b"a\x1b$)C\x0e8p5\x0f!"), ("a모\u{fffd}!".into(), 1, Some(8)));
        assert_eq!(text(b"\x1b$)C\x0e8p\x1b$)C5g\x0f\x0f"), ("모든".into(), 0, None));
        assert_eq!(text(b"\x1b$)C\x0e8p"), ("모".into(), 0, None));
        assert_eq!(text(b"\x1b$)C\x0e"), (String::new(), 0, None));
        // What does not say so, or has eight bits, is not shifted.
        for bytes in [b"\x0e8p5g\x0f".as_slice(), b"8p\x0e5g \x1b$)C", b"\x1b$)C 8p5g"] {
            assert_eq!(decode_any(bytes, None).encoding, UTF_8, "{bytes:?}");
        }
        assert!(!is_shifted(b"\x1b$)C\x0e8p5g\xb0\xa1"));
        // Noise behind a designator is not taken for Korean, whatever declares it.
        let noise: Vec<u8> =
            DESIGNATOR.iter().copied().chain((0..400).flat_map(|at| [SHIFT_OUT, b'!' + (at * 7 % 90) as u8, b' '])).collect();
        assert_eq!(decode_any(&noise, encoding("iso-2022-kr")).encoding, UTF_8);
    }

    proptest! {
        #[test]
        fn text_of_ks_x_1001_comes_back(text in "[ -~\n가각간漢字「」ㄱㅋ한글나라말]{0,60}") {
            let mut bytes = DESIGNATOR.to_vec();
            let mut inside = false;
            for byte in EUC_KR.encode(&text).0.iter() {
                if (*byte >= 0x80) != inside {
                    inside = !inside;
                    bytes.push(if inside { SHIFT_OUT } else { SHIFT_IN });
                }
                bytes.push(byte & 0x7f);
            }
            prop_assume!(is_shifted(&bytes));
            prop_assert_eq!(decode(&bytes, EUC_KR).text, text);
        }

        #[test]
        fn any_bytes_are_read_and_places_lie_within(bytes in proptest::collection::vec(proptest::sample::select(b"\x1b$)C\x0e\x0f\n 8p5g".to_vec()), 0..80)) {
            let bytes = [DESIGNATOR, &[SHIFT_OUT], &bytes].concat();
            let decoded = decode(&bytes, EUC_KR);
            prop_assert!(decoded.bad_bytes <= bytes.len() as u64);
            prop_assert!(decoded.first_bad.is_none_or(|at| at < bytes.len() as u64 && bytes[at as usize].is_ascii_graphic()));
        }
    }
}
