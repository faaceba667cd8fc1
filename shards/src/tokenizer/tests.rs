//! Tokenizers as their users meet them: trained, saved, loaded, and given hostile text.

mod long;
mod lost;
mod sentencepiece;

use super::*;
use proptest::prelude::*;

const TEXTS: [&str; 6] = [
    "안녕하세요. 오늘은 날씨가 좋네요 ㅋㅋㅋㅋ 정말 좋아요 ㅠㅠ\n학교에 갔다가 집에 왔다.",
    "The quick brown fox jumps over the lazy dog. It's 2024, isn't it?\r\n\r\n  Yes.",
    "fn main() {\n    let x = vec![1, 2, 3];\n\tprintln!(\"{x:?}\");\n}\n",
    "이모지 👩‍👩‍👧‍👦🇰🇷 와 한자 漢字, API를 호출한다   \n\n\t  끝",
    "   \t\n \u{a0}\u{3000}\u{200b} x\0y ",
    "<|endoftext|> 는 특수 토큰이 아니다 <s></s>[INST]",
];

fn corpus() -> impl Iterator<Item = String> + Send {
    (0..40).map(|i| format!("{} {i}", TEXTS[i % TEXTS.len()]))
}

fn trained() -> Tokenizer {
    let config = TrainConfig { vocab_size: 600, ..TrainConfig::default() };
    Tokenizer::train(&config, None, &std::env::temp_dir(), corpus()).unwrap()
}

#[test]
fn trained_tokenizer_survives_saving() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let tokenizer = trained();
    tokenizer.save(&path).unwrap();
    let loaded = Tokenizer::load(&path, None).unwrap();
    assert_eq!(loaded.fingerprint(), tokenizer.fingerprint());
    assert_eq!((loaded.eos(), loaded.eos_token()), (0, "<|endoftext|>"));
    assert_eq!(loaded.vocab_size(), tokenizer.vocab_size());
    assert!(tokenizer.vocab_size() > 400 && tokenizer.vocab_size() <= 600);
    for text in TEXTS {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(loaded.encode(text).unwrap(), ids);
        assert_eq!(loaded.decode(&ids).unwrap(), text);
    }
    let ids = tokenizer.encode(TEXTS[0]).unwrap();
    assert!(ids.len() * 2 < TEXTS[0].len(), "merges are used: {} ids", ids.len());
}

/// The same in every process, whatever seeds its hash maps got. A new version of the tokenizers
/// crate may change it; the shards made with it then change too.
#[test]
fn training_gives_a_known_tokenizer() {
    let print = crate::Digest(trained().fingerprint()).to_string();
    assert_eq!(&print[..16], "628197d819a36b00");
}

#[test]
fn text_never_becomes_a_special_token() {
    for tokenizer in [trained(), Tokenizer::bytes()] {
        let text = "a<|endoftext|>b <|endoftext|>";
        let ids = tokenizer.encode(text).unwrap();
        assert!(!ids.contains(&tokenizer.eos()));
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        let with_end = [&ids[..], &[tokenizer.eos()]].concat();
        assert_eq!(tokenizer.decode(&with_end).unwrap(), text);
        assert_eq!(tokenizer.token_text(tokenizer.eos()).unwrap(), "<|endoftext|>");
    }
}

/// A word-level model finds `</s>` in its own vocabulary, whatever the added tokens say.
const WORD_LEVEL: &str = r#"{
    "version": "1.0", "truncation": {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": null, "normalizer": null,
    "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": null,
    "post_processor": {"type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "added_tokens": [
        {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}],
    "model": {"type": "WordLevel", "unk_token": "<unk>",
        "vocab": {"<unk>": 0, "</s>": 1, "<": 2, "/": 3, "s": 4, ">": 5, "가": 6}}}"#;

#[test]
fn specials_known_to_the_model_are_spelled_out() {
    let tokenizer = Tokenizer::from_content(WORD_LEVEL.into(), None).unwrap();
    assert_eq!(tokenizer.eos(), 1);
    // Neither the truncation to one token nor the added end token acts on documents.
    assert_eq!(tokenizer.encode("가 </s> 가 나").unwrap(), [6, 2, 3, 4, 5, 6, 0]);
}

