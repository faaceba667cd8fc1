//! Shapes of published models.

use crate::model::ModelConfig;

/// Models by name, with rows of their embedding: facts of their published configurations.
pub fn known_model(name: &str) -> Option<(ModelConfig, usize)> {
    // hidden, layers, heads, kv heads, head size, intermediate, rows, tied, qkv bias, head norms
    let (hidden, layers, heads, kv_heads, head, intermediate, rows, tied_embeddings, qkv_bias, qk_norm) = match name {
        "qwen2.5-0.5b" => (896, 24, 14, 2, 64, 4864, 151_936, true, true, false),
        "qwen2.5-1.5b" => (1536, 28, 12, 2, 128, 8960, 151_936, true, true, false),
        "qwen2.5-3b" => (2048, 36, 16, 2, 128, 11_008, 151_936, true, true, false),
        "qwen2.5-7b" => (3584, 28, 28, 4, 128, 18_944, 152_064, false, true, false),
        "qwen2.5-14b" => (5120, 48, 40, 8, 128, 13_824, 152_064, false, true, false),
        "qwen2.5-32b" => (5120, 64, 40, 8, 128, 27_648, 152_064, false, true, false),
        "qwen3-0.6b" => (1024, 28, 16, 8, 128, 3072, 151_936, true, false, true),
        "qwen3-1.7b" => (2048, 28, 16, 8, 128, 6144, 151_936, true, false, true),
        "qwen3-4b" => (2560, 36, 32, 8, 128, 9728, 151_936, true, false, true),
        "qwen3-8b" => (4096, 36, 32, 8, 128, 12_288, 151_936, false, false, true),
        "llama-3.2-1b" => (2048, 16, 32, 8, 64, 8192, 128_256, true, false, false),
        "llama-3.2-3b" => (3072, 28, 24, 8, 128, 8192, 128_256, true, false, false),
        "llama-3.1-8b" => (4096, 32, 32, 8, 128, 14_336, 128_256, false, false, false),
        _ => return None,
    };
    let head_size = (hidden != heads * head).then_some(head);
    let config = ModelConfig {
        hidden,
        layers,
        heads,
        kv_heads,
        head_size,
        intermediate,
        tied_embeddings,
        qkv_bias,
        qk_norm,
        ..ModelConfig::default()
    };
    Some((config, rows))
}

/// The names that [`known_model`] knows.
pub const KNOWN_MODELS: [&str; 13] = [
    "qwen2.5-0.5b",
    "qwen2.5-1.5b",
    "qwen2.5-3b",
    "qwen2.5-7b",
    "qwen2.5-14b",
    "qwen2.5-32b",
    "qwen3-0.6b",
    "qwen3-1.7b",
    "qwen3-4b",
    "qwen3-8b",
    "llama-3.2-1b",
    "llama-3.2-3b",
    "llama-3.1-8b",
];
