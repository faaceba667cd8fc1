//! Texts that tokenizers get wrong, and alphabets to make more of.

use proptest::prelude::*;

pub(crate) const NASTY: [&str; 34] = [
    "",
    " ",
    "  ",
    "a",
    "안녕하세요. 오늘은 날씨가 좋네요 ㅋㅋㅋㅋ 정말 좋아요 ㅠㅠ\n학교에 갔다가 집에 왔다.",
    "The quick brown fox jumps over the lazy dog. It's 2024, isn't it?\r\n\r\n  Yes.",
    "fn main() {\n    let x = vec![1, 2, 3];\n\tprintln!(\"{x:?}\");\n}\n",
    "이모지 👩‍👩‍👧‍👦🇰🇷 와 한자 漢字, API를 호출한다   \n\n\t  끝",
    "   \t\n \u{a0}\u{3000}\u{200b} x\0y ",
    "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af} NFD 한글\u{302e} ㄱㄴㄷ ᄒᆞᆫ글 ힰퟻ",
    "가\u{11a8}나\u{11ab} \u{11a8}\u{1161}",
    "漢字仮名交じり文、カタカナ。々〆ヶ 繁體中文 简体中文",
    "e\u{301}\u{323} a\u{308}\u{304} \u{301}leading \u{345}\u{334}x Å Å Ω",
    "it's IT'S It'S'S 'sa 'LLama 'Re'vE'M'd'T '\u{17f} x'\u{17f} '\u{212a} 'ß 's's''s '",
    "1234567890 12 3 4567 ½ ²³ ٣٤٥ Ⅷ 一二三 12,345.678 1a2b3c x123",
    "a \u{85}b\u{85} \u{85}\u{a0} \u{a0}c\u{3000}가\u{3000}\u{3000}나\u{2028}\u{2029}d\u{180e}e\u{feff}f",
    "\r\r\n\n\r \r\n \n  \n\r a\r\nb \r\n\r\n  c",
    "\t\t\tindent\n\t\t  mixed\n  \n   \n",
    "trailing spaces   ",
    "trailing newline\n",
    "...!!!???---___ ///\n// /* */ \r\n/!/\n!\n\n/ \n/",
    "CamelCaseWORDSAndXMLHttp ÀÉî ǅungla ʰʱ ªº ẞß İı",
    "HelloWORLD helloWorld HELLOworld Aa\u{301}A\u{301} \u{301}A \u{301}\u{302}B ʰA Aʰ Aʰb 가A A가a",
    "\u{378}\u{e000}\u{fffe}\u{10ffff}\u{f0000} \u{2fa20}\u{323b0}",
    "\u{1e921}\u{1e943} \u{10400}\u{10428} 𝐀𝐛𝟎 𝼀",
    "नमस्ते दुनिया ภาษาไทย العربية עברית தமிழ் မြန်မာ ქართული ᲐᲑ Ა",
    "👍🏽👍🏿😀😃😄😁 ☺️☺ ⌚️ #️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "<|endoftext|> 는 특수 토큰이 아니다 <s></s>[INST] <think>생각</think> <tool_call>{}</tool_call>",
    "<<think>> <think <think><think></think>\u{301} </thi</think>nk>",
    "뷁뷁쀍쀓꿻뙓 뛟쒩 촳럻 갉갋갌",
    "된다.된다,된다!된다?된다…된다·된다~된다 “된다”‘된다’「된다」",
    "http://example.com/a?b=c&d=e#f user@example.kr 010-1234-5678",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
];

/// Characters of every class, those that patterns name, and neighbours of each.
const ALPHABET: &str = "aAbsStTrRevVmMlLdDxZ가각간나다라마바사아자차카타파하힣뷁ㄱㅋㅠ각漢字々かナé1290½٣ \u{a0}\u{3000}\t\n\r\u{85}\u{2028}'’\"!?./-_<>|#$+=~…·“”😀👍🏽\u{200d}\u{fe0f}\u{301}\u{323}\u{345}\u{302e}\u{17f}\u{212a}ßıǅʰªÅ\u{378}\u{e000}\u{10ffff}𝐀𐐀𐐨\0";

/// Random text: of the alphabet, of Hangul, of anything.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let characters: Vec<char> = ALPHABET.chars().collect();
    let of_alphabet = prop::sample::select(characters);
    let one = prop_oneof![
        6 => of_alphabet,
        3 => prop::char::range('가', '힣'),
        1 => any::<char>(),
        1 => Just(' '),
    ];
    prop::collection::vec(one, 0..48).prop_map(|characters| characters.into_iter().collect())
}

/// Long text without a place to cut, and the same with few.
pub(crate) fn long_spans() -> Vec<String> {
    let base64: String = (0..20_000u64)
        .map(|i| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(i * i * 31 + i * 7) as usize % 52]))
        .collect();
    let hangul: String = (0..5000u32).filter_map(|i| char::from_u32(0xac00 + i.wrapping_mul(2_654_435_761) % 11172)).collect();
    vec!["a".repeat(30_000), " ".repeat(5000), base64, hangul, "ㅋ".repeat(3000), "하".repeat(3000), "=".repeat(3000), "하a".repeat(2000)]
}