/// `</s>` stands in the model alone; that `<unk>` is the only special token does not make it the end.
#[test]
fn usual_names_come_before_the_only_special_token() {
    let only = |content: &str, id: u32| {
        let added = format!("{{\"id\": {id}, \"content\": \"{content}\"");
        let json = WORD_LEVEL.replace("{\"id\": 1, \"content\": \"</s>\"", &added).replace("\"special\": false", "\"special\": true");
        Tokenizer::from_content(json.into(), None).unwrap()
    };
    assert_eq!((only("<unk>", 0).eos(), only("<unk>", 0).eos_token()), (1, "</s>"));
    assert_eq!(only("<cls>", 7).eos(), 1);
    let json = WORD_LEVEL.replace("</s>", "<end>").replace("\"special\": false", "\"special\": true");
    assert_eq!(Tokenizer::from_content(json.into(), None).unwrap().eos_token(), "<end>");
}

#[test]
fn fingerprint_follows_content_and_end_token_only() {
    let reordered = WORD_LEVEL.replace("\"version\": \"1.0\", ", "").replacen("{", "{\"version\":\"1.0\",", 1);
    let changed = WORD_LEVEL.replace("\"가\": 6", "\"나\": 6");
    let print = |json: &str, eos| Tokenizer::from_content(json.into(), eos).unwrap().fingerprint();
    assert_eq!(print(WORD_LEVEL, None), print(&reordered, None));
    assert_ne!(print(WORD_LEVEL, None), print(&changed, None));
    assert_ne!(print(WORD_LEVEL, None), print(WORD_LEVEL, Some("s")));
}

#[test]
fn a_missing_end_token_lists_candidates() {
    let json = WORD_LEVEL
        .replace("</s>", "<sep>")
        .replace("\"special\": false", "\"special\": true")
        .replace("\"id\": 1, \"content\"", "\"id\": 7, \"content\": \"<cls>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}, {\"id\": 1, \"content\"");
    let error = Tokenizer::from_content(json.clone().into(), None).unwrap_err().to_string();
    assert!(error.contains("<sep> <cls>"), "{error}");
    let error = Tokenizer::from_content(json.clone().into(), Some("<end>")).unwrap_err().to_string();
    assert!(error.contains("`<end>`") && error.contains("<cls>"), "{error}");
    assert_eq!(Tokenizer::from_content(json.into(), Some("<sep>")).unwrap().eos(), 1);
    assert!(Bytes::with_eos(Some("</s>")).is_err());
}

#[test]
fn refuses_what_is_no_tokenizer() {
    let cases: [(&[u8], &str); 6] = [
        (b"", "neither"),
        (b"IQ== 0\nIg== 1\n", "2 ranks are of no file known here"),
        (b"{\"model\": 3}", "load"),
        (b"{", "EOF"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 0], "compressed"),
        (&[0x0a, 3, 0x0a, 1, b'a'], "load"),
    ];
    for (file, message) in cases {
        let error = Tokenizer::from_content(file.to_vec(), None).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let dropping = WORD_LEVEL.replace("\"WordLevel\"", "\"WordLevel\", \"dropout\": 0.1");
    let error = Tokenizer::from_content(dropping.into(), None).unwrap_err().to_string();
    assert!(error.contains("dropout"), "{error}");
    let huge = WORD_LEVEL.replace("\"가\": 6", "\"가\": 4000000000");
    let error = Tokenizer::from_content(huge.into(), None).unwrap_err().to_string();
    assert!(error.contains("4000000000"), "{error}");
    // 7 tokens: a table of up to 4 × 7 + 1024 ids is made, not one of 16 million.
    let sparse = |id: u32| Tokenizer::from_content(WORD_LEVEL.replace("\"가\": 6", &format!("\"가\": {id}")).into(), None);
    let error = sparse(16_777_215).unwrap_err().to_string();
    assert!(error.contains("id 16777215 in a vocabulary of 7 tokens, at most 1052"), "{error}");
    assert_eq!(sparse(1052).unwrap().vocab_size(), 1053);
}

