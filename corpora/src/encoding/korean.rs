//! Korean in EUC-KR or CP949, recognized by its syllables even where some bytes are damaged.

/// The most frequent syllables of running Korean text, as KS X 1001 codes: 이다는을의에가고지하
/// 기도한로사어자나리시 ... They are about half of any Korean text and a few percent of anything else.
const FREQUENT: &str = "이다는을의에가고지하기도한로사어자나리시은서를인대해수아그게라일보전정만있것제으과내부구여주성들상장스";

/// How many bytes of CP949 agree with being Korean.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Syllables of KS X 1001 and those that CP949 adds.
    hangul: u64,
    frequent: u64,
    /// Hanja, and codes of no character.
    other: u64,
    /// Symbols, kana, jamo and letters that fill two bytes.
    symbols: u64,
    bad: u64,
}

/// Whether bytes that are not UTF-8 are Korean in CP949.
pub(super) fn is_korean(bytes: &[u8]) -> bool {
    let counts = count(bytes);
    let characters = counts.hangul + counts.other + counts.symbols;
    // Chinese in GB2312 has two thirds of its characters where Hangul is, but hardly the frequent
    // ones; Japanese in EUC-JP has half of its where symbols are.
    counts.hangul >= 2
        && (counts.bad * 20 <= characters || (counts.bad <= 3 && counts.hangul >= 8))
        && counts.other * 5 <= characters
        && counts.hangul * 10 >= characters * 6
        && counts.frequent * 100 >= counts.hangul * 15
}

/// Whether a syllable is one of the most frequent.
pub(crate) fn is_frequent_syllable(syllable: char) -> bool {
    FREQUENT.contains(syllable)
}

fn count(bytes: &[u8]) -> Counts {
    let frequent = frequent();
    let mut counts = Counts::default();
    let mut at = 0;
    while at < bytes.len() {
        let lead = bytes[at];
        if matches!(lead, 0x80 | 0xff) {
            // No half of anything. Inside of a character it would shift all that follow to the next space.
            (counts.bad, at) = (counts.bad + 1, at + 1);
            continue;
        }
        let stray = bytes[at + 1..].iter().take_while(|byte| lead > 0x80 && matches!(byte, 0x80 | 0xff)).count();
        (counts.bad, at) = (counts.bad + stray as u64, at + stray);
        let Some(&trail) = bytes.get(at + 1) else {
            counts.bad += u64::from(lead >= 0x80);
            break;
        };
        at += match (lead, trail) {
            (0..=0x7f, _) => 1,
            (0xb0..=0xc8, 0xa1..=0xfe) => {
                counts.hangul += 1;
                counts.frequent += u64::from(frequent.binary_search(&[lead, trail]).is_ok());
                2
            }
            // CP949 puts the other 8,822 syllables around KS X 1001: rare ones, such as 똠 and 쌰.
            (0x81..=0xa0, 0x41..=0x5a | 0x61..=0x7a | 0x81..=0xfe) | (0xa1..=0xc6, 0x41..=0x5a | 0x61..=0x7a | 0x81..=0xa0) => {
                counts.other += 1;
                2
            }
            (0xa1..=0xac, 0xa1..=0xfe) => {
                counts.symbols += 1;
                2
            }
            (0xad..=0xaf | 0xc9..=0xfe, 0xa1..=0xfe) => {
                counts.other += 1;
                2
            }
            _ => {
                counts.bad += 1;
                1
            }
        };
    }
    counts
}

fn frequent() -> &'static [[u8; 2]] {
    static CODES: std::sync::OnceLock<Vec<[u8; 2]>> = std::sync::OnceLock::new();
    CODES.get_or_init(|| {
        let (bytes, _, _) = encoding_rs::EUC_KR.encode(FREQUENT);
        let mut codes: Vec<[u8; 2]> = bytes.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    })
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_JP, EUC_KR, GB18030, SHIFT_JIS};

    use super::*;

    #[test]
    fn korean_is_and_its_neighbours_are_not() {
        let korean = "동해 물과 백두산이 마르고 닳도록 하느님이 보우하사 우리나라 만세";
        let japanese = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。";
        let chinese = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。";
        assert!(is_korean(&EUC_KR.encode(korean).0));
        assert!(is_korean(&EUC_KR.encode("펲시콜라를 마시는 똠방각하").0));
        assert!(!is_korean(&EUC_JP.encode(japanese).0));
        assert!(!is_korean(&SHIFT_JIS.encode(japanese).0));
        assert!(!is_korean(&GB18030.encode(chinese).0));
        assert!(!is_korean(b"plain") && !is_korean(b"") && !is_korean(b"caf\xe9 \xc9t\xe9"));
    }

    #[test]
    fn a_bad_byte_does_not_hide_it() {
        let mut bytes = EUC_KR.encode("동해 물과 백두산이 마르고 닳도록 하느님이 보우하사 우리나라 만세").0.into_owned();
        bytes.insert(14, 0xff);
        bytes.insert(15, b' ');
        assert!(is_korean(&bytes));
    }

    #[test]
    fn nor_does_one_anywhere_in_a_sentence() {
        let text = EUC_KR.encode("정말재미있게봤습니다 배우들연기가 최고였어요").0;
        for at in 0..=text.len() {
            for stray in [0xff, 0x80] {
                let mut bytes = text.to_vec();
                bytes.insert(at, stray);
                assert!(is_korean(&bytes), "{stray:x} at {at}");
            }
        }
    }
}
