//! What has to do with tokens: shards, the token files of other trainers, tokenizers, chat templates.

use std::path::Path;
use std::sync::OnceLock;

use shards::{Foreign, Layout, Pattern, ShardReader, TemplateText, TrainConfig};

use super::Seed::{File, Text};
use super::{Target, gzip, seals, written};

pub(super) const TARGETS: [Target; 11] = [
    Target {
        name: "shard",
        seeds: &[
            File("shards/testdata/shards/v1.0.shard"),
            File("shards/testdata/shards/v1.0-loss.shard"),
            File("shards/testdata/shards/v1.1-judged.shard"),
            File("shards/testdata/shards/v1.2.shard"),
            File("shards/testdata/shards/v2.0.shard"),
            File("shards/testdata/shards/v2.1-judged.shard"),
        ],
        run: |folder, bytes| {
            shard(&written(folder, "a.shard", bytes));
            shard(&written(folder, "b.shard", &seals::shard(bytes)));
        },
    },
    // An index of somebody else beside tokens that fit the fixtures, and the other way round.
    Target {
        name: "megatron",
        seeds: &[
            File("shards/testdata/layouts/w4.idx"),
            File("shards/testdata/layouts/w2.idx"),
            File("shards/testdata/layouts/sentences.idx"),
        ],
        run: |folder, bytes| {
            for tokens in [
                &include_bytes!("../../../shards/testdata/layouts/w4.bin")[..],
                include_bytes!("../../../shards/testdata/layouts/sentences.bin"),
                bytes,
            ] {
                written(folder, "a.bin", tokens);
                foreign(Layout::Megatron, &written(folder, "a.idx", bytes));
            }
        },
    },
    Target {
        name: "datatrove",
        seeds: &[
            File("shards/testdata/layouts/w4.ds.index"),
            File("shards/testdata/layouts/w4.ds.metadata"),
            File("shards/testdata/layouts/w4.ds.loss"),
        ],
        run: |folder, bytes| {
            let files = [
                ("a.ds", &include_bytes!("../../../shards/testdata/layouts/w4.ds")[..]),
                ("a.ds.index", include_bytes!("../../../shards/testdata/layouts/w4.ds.index")),
                ("a.ds.metadata", include_bytes!("../../../shards/testdata/layouts/w4.ds.metadata")),
                ("a.ds.loss", include_bytes!("../../../shards/testdata/layouts/w4.ds.loss")),
            ];
            for fuzzed in 0..files.len() {
                for (number, (name, good)) in files.into_iter().enumerate() {
                    written(folder, name, if number == fuzzed { bytes } else { good });
                }
                foreign(Layout::Datatrove, &folder.join("a.ds"));
            }
            for extra in ["index", "metadata", "loss"] {
                std::fs::remove_file(folder.join(format!("a.ds.{extra}"))).expect("it was there");
            }
            foreign(Layout::Datatrove, &written(folder, "a.ds", bytes));
        },
    },
    Target {
        name: "olmo",
        seeds: &[
            File("shards/testdata/layouts/o4.csv.gz"),
            Text("0,4,\"a,\"\"b\",s,0\n4,6,2,s,1\n6,7,3,s,2\n7,10,4,s,3\n"),
            File("shards/testdata/layouts/o4.npy"),
        ],
        run: |folder, bytes| {
            let tokens = include_bytes!("../../../shards/testdata/layouts/o4.npy");
            for table in [bytes.to_vec(), gzip(bytes)] {
                written(folder, "a.npy", tokens);
                written(folder, "a.csv.gz", &table);
                foreign(Layout::Olmo, &folder.join("a.npy"));
            }
            std::fs::remove_file(folder.join("a.csv.gz")).expect("it was there");
            foreign(Layout::Olmo, &written(folder, "a.npy", bytes));
        },
    },
    Target {
        name: "llm-c",
        seeds: &[File("shards/testdata/layouts/llm2.bin"), File("shards/testdata/layouts/llm4.bin")],
        run: |folder, bytes| foreign(Layout::LlmC, &written(folder, "llm.bin", bytes)),
    },
    Target {
        name: "tokenizer",
        seeds: &[File("shards/testdata/chat/tokenizer.json"), File("tests/data/eval/model/tokenizer.json")],
        run: |folder, bytes| tokenizer(&written(folder, "tokenizer.json", bytes)),
    },
    Target {
        name: "sentencepiece",
        seeds: &[File("tests/data/tiny.model")],
        run: |folder, bytes| tokenizer(&written(folder, "tokenizer.model", bytes)),
    },
    Target {
        name: "vocabulary",
        seeds: &[File("shards/testdata/vocabularies/small.tiktoken"), File("shards/testdata/vocabularies/tekken.json")],
        run: |folder, bytes| {
            tokenizer(&written(folder, "a.tiktoken", bytes));
            tokenizer(&written(folder, "tekken.json", bytes));
        },
    },
    Target {
        name: "chat-template",
        seeds: &[
            Text(
                "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m.content | trim }} [/INST]{% else %}{% generation %}{{ m.content[0:2] ~ eos_token }}{% endgeneration %}{% endif %}{% endfor %}{{ range(3) | join(',') }}",
            ),
            File("shards/src/chat/presets/gemma.jinja"),
            File("shards/src/chat/presets/alpaca-ko.jinja"),
        ],
        run: |_, bytes| {
            let Ok(template) = std::str::from_utf8(bytes) else { return };
            let text = TemplateText {
                name: "fuzz".to_owned(),
                template: template.to_owned(),
                bos_token: Some("<s>".to_owned()),
                eos_token: Some("</s>".to_owned()),
                date: Some("2026-01-31".to_owned()),
            };
            let Ok(template) = shards::ChatTemplate::new(text) else { return };
            let tokenizer = shards::Tokenizer::bytes();
            let Ok(encoder) = shards::ChatEncoder::new(&template, &tokenizer) else { return };
            let messages = [shards::Message::new("user", "뭐?"), shards::Message::new("assistant", "이거.")];
            if let Ok(conversation) = encoder.encode(&messages) {
                let tokens = conversation.tokens.len() as u32;
                assert!(conversation.learned.iter().all(|span| span.start <= span.end && span.end <= tokens + 1)); // and the end token
            }
        },
    },
    // Any text, encoded by the engine and by the library that it stands for, with each of the patterns.
    Target {
        name: "encode",
        seeds: &[Text("나는 오늘 학교에 갔다. I'LL don't 12345 XMLHttp  \t\n\r\n  é e\u{301} ㅋㅋㅋ 🦀<|endoftext|>x\u{a0}\u{3000}")],
        run: |_, bytes| {
            let text = String::from_utf8_lossy(bytes);
            for (own, library) in encoders() {
                let wanted = library.encode(text.as_ref(), false).expect("any text can be encoded");
                let ids = own.encode(&text).expect("any text can be encoded");
                assert_eq!(ids, wanted.get_ids(), "the library encodes {text:?} otherwise");
                assert_eq!(own.decode(&ids).expect("its own ids can be decoded"), text, "the text does not come back");
            }
        },
    },
    Target {
        name: "chat-config",
        seeds: &[Text(
            "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\", \"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"{{ messages[0].content }}\"}]}",
        )],
        run: |folder, bytes| {
            if let Ok(text) = TemplateText::load(&written(folder, "tokenizer_config.json", bytes)) {
                let _ = shards::ChatTemplate::new(text);
            }
        },
    },
];