#[test]
fn rare_characters_are_left_to_their_bytes() {
    // 990 × "가", 10 × "뷁": at 0.98 merges join the bytes of the first only.
    let text = || std::iter::once(format!("{} {}", "가 ".repeat(990), "뷁 ".repeat(10)));
    let ids = |coverage: f64, text_of: &str| {
        let config = TrainConfig { vocab_size: 300, character_coverage: coverage, ..TrainConfig::default() };
        let tokenizer = Tokenizer::train(&config, None, &std::env::temp_dir(), text()).unwrap();
        let ids = tokenizer.encode(text_of).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text_of);
        ids.len()
    };
    assert_eq!((ids(1.0, "가"), ids(1.0, "뷁")), (1, 1));
    assert_eq!((ids(0.98, "가"), ids(0.98, "뷁")), (1, 3));
}

#[test]
fn training_stops_at_the_sample_and_says_what_is_wrong() {
    let config = TrainConfig { vocab_size: 300, sample_bytes: 9, ..TrainConfig::default() };
    let two = |second: &str| {
        let texts = ["aaaa".to_owned(), format!("가{second}")].into_iter();
        Tokenizer::train(&config, None, &std::env::temp_dir(), texts).unwrap().fingerprint()
    };
    assert_eq!(two("나다"), two("라마바사")); // 4 + 3 bytes, then the cut inside a character
    let refused = [
        TrainConfig { vocab_size: 256, ..config.clone() },
        TrainConfig { character_coverage: 0.0, ..config.clone() },
        TrainConfig { character_coverage: f64::NAN, ..config.clone() },
        TrainConfig { sample_bytes: 0, ..config.clone() },
        TrainConfig { max_token_bytes: Some(1), ..config.clone() },
        TrainConfig { special_tokens: vec![], ..config.clone() },
        TrainConfig { special_tokens: vec!["EOS".into()], ..config.clone() },
        TrainConfig { special_tokens: vec!["<|a|>".into(), "<|a|>".into()], ..config.clone() },
    ];
    for config in refused {
        let error = Tokenizer::train(&config, None, &std::env::temp_dir(), corpus()).unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{config:?}: {error}");
    }
    assert!(Tokenizer::train(&config, None, &std::env::temp_dir(), std::iter::empty::<String>()).is_err());
    let unread = std::iter::from_fn(|| -> Option<String> { panic!("text is read") });
    assert!(matches!(Tokenizer::train(&config, Some("</s>"), &std::env::temp_dir(), unread), Err(Error::MissingEos { .. })));
}

#[test]
fn training_is_the_same_on_any_number_of_threads() {
    let texts: Vec<String> = (0..3000u32)
        .map(|i| {
            let word = |n: u32| char::from_u32(0xac00 + n.wrapping_mul(2_654_435_761) % 400).unwrap();
            let words: Vec<String> = (0..12u32).map(|j| (0..1 + (i * j) % 4).map(|k| word(i % 97 * j + k)).collect()).collect();
            format!("{} {}", words.join(" "), TEXTS[i as usize % TEXTS.len()])
        })
        .collect();
    let config = TrainConfig { vocab_size: 2000, ..TrainConfig::default() };
    let prints: Vec<[u8; 32]> = [1, 4, 2, 4]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let train = || Tokenizer::train(&config, None, &std::env::temp_dir(), texts.clone().into_iter());
            pool.install(train).unwrap().fingerprint()
        })
        .collect();
    assert!(prints.iter().all(|print| *print == prints[0]));
}

#[test]
fn batches_keep_their_order() {
    let tokenizer = trained();
    let batch = tokenizer.encode_batch(&TEXTS).unwrap();
    for (text, ids) in TEXTS.iter().zip(batch) {
        assert_eq!(tokenizer.encode(text).unwrap(), ids);
    }
    assert!(tokenizer.decode(&[tokenizer.vocab_size()]).is_err());
    assert_eq!(tokenizer.encode("").unwrap(), [0; 0]);
}

fn shared(file: &str) -> Option<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/tokenizers");
    Some(root.join(file)).filter(|path| path.exists())
}

