"""Makes the files of this folder: tiny random models, and what PyTorch computes with them.

Versions they were made with: Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0, safetensors 0.8.0,
gguf 0.19.0, numpy 2.4.6. Run it in this folder: `python make_fixtures.py`.

For each model: `config.json` and weights as transformers writes them, `config.v4.json` in the dialect
of transformers 4, `ids.json` with token ids, and `expected.safetensors` with the logits of the ids
and, under the parameters' names, the gradients of the summed cross-entropy of the next ids. All is
computed in 32-bit floats, also where the weights are stored in 16 bits.

`llama.gguf` and `qwen3.gguf` are models in llama.cpp's form; `dequantize.gguf` has random blocks of
every quantized type and, as `NAME.expected`, their values by the gguf package.
"""

import json
import math
import os
import shutil

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

VOCAB, ROWS, LENGTH = 40, 2, 13
SHAPE = dict(vocab_size=VOCAB, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64, rms_norm_eps=1e-5)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)
PLAIN = dict(rope_type="default", rope_theta=1000.0)


def fill(model, seed):
    """Large weights, so that every part of the model matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data = 1 + 0.2 * noise if "norm" in name else 0.35 * noise


def expect(model, seed):
    """Ids, logits and gradients."""
    ids = torch.randint(0, VOCAB, (ROWS, LENGTH), generator=torch.Generator().manual_seed(seed))
    model.zero_grad()
    logits = model(input_ids=ids[:, :-1]).logits
    torch.nn.functional.cross_entropy(logits.reshape(-1, VOCAB), ids[:, 1:].reshape(-1), reduction="sum").backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    found["logits"] = logits.detach().reshape(-1, VOCAB).clone()
    return ids.tolist(), found


def older(config):
    """The same config as transformers 4 wrote it."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.57.1"
    return config


def make(name, model, seed, dtype=torch.float32, shard="1GB"):
    fill(model, seed)
    shutil.rmtree(name, ignore_errors=True)
    model.to(dtype).save_pretrained(name, max_shard_size=shard)
    os.remove(f"{name}/generation_config.json")
    # Read again: a cast to 16 bits has rounded the rotary frequencies of this one.
    ids, found = expect(type(model).from_pretrained(name, dtype=torch.float32), seed + 100)
    save_file(found, f"{name}/expected.safetensors")
    json.dump(ids, open(f"{name}/ids.json", "w"))
    config = json.load(open(f"{name}/config.json"))
    json.dump(older(config), open(f"{name}/config.v4.json", "w"), indent=1)
    print(name, sorted(os.listdir(name)))


def interleave(weight, heads):
    """`permute` of llama.cpp's conversion."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def make_gguf(name, model, arch, half, divisors=None):
    """A model as llama.cpp's conversion writes it, with the answers beside it."""
    if half:
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.data = parameter.data.half().float()
    config = model.config
    writer = gguf.GGUFWriter(f"{name}.gguf", arch)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token {id}" for id in range(VOCAB)])
    writer.add_eos_token_id(3)
    if divisors is not None:
        writer.add_tensor("rope_freqs.weight", np.array(divisors, dtype=np.float32))
    for full, parameter in model.named_parameters():
        value = parameter.detach().numpy()
        part, kind = full.rsplit(".", 1)
        if arch == "llama" and part.endswith(("q_proj", "k_proj")):
            value = interleave(value, config.num_attention_heads if "q_proj" in part else config.num_key_value_heads)
        whole = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
        if part in whole:
            theirs = whole[part]
        else:
            _, _, layer, part = part.split(".", 3)
            theirs = f"blk.{layer}.{NAMES[part]}"
        writer.add_tensor(f"{theirs}.{kind}", value.astype(np.float16) if half and value.ndim == 2 else value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ids, found = expect(model, 300)
    save_file({"logits": found["logits"]}, f"{name}.gguf.expected.safetensors")
    json.dump(ids, open(f"{name}.gguf.ids.json", "w"))


def divisors(size, theta, factor, low, high, original):
    """`rope_freqs` of llama.cpp's conversion of Llama 3."""
    found = []
    for frequency in theta ** -(np.arange(0, size, 2) / size):
        wave = 2 * math.pi / frequency
        if wave < original / high:
            found.append(1)
        elif wave > original / low:
            found.append(factor)
        else:
            smooth = (original / wave - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return found


def make_blocks():
    """Random blocks. Scales are finite and of any sign; a scale of zero, a subnormal one and the largest are among them."""
    generator = np.random.default_rng(5)
    writer = gguf.GGUFWriter("dequantize.gguf", "blocks")
    scales = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
    for name, places in scales.items():
        kind = gguf.GGMLQuantizationType[name]
        length, size = gguf.GGML_QUANT_SIZES[kind]
        count = 1024 // length
        blocks = generator.integers(0, 256, (count, size), dtype=np.uint8)
        for place in places:
            halves = generator.normal(0, 0.1, count).astype(np.float16)
            halves[:3] = [0, 6e-8, -65504]
            blocks[:, place : place + 2] = halves.view(np.uint8).reshape(count, 2)
        values = gguf.quants.dequantize(blocks.reshape(2, -1), kind)
        writer.add_tensor(name, blocks.reshape(2, -1), raw_dtype=kind)
        writer.add_tensor(f"{name}.expected", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


make("llama", LlamaForCausalLM(LlamaConfig(**SHAPE, rope_parameters=LLAMA3, tie_word_embeddings=False)), 1)
make("qwen2", Qwen2ForCausalLM(Qwen2Config(**SHAPE, rope_parameters=PLAIN, tie_word_embeddings=True, eos_token_id=[3, 5])), 2)
make("qwen2-untied", Qwen2ForCausalLM(Qwen2Config(**SHAPE, rope_parameters=PLAIN, tie_word_embeddings=False)), 3, shard="6KB")
make("qwen3", Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=6, rope_parameters=PLAIN, tie_word_embeddings=True)), 4, dtype=torch.float16)
make("yarn", Qwen2ForCausalLM(Qwen2Config(**SHAPE, rope_parameters=YARN, tie_word_embeddings=True)), 5, dtype=torch.bfloat16)

rope = dict(LLAMA3, rope_theta=500000.0, original_max_position_embeddings=8192)
model = LlamaForCausalLM(LlamaConfig(**dict(SHAPE, hidden_size=32, num_attention_heads=4, num_key_value_heads=2), rope_parameters=rope, tie_word_embeddings=False))
fill(model, 6)
make_gguf("llama", model, "llama", half=True, divisors=divisors(8, 500000.0, 8.0, 1.0, 4.0, 8192))
model = Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=6, rope_parameters=PLAIN, tie_word_embeddings=True))
fill(model, 7)
make_gguf("qwen3", model, "qwen3", half=False)
make_blocks()
