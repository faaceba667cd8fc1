"""LoRA training steps with transformers and peft, to stand beside `step --lora`.

A Qwen2-shaped model of random bfloat16 weights with SDPA attention and adapters on all seven matrices of a layer,
AdamW over the adapters, gradient clipping, random tokens: speed only. Prints one JSON line with tokens/s, MFU =
(4 P + 4 L H T) * tokens/s / peak (frozen weights have no gradients), and the allocator's peak.
"""

import argparse
import json
import time

import peft
import torch
import transformers
from torch import nn


def main():
    p = argparse.ArgumentParser()
    sizes = dict(vocab=152064, hidden=3584, layers=28, heads=28, kv_heads=4, intermediate=18944, seq=4096, batch=1, steps=10, lora=16)
    for name, default in sizes.items():
        p.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    p.add_argument("--peak-tflops", type=float, required=True)
    p.add_argument("--device", default="cuda")
    p.add_argument("--compile", action="store_true", help="torch.compile, for one length of text; the warm-up compiles")
    p.add_argument("--recompute", action="store_true")
    a = p.parse_args()
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=a.vocab, hidden_size=a.hidden, num_hidden_layers=a.layers, num_attention_heads=a.heads, num_key_value_heads=a.kv_heads,
        intermediate_size=a.intermediate, max_position_embeddings=32768, tie_word_embeddings=False, use_cache=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(a.device):
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    model = peft.get_peft_model(model, peft.LoraConfig(r=a.lora, lora_alpha=2 * a.lora, target_modules="all-linear"), autocast_adapter_dtype=True)
    if a.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    trained = [x for x in model.parameters() if x.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    # All shapes stay as they are, and a graph that breaks is told of instead of hidden.
    run = torch.compile(model, dynamic=False, fullgraph=True) if a.compile else model
    ids = torch.randint(0, a.vocab, (a.batch, a.seq), device=a.device)

    def step():
        with torch.autocast(a.device, torch.bfloat16):
            loss = run(input_ids=ids, labels=ids).loss
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    for _ in range(10):
        step()
    wait = torch.cuda.synchronize if a.device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(a.steps):
        step()
    wait()
    rate = a.steps * a.batch * a.seq / (time.perf_counter() - start)
    params = sum(x.numel() for x in model.parameters())
    products = params - a.vocab * a.hidden  # a table that is only looked up stands in no product
    flops = 4 * products + 4 * a.layers * a.hidden * a.seq
    print(json.dumps(dict(tool=f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}", compiled=a.compile,
                          recompute=a.recompute, batch=a.batch, seq=a.seq, parameters=params, trained=sum(x.numel() for x in trained),
                          tokens_per_second=round(rate), mfu=round(flops * rate / (a.peak_tflops * 1e12), 5),
                          peak_memory_gb=round(torch.cuda.max_memory_allocated() / 1e9, 2) if a.device == "cuda" else None)))


if __name__ == "__main__":
    main()
