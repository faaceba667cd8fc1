//! There and back through our own reader; that llama.cpp opens the result is the matter of
//! `verify_gguf.py`, that blocks are ggml's that of `quant`.

use serde_json::json;

use super::*;
use crate::load::tests::{fixture, largest_difference, random};

const FAMILIES: [&str; 5] = ["llama", "qwen2", "qwen2-untied", "qwen3", "yarn"];
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A byte-level tokenizer of a few letters, two merges, a special token at 5 and another at 6.
fn tokenizer() -> serde_json::Value {
    json!({
        "version": "1.0",
        "added_tokens": [
            { "id": 5, "content": "<|im_end|>", "special": true },
            { "id": 6, "content": "<한국어>", "special": false },
        ],
        "normalizer": { "type": "NFC" },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": QWEN2 }, "behavior": "Isolated", "invert": false },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false },
        ] },
        "post_processor": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false },
        "decoder": { "type": "ByteLevel" },
        "model": { "type": "BPE", "vocab": { "a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4 }, "merges": [["a", "b"], ["Ġ", "ab"]] },
    })
}

fn files(tokenizer: &serde_json::Value) -> Vec<(String, Vec<u8>)> {
    let config =
        json!({ "pad_token": { "content": "<|im_end|>" }, "chat_template": [{ "name": "default", "template": "{{ messages }}" }] });
    vec![("tokenizer.json".to_owned(), tokenizer.to_string().into_bytes()), ("tokenizer_config.json".to_owned(), config.to_string().into())]
}

fn vocabulary(weights: &Pretrained) -> Vocabulary {
    Vocabulary::of_files(weights.path(), &files(&tokenizer()), weights.vocab_size(), &[5, 6]).unwrap()
}

fn export(weights: &Pretrained, vocabulary: &Vocabulary, format: GgufFormat, path: &Path) -> Result<BTreeMap<&'static str, usize>> {
    let texts = Texts { max_positions: 64, eos: vec![5, 6] };
    GgufExport { weights, format, texts: &texts, name: "tiny", vocabulary }.write(path)
}

#[test]
fn what_is_exported_is_loaded_again() {
    let root = tempfile::tempdir().unwrap();
    for name in FAMILIES {
        let weights = match name {
            // Our reader takes it for granted that a Llama 3 was first trained on 8192 tokens.
            "llama" => {
                let scaling = RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 8192 };
                let config = Pretrained::open(&fixture(name)).unwrap().config().clone();
                random(root.path(), &ModelConfig { rope_scaling: Some(scaling), rope_theta: 500_000.0, ..config }, 40)
            }
            _ => Pretrained::open(&fixture(name)).unwrap(),
        };
        let vocabulary = vocabulary(&weights);
        // Rows of 16 and 24 numbers are no blocks: quantized formats fall back to 16 bits.
        for (format, tolerance) in
            [(GgufFormat::F32, 0.0), (GgufFormat::F16, 1e-3), (GgufFormat::Bf16, 8e-3), (GgufFormat::Q8_0, 1e-3), (GgufFormat::Q4KM, 1e-3)]
        {
            let path = root.path().join(format!("{name}-{}.gguf", format.name()));
            export(&weights, &vocabulary, format, &path).unwrap();
            let again = Pretrained::open(&path).unwrap();
            assert_eq!((again.config(), again.vocab_size(), again.eos()), (weights.config(), weights.vocab_size(), &[5][..]), "{name}");
            for (tensor, _) in weights.config().tensors(weights.vocab_size()) {
                let [before, after] = [&weights, &again].map(|weights| weights.values(&tensor).unwrap());
                assert!(largest_difference(&before, &after) <= tolerance, "{name} {} {tensor}", format.name());
            }
        }
    }
}

