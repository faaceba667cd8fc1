"""Decoding of the same shape with transformers' `generate`, random bfloat16 weights; takes the options of the `decode` benchmark.

Time is the difference of a long and a short run, so that prompts are not counted. `--static` has transformers keep a static
cache and compile the decoding step (CUDA graphs).
"""

import argparse
import json
import time

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM


def main():
    parser = argparse.ArgumentParser()
    for name, default in dict(vocab=4096, batch=8, prompt=32, tokens=64, hidden=256, layers=4, heads=4, kv_heads=2, intermediate=704).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    parser.add_argument("--bandwidth", type=float, default=0)
    parser.add_argument("--sampling", default="greedy")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--static", action="store_true")
    a = parser.parse_args()
    config = Qwen2Config(
        vocab_size=a.vocab,
        hidden_size=a.hidden,
        num_hidden_layers=a.layers,
        num_attention_heads=a.heads,
        num_key_value_heads=a.kv_heads,
        intermediate_size=a.intermediate,
        tie_word_embeddings=True,
    )
    torch.manual_seed(1)
    with torch.device(a.device):
        model = Qwen2ForCausalLM(config).to(torch.bfloat16).eval()
    model.generation_config.eos_token_id = None
    ids = torch.randint(0, a.vocab, (a.batch, a.prompt), device=a.device)
    options = dict(do_sample=False, pad_token_id=0, attention_mask=torch.ones_like(ids))
    if a.sampling == "plain":
        options |= dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0)
    if a.sampling == "top-p":
        options |= dict(do_sample=True, temperature=0.7, top_k=0, top_p=0.9)
    if a.static:
        options |= dict(cache_implementation="static")

    def run(tokens):
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.no_grad():
            out = model.generate(ids, max_new_tokens=tokens, min_new_tokens=tokens, **options)
        torch.cuda.synchronize()
        assert out.shape[1] == a.prompt + tokens
        return time.perf_counter() - start

    short = 4
    for _ in range(2 if a.static else 1):
        run(short), run(a.tokens + short)
    seconds = run(a.tokens + short) - run(short)
    parameters = sum(p.numel() for p in model.parameters())
    cached = 2 * a.layers * a.kv_heads * (a.hidden // a.heads) * (a.prompt + a.tokens // 2)
    rate = a.batch * a.tokens / seconds
    share = 2 * (parameters / a.batch + cached) * rate / (a.bandwidth * 1e9) if a.bandwidth else 0
    tool = "transformers, static cache" if a.static else "transformers"
    line = dict(tool=tool, batch=a.batch, prompt=a.prompt, tokens=a.tokens, sampling=a.sampling, parameters=parameters)
    line |= dict(tokens_per_second=round(rate), milliseconds_per_step=round(seconds / a.tokens * 1e3, 3), share_of_bandwidth=round(share, 4))
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
