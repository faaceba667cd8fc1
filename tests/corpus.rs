//! A small corpus of our own: Korean, English and code with planted duplicates and bad records.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PEOPLE: [&str; 8] = ["할머니", "선생님", "목수", "어부", "기관사", "도서관 사서", "옆집 아이", "편집자"];
const PLACES: [&str; 8] = ["강가", "시장 골목", "낡은 역", "도서관", "들판", "포구", "고갯길", "마당"];
const THINGS: [&str; 8] = ["오래된 사전", "종이배", "비에 젖은 편지", "손때 묻은 연필", "작은 씨앗", "등불", "낡은 지도", "빈 의자"];
const DEEDS: [&str; 8] = [
    "조용히 바라보았다",
    "오랫동안 찾아다녔다",
    "이웃에게 건네주었다",
    "소리 내어 읽었다",
    "다시 고쳐 썼다",
    "햇볕에 널어 말렸다",
    "잃어버린 줄 알았다",
    "처음으로 그려 보았다",
];
const SUBJECTS: [&str; 8] =
    ["The gardener", "A sailor", "The old printer", "Her neighbour", "The clerk", "A student", "The miller", "Our guide"];
const VERBS: [&str; 8] = ["carried", "repaired", "described", "painted", "counted", "forgot", "followed", "measured"];
const OBJECTS: [&str; 8] = [
    "the wooden bridge",
    "a row of lanterns",
    "the broken clock",
    "seven grey stones",
    "a letter from home",
    "the narrow path",
    "an unfinished map",
    "the empty harbour",
];
const TAILS: [&str; 8] = [
    "before the rain began",
    "with great patience",
    "and never spoke of it",
    "while the others slept",
    "in the light of the evening",
    "because nobody else would",
    "as it had always been done",
    "to the surprise of the town",
];

/// A repeatable stream of small numbers; the tests need variety, not randomness.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

pub(crate) fn korean(seed: u64) -> String {
    let mut dice = Dice(seed * 7919 + 1);
    let mut text = String::new();
    for sentence in 0..12 {
        let [person, place, thing, deed] = [PEOPLE, PLACES, THINGS, DEEDS].map(|list| list[dice.roll(8)]);
        let _ = write!(text, "{}년 {person}의 이야기에서 {place}에 놓인 {thing} {}개를 {deed}.", 1900 + dice.roll(120), 1 + dice.roll(90));
        text.push(if sentence % 4 == 3 { '\n' } else { ' ' });
    }
    text
}

pub(crate) fn english(seed: u64) -> String {
    let mut dice = Dice(seed * 104_729 + 3);
    let mut text = String::new();
    for sentence in 0..12 {
        let [subject, verb, object, tail] = [SUBJECTS, VERBS, OBJECTS, TAILS].map(|list| list[dice.roll(8)]);
        let _ = write!(text, "{subject} of house {} {verb} {object} {tail} in {}.", 1 + dice.roll(500), 1800 + dice.roll(200));
        text.push(if sentence % 4 == 3 { '\n' } else { ' ' });
    }
    text
}

pub(crate) fn code(seed: u64) -> String {
    let mut dice = Dice(seed * 31 + 17);
    let mut text = String::from("//! A module of numbers.\n\n");
    for function in 0..6 {
        let (a, b) = (dice.roll(1000), dice.roll(1000));
        let _ = writeln!(
            text,
            "/// Adds {a} and scales by {b}.\npub fn step_{seed}_{function}(x: u64) -> u64 {{\n    let y = x.wrapping_add({a});\n    y.wrapping_mul({b}) ^ 0x{:x}\n}}\n",
            dice.roll(65_536)
        );
    }
    text
}

pub(crate) fn jsonl(id: &str, text: &str) -> String {
    format!("{}\n", serde_json::json!({ "id": id, "text": text }))
}

/// A folder with a corpus and a recipe for it.
pub(crate) struct Corpus {
    folder: TempDir,
}

impl Corpus {
    /// 120 Korean, 120 English and 40 code documents, with exact and near duplicates planted.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir_all(data.join("code/src")).unwrap();
        let mut ko = String::new();
        for at in 0..120 {
            ko.push_str(&jsonl(&format!("ko-{at}"), &korean(at)));
        }
        ko.push_str(&jsonl("ko-exact", &korean(5)));
        ko.push_str(&jsonl("ko-near", &korean(6).replacen("이야기", "옛이야기", 1)));
        ko.push_str(&jsonl("ko-short", "짧다"));
        ko.push_str(&jsonl("ko-chinese", &"这是一个用中文写成的段落，不应当作为韩文通过。".repeat(8)));
        std::fs::write(data.join("ko.jsonl"), ko).unwrap();
        let mut en = String::new();
        for at in 0..120 {
            en.push_str(&jsonl(&format!("en-{at}"), &english(at)));
        }
        en.push_str(&jsonl("en-exact", &english(3)));
        en.push_str("{\"id\": \"en-broken\", \"text\": \n");
        en.push_str(&jsonl("en-repeats", &"I am a very repetitive sentence of eight words here. ".repeat(40)));
        std::fs::write(data.join("en.jsonl"), en).unwrap();
        for at in 0..40 {
            std::fs::write(data.join(format!("code/src/m{at:02}.rs")), code(at)).unwrap();
        }
        let corpus = Self { folder };
        corpus.recipe("recipe.toml", RECIPE);
        corpus
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.path().join("out").join(name)
    }

    pub(crate) fn recipe(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }
}

/// Small enough for a debug minute, and every stage does real work.
pub(crate) const RECIPE: &str = r#"output = "out/run"
seed = 3
held-out = 0.05

[[sources]]
name = "ko"
bucket = "korean"
files = "data/ko.jsonl"
format = "jsonl"

[[sources]]
name = "en"
bucket = "english"
files = "data/en.jsonl"
format = "jsonl"

[[sources]]
name = "rust"
bucket = "code"
files = "data/code"
format = "code"

[[filters]]
normalize = { form = "nfc" }
[[filters]]
length = { min-chars = 40, max-chars = 100_000 }
[[filters]]
language = { keep = ["ko", "en"], min-confidence = 0.5, except-buckets = ["code"] }
[[filters]]
gopher-repetition = { preset = "gopher", only-buckets = ["english"] }

[dedup]
exact = true
minhash = { ngram = 3, bands = 14, rows = 8 }
simhash = { ngram = 6, max-distance = 3 }

[tokenizer]
train = { model = "bpe", vocab-size = 600 }

[mixture]
korean = 0.42
english = 0.51
code = 0.07
max-epochs = 20

[train]
objective = "cpt"
tokens = 8_192
sequence-length = 64
batch = 8
micro-batch = 4
learning-rate = 3e-3
warmup-steps = 2
eval-every = 8
checkpoint-every = 4
model = { hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 64 }
sample = { prompts = ["할머니"], tokens = 8 }
"#;