#[test]
fn types_are_mixed_and_bytes_are_the_same_on_any_number_of_threads() {
    let root = tempfile::tempdir().unwrap();
    let config =
        ModelConfig { hidden: 256, layers: 8, heads: 4, kv_heads: 2, intermediate: 288, qkv_bias: false, ..ModelConfig::default() };
    let weights = random(root.path(), &config, 20);
    let vocabulary = vocabulary(&weights);
    let paths = ["one", "two"].map(|name| root.path().join(format!("{name}.gguf")));
    // Layers 0, 3, 6, 7 of 8 have more bits; `ffn_down` has rows of 288: in 32s, not in 256s.
    let expected = BTreeMap::from([("F32", 17), ("Q4_K", 44), ("Q5_0", 4), ("Q6_K", 5), ("Q8_0", 4)]);
    for (path, threads) in paths.iter().zip([1, 3]) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| export(&weights, &vocabulary, GgufFormat::Q4KM, path)).unwrap(), expected);
    }
    let [one, two] = paths.each_ref().map(|path| std::fs::read(path).unwrap());
    assert!(one == two);
    let again = Pretrained::open(&paths[0]).unwrap();
    // Q4_K of numbers from -0.5 to 0.5: a sixteenth of the range apart at most.
    for name in ["model.layers.1.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight", "model.embed_tokens.weight"] {
        let [before, after] = [&weights, &again].map(|weights| weights.values(name).unwrap());
        let difference = largest_difference(&before, &after);
        assert!(difference > 0.0 && difference < 0.06, "{name}: {difference}");
    }
    // What is in eight bits already gets the same eight bits again.
    let [first, second] = ["8", "88"].map(|name| root.path().join(format!("{name}.gguf")));
    export(&weights, &vocabulary, GgufFormat::Q8_0, &first).unwrap();
    export(&Pretrained::open(&first).unwrap(), &vocabulary, GgufFormat::Q8_0, &second).unwrap();
    assert!(std::fs::read(first).unwrap() == std::fs::read(second).unwrap());
}

#[test]
fn keys_of_a_tokenizer_are_carried_along() {
    let root = tempfile::tempdir().unwrap();
    let weights = Pretrained::open(&fixture("llama.gguf")).unwrap();
    let vocabulary = Vocabulary::of_model(&weights).unwrap().unwrap();
    let path = root.path().join("again.gguf");
    export(&weights, &vocabulary, GgufFormat::F32, &path).unwrap();
    let again = Pretrained::open(&path).unwrap();
    assert_eq!(again.tokenizer_keys().unwrap(), weights.tokenizer_keys().unwrap());
    assert_eq!((again.config(), again.eos()), (weights.config(), weights.eos()));
    assert!(Vocabulary::of_model(&Pretrained::open(&fixture("qwen2")).unwrap()).unwrap().is_none());
}

/// The header's bytes around a text.
fn tells(bytes: &[u8], key: &str, value: &[u8]) -> bool {
    let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap();
    bytes[at + key.len() + 4..].starts_with(value)
}

