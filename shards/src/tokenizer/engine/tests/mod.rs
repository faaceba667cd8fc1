//! The engine against the library, id for id.

pub(crate) mod data;
mod families;
mod qwen3;
mod random;
mod scanning;
pub(super) mod texts;

use serde_json::Value;

use super::{Engine, Unsupported};

/// The library and the engine, made from one file.
struct Both {
    library: tokenizers::Tokenizer,
    engine: Engine,
}

impl Both {
    fn new(file: &Value) -> Self {
        let mut library = tokenizers::Tokenizer::from_bytes(serde_json::to_vec(file).unwrap()).unwrap();
        library.set_encode_special_tokens(true);
        let engine = Engine::from_json(file).unwrap_or_else(|Unsupported(reason)| panic!("not supported: {reason}"));
        Self { library, engine }
    }

    fn expected(&self, text: &str) -> Vec<u32> {
        self.library.encode_fast(text, false).unwrap().get_ids().to_vec()
    }

    /// Compares a text with a cold cache and again with a warm one.
    #[track_caller]
    fn check(&self, text: &str) {
        let expected = self.expected(text);
        let mut encoder = self.engine.encoder();
        for state in ["cold", "warm"] {
            let mut ids = Vec::new();
            encoder.encode(text, &mut ids);
            assert_eq!(ids, expected, "{state}: {text:?}");
        }
        assert_eq!(self.engine.encode(text), expected);
        assert!(expected.iter().all(|&id| self.engine.reaches(id)));
    }
}