/// A shard that passes verification must give everything in it; any other may refuse, and nothing worse.
fn shard(path: &Path) {
    let Ok(shard) = ShardReader::open(path) else { return };
    let is_good = shard.verify().is_ok();
    let mut tokens = Vec::new();
    for index in 0..shard.len().min(1000) {
        tokens.clear();
        let all = shard.document(index).and_then(|document| {
            let (tokens, _) = (shard.tokens(document.tokens.clone(), &mut tokens)?, document.id.len());
            Ok(tokens)
        });
        let spans = shard.loss_spans(index);
        if let Ok(Some(spans)) = &spans {
            assert!(spans.iter().all(|span| span.start < span.end), "an empty span");
        }
        assert!(tokens.iter().all(|id| *id < shard.vocab_size()), "an id beyond the vocabulary");
        let whole = all.is_ok() && spans.is_ok() && shard.judged(index).is_ok() && shard.token_range(index).is_ok();
        assert!(whole || !is_good, "what was verified is not there");
    }
    let _ = (shard.source_counts(), shard.document_of(shard.token_count() / 2));
}

/// Documents of a file of another trainer.
fn foreign(layout: Layout, path: &Path) {
    for vocab_size in [80_000, 300] {
        let foreign = Foreign { layout, vocab_size, eos: 0, tokenizer: [7; 32], token_bytes: None };
        let mut tokens = 0;
        let _ = foreign.documents(path, &mut |document| {
            tokens += document.tokens.len() as u64;
            assert!(document.tokens.iter().all(|id| *id < vocab_size), "an id beyond the vocabulary");
            let length = document.tokens.len() as u32 + 1; // and the end token
            for span in document.spans.unwrap_or_default() {
                assert!(span.start < span.end && span.end <= length, "tokens {span:?} of {length} count");
            }
            Ok(())
        });
        let bytes: u64 = layout.files(path).iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
        assert!(tokens <= bytes, "{tokens} tokens in {bytes} bytes");
    }
}