#[test]
fn llama_cpp_is_told_of_the_tokenizer() {
    let root = tempfile::tempdir().unwrap();
    let weights = Pretrained::open(&fixture("qwen2")).unwrap();
    let vocabulary = vocabulary(&weights);
    assert!(vocabulary.notes()[0].contains("NFC"), "{:?}", vocabulary.notes());
    let path = root.path().join("x.gguf");
    export(&weights, &vocabulary, GgufFormat::F16, &path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let text = |value: &str| [&(value.len() as u64).to_le_bytes(), value.as_bytes()].concat();
    assert!(tells(&bytes, "tokenizer.ggml.pre", &text("qwen2")));
    assert!(tells(&bytes, "tokenizer.chat_template", &text("{{ messages }}")));
    assert!(tells(&bytes, "tokenizer.ggml.padding_token_id", &5u32.to_le_bytes()));
    assert!(tells(&bytes, "tokenizer.ggml.add_bos_token", &[0]));
    let list = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    // Five from the vocabulary, a special one, one that text becomes, then 33 rows of padding.
    let kinds: Vec<u8> = [1, 1, 1, 1, 1, 3, 4, 5, 5].iter().flat_map(|kind: &i32| kind.to_le_bytes()).collect();
    assert!(tells(&bytes, "tokenizer.ggml.token_type", &[list(5, 40), kinds].concat()));
    assert!(tells(&bytes, "tokenizer.ggml.merges", &[list(8, 2), text("a b"), text("Ġ ab")].concat()));
    let tokens = ["a", "b", "Ġ", "ab", "Ġab", "<|im_end|>", "<한국어>", "[PAD7]"].map(text).concat();
    assert!(tells(&bytes, "tokenizer.ggml.tokens", &[list(8, 40), tokens].concat()));
}

#[test]
fn what_llama_cpp_would_do_otherwise_is_refused() {
    let refused = |change: &dyn Fn(&mut serde_json::Value), rows: usize| {
        let mut tokenizer = tokenizer();
        change(&mut tokenizer);
        Vocabulary::of_files(Path::new("model"), &files(&tokenizer), rows, &[5]).unwrap_err().to_string()
    };
    assert!(refused(&|_| {}, 5).contains("has id 5, but the model has 5 rows"));
    assert!(refused(&|t| t["normalizer"]["type"] = json!("Lowercase"), 40).contains("normalizer Lowercase"));
    assert!(refused(&|t| t["model"]["type"] = json!("Unigram"), 40).contains("Unigram"));
    assert!(refused(&|t| t["model"]["merges"] = json!(["a b c"]), 40).contains("a b c"));
    assert!(refused(&|t| t["pre_tokenizer"] = json!({ "type": "Metaspace" }), 40).contains("Metaspace"));
    let around = json!({ "type": "TemplateProcessing", "single": [
        { "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "<|im_end|>", "type_id": 0 } },
    ] });
    assert!(refused(&|t| t["post_processor"] = around.clone(), 40).contains("around a text"));
    let path = Path::new("model");
    assert!(Vocabulary::of_files(path, &[], 40, &[]).unwrap_err().to_string().contains("no tokenizer.json"));
    let sentencepiece = [("tokenizer.model".to_owned(), Vec::new())];
    assert!(Vocabulary::of_files(path, &sentencepiece, 40, &[]).unwrap_err().to_string().contains("SentencePiece"));
    assert!(Vocabulary::of_files(path, &[("tokenizer.json".to_owned(), b"{".to_vec())], 40, &[]).is_err());
}

#[test]
fn bad_numbers_name_their_tensor_and_leave_nothing() {
    let root = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("qwen2").join(file), root.path().join(file)).unwrap();
    }
    let path = root.path().join("model.safetensors");
    let good = std::fs::read(&path).unwrap();
    // Behind the header is the table's first number.
    let data = 8 + good[0] as usize + 256 * good[1] as usize;
    let with_first = |value: f32| [&good[..data], &value.to_le_bytes(), &good[data + 4..]].concat();
    let target = root.path().join("x.gguf");
    for (value, expected) in [(f32::NAN, "has NaN at element 0"), (1e6, "has 1000000 at element 0, too large")] {
        std::fs::write(&path, with_first(value)).unwrap();
        let weights = Pretrained::open(root.path()).unwrap();
        let error = export(&weights, &vocabulary(&weights), GgufFormat::F16, &target).unwrap_err().to_string();
        assert!(error.contains("tensor `model.embed_tokens.weight`") && error.contains(expected), "{error}");
    }
    std::fs::write(&path, &good).unwrap();
    let weights = Pretrained::open(root.path()).unwrap();
    // Cut short after it was opened.
    std::fs::write(&path, &good[..good.len() - 40]).unwrap();
    let error = export(&weights, &vocabulary(&weights), GgufFormat::F32, &target).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("model.safetensors"), "{error}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2, "nothing is left of it");
    std::fs::write(&target, "mine").unwrap();
    std::fs::write(&path, &good).unwrap();
    assert!(export(&weights, &vocabulary(&weights), GgufFormat::F32, &target).unwrap_err().to_string().contains("is there already"));
    assert_eq!(std::fs::read(&target).unwrap(), b"mine");
}