#[test]
#[allow(clippy::print_stdout)]
fn qwen3_reads_and_writes_the_same_text() {
    let Some(path) = shared("qwen3/tokenizer.json.zst") else {
        println!("skipped: no ../shared");
        return;
    };
    let json = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
    let tokenizer = Tokenizer::from_content(json, None).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.vocab_size()), (151_643, 151_669));
    assert_eq!(tokenizer.encode("Hello, world!").unwrap(), [9707, 11, 1879, 0]);
    for text in TEXTS {
        let ids = tokenizer.encode(text).unwrap();
        assert!(ids.iter().all(|&id| id < 151_643), "{ids:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    // Listed as ordinary in the file, yet control syntax.
    let ids = tokenizer.encode("<|im_end|><|fim_prefix|><|repo_name|>").unwrap();
    assert!(ids.iter().all(|&id| id < 151_643), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids).unwrap(), "<|im_end|><|fim_prefix|><|repo_name|>");
}

#[test]
#[allow(clippy::print_stdout)]
fn mistral_reads_and_writes_the_same_text() {
    let Some(path) = shared("mistral_spm/tokenizer.model.v3") else {
        println!("skipped: no ../shared");
        return;
    };
    let tokenizer = Tokenizer::load(&path, None).unwrap();
    assert_eq!((tokenizer.eos(), tokenizer.eos_token()), (2, "</s>"));
    assert_eq!(tokenizer.vocab_size(), 32_768);
    let texts = TEXTS.iter().map(|text| text.to_string());
    for text in texts.chain([format!("{} 끝", "가나다 abc\n".repeat(150_000))]) {
        let ids = tokenizer.encode(&text).unwrap();
        assert!(ids.iter().all(|id| !matches!(id, 1..=9)), "no control token");
        assert!(tokenizer.decode(&ids).unwrap() == text, "{}", &text[..20]);
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.model");
    tokenizer.save(&copy).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&path).unwrap());
    assert_eq!(tokenizer.fingerprint(), Tokenizer::load(&copy, None).unwrap().fingerprint());
    // With a piece that text can match as the end token, text still cannot become it.
    let other = Tokenizer::load(&path, Some("▁the")).unwrap();
    let ids = other.encode("by the way").unwrap();
    assert!(!ids.contains(&other.eos()));
    assert_eq!(other.decode(&ids).unwrap(), "by the way");
    assert!(Tokenizer::load(&path, Some("<end>")).unwrap_err().to_string().contains("<s> </s>"));
    // Cut short anywhere, the file is refused or read, never a crash.
    let file = std::fs::read(&path).unwrap();
    for length in (0..file.len()).step_by(40_009) {
        let _ = Tokenizer::from_content(file[..length].to_vec(), None);
    }
}

proptest! {
    #[test]
    fn byte_level_reads_and_writes_any_text(text in any::<String>(), spaces in "[ \t\n\r가a<|]{0,12}") {
        static TRAINED: std::sync::LazyLock<Tokenizer> = std::sync::LazyLock::new(trained);
        for tokenizer in [&*TRAINED, &Tokenizer::bytes()] {
            let text = format!("{spaces}{text}{spaces}");
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(!ids.contains(&tokenizer.eos()));
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }
    }

    #[test]
    fn arbitrary_files_do_not_panic(file: Vec<u8>, json in "[{}\\[\\]\":,a1 ]{0,40}") {
        let _ = Tokenizer::from_content(file, None);
        let _ = Tokenizer::from_content(format!("{{{json}").into_bytes(), None);
    }
}

#[test]
fn ambiguous_merges_are_learnt_in_one_order() {
    // Words over two or three letters reach the same token by many ways; the trainer's hash maps
    // are seeded anew each time.
    for letters in [2, 3] {
        let mut state = letters * 0x9e37_79b9;
        let mut next = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut word = || -> String { (0..=next(13)).map(|_| char::from(b'a' + next(letters) as u8)).collect() };
        let texts: Vec<String> = (0..400).map(|_| word()).collect();
        let config = TrainConfig { vocab_size: 3000, min_frequency: 0, ..TrainConfig::default() };
        let train = || Tokenizer::train(&config, None, &std::env::temp_dir(), texts.clone().into_iter()).unwrap();
        let first = train().fingerprint();
        assert!((0..6).all(|_| train().fingerprint() == first));
    }
}
