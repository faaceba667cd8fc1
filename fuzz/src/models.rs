//! What is fuzzed of models: files of weights, and what tells of them.

use std::path::Path;

use super::targets::{Seed::File, Target, tokenizer, written};

/// All of them.
pub const MODELS: [Target; 5] = [
    Target {
        name: "gguf",
        seeds: &[File("trainer/testdata/llama.gguf"), File("shards/testdata/vocabularies/gpt2.gguf")],
        run: |folder, bytes| {
            let path = written(folder, "a.gguf", bytes);
            model(&path);
            tokenizer(&path);
        },
    },
    Target {
        name: "safetensors",
        seeds: &[File("trainer/testdata/llama/model.safetensors")],
        run: |folder, bytes| {
            written(folder, "config.json", include_bytes!("../../trainer/testdata/llama/config.json"));
            written(folder, "model.safetensors", bytes);
            model(folder);
        },
    },
    Target {
        name: "hf-config",
        seeds: &[File("trainer/testdata/llama/config.json"), File("trainer/testdata/llama/config.v4.json")],
        run: |folder, bytes| {
            written(folder, "config.json", bytes);
            written(folder, "model.safetensors", include_bytes!("../../trainer/testdata/llama/model.safetensors"));
            model(folder);
        },
    },
    Target {
        name: "peft",
        seeds: &[File("trainer/testdata/adapters/lora/adapter_config.json"), File("trainer/testdata/adapters/dora/adapter_config.json")],
        run: |folder, bytes| {
            written(folder, "adapter_config.json", bytes);
            written(folder, "adapter_model.safetensors", include_bytes!("../../trainer/testdata/adapters/lora/adapter_model.safetensors"));
            let _ = trainer::AdapterFile::open(folder);
        },
    },
    Target {
        name: "adapters",
        seeds: &[File("trainer/testdata/adapters/lora/adapter_model.safetensors")],
        run: |folder, bytes| {
            written(folder, "adapter_config.json", include_bytes!("../../trainer/testdata/adapters/lora/adapter_config.json"));
            written(folder, "adapter_model.safetensors", bytes);
            let _ = trainer::AdapterFile::open(folder);
        },
    },
];

/// A model's files, every number of them: what was opened is as large as its files.
fn model(path: &Path) {
    let Ok(opened) = trainer::Pretrained::open(path) else { return };
    if let (Ok(device), Ok(_)) = (trainer::DeviceSpec::Cpu.open(), opened.digest()) {
        let _ = opened.model(&device);
    }
}