/// A tokenizer's file. Where the engine takes it, its ids must be those of the library that it stands for.
pub(crate) fn tokenizer(path: &Path) {
    let Ok(tokenizer) = shards::Tokenizer::load(path, None) else { return };
    for text in ["안녕하세요, world! 1234\n\t<s>", "", "나는 학교에 간다.  학교 the theme aaaa\u{301}"] {
        let Ok(ids) = tokenizer.encode(text) else { continue };
        assert!(ids.iter().all(|id| *id < tokenizer.vocab_size()), "an id beyond the vocabulary");
        let _ = tokenizer.decode(&ids);
        // What is spelled out is no special token, which the libraries do in other ways.
        if tokenizer.encoder() == "malmoi"
            && !text.contains('<')
            && let Some(wanted) = library_ids(path, text)
        {
            assert_eq!(ids, wanted, "the library encodes {text:?} otherwise");
        }
    }
}

/// The ids of a text by the library for such a file; none where it refuses it.
fn library_ids(path: &Path, text: &str) -> Option<Vec<u32>> {
    match path.extension()?.to_str()? {
        "model" => {
            let model = sentencepiece::SentencePieceProcessor::open(path).ok()?;
            Some(model.encode(text).ok()?.into_iter().map(|piece| piece.id).collect())
        }
        "json" => {
            let mut library = tokenizers::Tokenizer::from_file(path).ok()?;
            library.set_encode_special_tokens(true);
            Some(library.encode(text, false).ok()?.get_ids().to_vec())
        }
        _ => None,
    }
}

/// A small tokenizer for each pattern, and the library with the same file.
fn encoders() -> &'static [(shards::Tokenizer, tokenizers::Tokenizer)] {
    static ENCODERS: OnceLock<Vec<(shards::Tokenizer, tokenizers::Tokenizer)>> = OnceLock::new();
    let train = |pattern: &Pattern| {
        let text = "나는 오늘 아침에 학교에 갔다. 학교에서 The cat isn't at school, I'll say; 12 123 1234 fn main() {\n    x += 1;\n}\n ㅋㅋㅋ é 🦀 ".repeat(3);
        let config = TrainConfig { vocab_size: 400, pattern: *pattern, ..TrainConfig::default() };
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let json = shards::Tokenizer::train_file(&config, None, folder.path(), std::iter::once(text)).expect("it is trained");
        let own = shards::Tokenizer::load(written(folder.path(), "tokenizer.json", json.as_bytes()), None).expect("it is read");
        assert_eq!(own.encoder(), "malmoi");
        let mut library: tokenizers::Tokenizer = json.parse().expect("it is the library's format");
        library.set_encode_special_tokens(true); // a text does not become special tokens
        (own, library)
    };
    ENCODERS.get_or_init(|| {
        [Pattern::Gpt2, Pattern::Qwen2, Pattern::Llama3, Pattern::Qwen3_5, Pattern::O200k, Pattern::Tekken].iter().map(train).collect()
    })
}
