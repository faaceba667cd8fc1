//! Which type each tensor has: the rules of llama.cpp's quantizer (`llama-quant.cpp`) for dense models.

use super::GgufFormat;
use crate::load::Format;
use crate::model::ModelConfig;

/// The type of one tensor; `name` is the one in GGUF files. Vectors are always 32-bit floats.
pub(super) fn format(wanted: GgufFormat, config: &ModelConfig, name: &str, shape: &[usize]) -> Format {
    let [_, columns] = shape else { return Format::F32 };
    let first = match wanted {
        GgufFormat::F32 => return Format::F32,
        GgufFormat::F16 => return Format::F16,
        GgufFormat::Bf16 => return Format::Bf16,
        GgufFormat::Q8_0 => Format::Q8_0,
        GgufFormat::Q4KM => q4_k_m(config, name),
    };
    fitting(first, *columns)
}

/// Rows must be whole blocks; where they are not, the next format of about as many bits is taken.
fn fitting(format: Format, columns: usize) -> Format {
    let fits = |format: Format| columns.is_multiple_of(format.block_len());
    let smaller = match format {
        _ if fits(format) => return format,
        Format::Q4K => Format::Q5_0,
        Format::Q5K => Format::Q5_1,
        Format::Q6K => Format::Q8_0,
        _ => Format::F16,
    };
    if fits(smaller) { smaller } else { Format::F16 }
}

/// The table that is multiplied by last, and some of the matrices that errors spread from, have six bits.
fn q4_k_m(config: &ModelConfig, name: &str) -> Format {
    let last = if config.tied_embeddings { "token_embd.weight" } else { "output.weight" };
    if name == last {
        return Format::Q6K;
    }
    let layer = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
    match layer.and_then(|(layer, part)| Some((layer.parse().ok()?, part))) {
        Some((layer, "attn_v.weight" | "ffn_down.weight")) if more_bits(layer, config.layers) => Format::Q6K,
        // Of 80 layers with fewer key heads, values are so few that a bit more costs nothing.
        Some((_, "attn_v.weight")) if seventy_billion(config) => Format::Q5K,
        _ => Format::Q4K,
    }
}

/// The first and last eighth of the layers, and every third between them.
fn more_bits(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// What llama.cpp takes for a Llama 2 70B or a Qwen2 72B.
fn seventy_billion(config: &ModelConfig) -> bool {
    config.layers == 80 && !config.qk_norm && (config.qkv_bias || config.heads != config.kv_heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(config: &ModelConfig, part: &str) -> Vec<usize> {
        let shape = [config.hidden, config.intermediate];
        let of = |layer: &usize| format(GgufFormat::Q4KM, config, &format!("blk.{layer}.{part}.weight"), &shape);
        (0..config.layers).filter(|layer| of(layer) == Format::Q6K).collect()
    }

    #[test]
    fn layers_of_qwen2_7b() {
        // As in the published q4_k_m file of Qwen2.5-7B, 28 layers.
        let config = ModelConfig { hidden: 3584, layers: 28, heads: 28, kv_heads: 4, intermediate: 18_944, ..ModelConfig::default() };
        let more = [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27];
        assert_eq!(formats(&config, "ffn_down"), more);
        assert_eq!(formats(&config, "attn_v"), more);
        assert!(formats(&config, "attn_q").is_empty());
    }

    #[test]
    fn the_last_table_has_more_bits() {
        let tied = ModelConfig::default();
        let untied = ModelConfig { tied_embeddings: false, ..tied.clone() };
        let of = |config, name| format(GgufFormat::Q4KM, config, name, &[1000, 256]);
        assert_eq!((of(&tied, "token_embd.weight"), of(&untied, "token_embd.weight")), (Format::Q6K, Format::Q4K));
        assert_eq!(of(&untied, "output.weight"), Format::Q6K);
        let large = ModelConfig { layers: 80, heads: 64, kv_heads: 8, hidden: 8192, ..ModelConfig::default() };
        assert_eq!(of(&large, "blk.11.attn_v.weight"), Format::Q5K);
        assert_eq!((of(&large, "blk.12.attn_v.weight"), of(&large, "blk.11.attn_k.weight")), (Format::Q6K, Format::Q4K));
    }

    #[test]
    fn rows_that_are_no_blocks() {
        // Qwen2.5-0.5B has rows of 896 numbers: 3.5 blocks of 256, 28 of 32.
        let config = ModelConfig { hidden: 896, layers: 24, heads: 14, ..ModelConfig::default() };
        let of = |wanted, name, columns| format(wanted, &config, name, &[64, columns]);
        let wanted = GgufFormat::Q4KM;
        assert_eq!(of(wanted, "blk.5.attn_q.weight", 896), Format::Q5_0);
        assert_eq!(of(wanted, "token_embd.weight", 896), Format::Q8_0);
        assert_eq!(of(wanted, "blk.0.ffn_down.weight", 4864), Format::Q6K);
        assert_eq!(of(wanted, "blk.0.ffn_down.weight", 40), Format::F16);
        assert_eq!(of(GgufFormat::Q8_0, "blk.0.ffn_down.weight", 40), Format::F16);
        assert_eq!(format(wanted, &config, "blk.0.attn_q.bias", &[896]), Format::F32);
    }
}
