//! Qwen3's own file over the texts of a data folder beside the repository, where there is one.

use serde_json::Value;

use super::Both;
use super::data::{compare, folder, unpacked};
use super::texts::{NASTY, long_spans};

#[test]
#[expect(clippy::print_stderr, reason = "says what was compared")]
fn equal_on_all_data() {
    let Some(data) = folder("tokenizers/qwen3/tokenizer.json.zst") else {
        eprintln!("skipped: no ../shared");
        return;
    };
    let file: Value = serde_json::from_slice(&unpacked(&data.join("tokenizers/qwen3/tokenizer.json.zst"))).unwrap();
    let both = Both::new(&file);
    NASTY.iter().for_each(|text| both.check(text));
    long_spans().iter().for_each(|text| both.check(text));
    compare(&data, &|text| both.expected(text), &|text| both.engine.encode(text));
}
