//! Punycode (RFC 3492): the letters of a domain's name that is written in ASCII.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;

/// The label that `xn--` and this stand for; none where it is no Punycode of a label with other letters than those of ASCII.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let (plain, digits) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    // No label of a name is longer, and each letter goes into a place of its own.
    if digits.is_empty() || encoded.len() > 63 || !plain.is_ascii() {
        return None;
    }
    let mut out: Vec<char> = plain.chars().collect();
    let (mut code, mut place, mut bias, mut digits) = (0x80_u32, 0_u32, 72, digits.bytes());
    while digits.len() > 0 {
        let before = place;
        let (mut weight, mut k) = (1_u32, BASE);
        loop {
            let digit = match digits.next()? {
                byte @ b'a'..=b'z' => u32::from(byte - b'a'),
                byte @ b'A'..=b'Z' => u32::from(byte - b'A'),
                byte @ b'0'..=b'9' => u32::from(byte - b'0') + 26,
                _ => return None,
            };
            place = place.checked_add(digit.checked_mul(weight)?)?;
            let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            k += BASE;
        }
        let count = out.len() as u32 + 1;
        bias = adapted(place - before, count, before == 0);
        code = code.checked_add(place / count)?;
        place %= count;
        out.insert(place as usize, char::from_u32(code)?);
        place += 1;
    }
    Some(out.into_iter().collect())
}

fn adapted(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Python 3.11's `punycode` codec encodes them.
    #[test]
    fn what_others_encode_is_decoded() {
        for (encoded, text) in [
            ("3e0b707e", "한국"),
            ("9n2bp8q", "실례"),
            ("9t4b11yi5a", "테스트"),
            ("989aomq8pqa315adwd4tcb3t59ah2z2pe0jz90n", "세계의모든사람들이한국어를"),
            ("o39aaaaaaaaaaaaaaaaaaaa", "가가가가가가가가가가가가가가가가가가가가"),
            ("ab-xu4a2566cnetb", "ㅋ한a글b"),
            ("bcher-kva", "bücher"),
            ("fiq228cl8q", "中文網"),
            ("80aafi6cg", "правда"),
        ] {
            assert_eq!(decode(encoded).as_deref(), Some(text));
            assert_eq!(decode(&encoded.to_uppercase()).map(|upper| upper.to_lowercase()).as_deref(), Some(text));
        }
        // Cut off, nothing but ASCII, no digits of it, beyond Unicode, and longer than a label.
        for none in ["3e0b707", "abc-", "", "-", "3e0b_707e", "99999999", &"a".repeat(64)] {
            assert_eq!(decode(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn nothing_overflows(encoded in "[a-z0-9-]{0,70}") {
            if let Some(text) = decode(&encoded) {
                prop_assert!(!text.is_ascii() && text.chars().count() <= encoded.len());
            }
        }
    }
}
