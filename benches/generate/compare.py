"""Tokens a second of `malmoi generate` beside transformers' `generate`, and without a cache.

For each batch size, both continue the same prompts by the same number of likeliest tokens; end tokens are
ignored. Loading and one run to warm up are not measured: malmoi's time is the difference of a long and a short run. CPU
time is counted beside the wall's, since a busy machine makes the latter worth little.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

PROMPTS = ["The capital of France is", "def fibonacci(n):\n    ", "Once upon a time there was a", "Water boils when it is"]


def used(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def malmoi(arguments, batch, tokens):
    """Wall and CPU seconds of the whole process, and what it wrote."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for at in range(batch):
            print(json.dumps({"prompt": PROMPTS[at % len(PROMPTS)]}), file=file)
        file.flush()
        command = [arguments.malmoi, "generate", arguments.model, "--prompts", file.name, "--json", "--temperature", "0", "--ignore-end"]
        command += ["--tokens", str(tokens), "--batch", str(batch), "--jobs", str(arguments.threads)]
        wall, cpu = time.time(), used(resource.RUSAGE_CHILDREN)
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall, cpu = time.time() - wall, used(resource.RUSAGE_CHILDREN) - cpu
    lines = [json.loads(line) for line in out.splitlines()]
    return wall, cpu, [line["ids"] for line in lines if line["reason"] == "completion"]


def measure_malmoi(arguments, batch):
    short = malmoi(arguments, batch, arguments.short)
    long = malmoi(arguments, batch, arguments.tokens)
    return long[0] - short[0], long[1] - short[1], long[2]


def transformers(arguments):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(arguments.threads)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    tokenizer.padding_side = "left"
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    model.generation_config.eos_token_id = None

    def once(batch, tokens, cache=True):
        texts = [PROMPTS[at % len(PROMPTS)] for at in range(batch)]
        inputs = tokenizer(texts, return_tensors="pt", padding=True)
        wall, cpu = time.time(), used(resource.RUSAGE_SELF)
        ids = model.generate(**inputs, max_new_tokens=tokens, do_sample=False, use_cache=cache, pad_token_id=tokenizer.pad_token_id)
        wall, cpu = time.time() - wall, used(resource.RUSAGE_SELF) - cpu
        return wall, cpu, ids[:, inputs.input_ids.shape[1] :].tolist()

    def measure(batch, cache=True):
        short = once(batch, arguments.short, cache)
        long = once(batch, arguments.tokens, cache)
        return long[0] - short[0], long[1] - short[1], long[2]

    return measure


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--malmoi", default="target/release/malmoi")
    parser.add_argument("--tokens", type=int, default=68)
    parser.add_argument("--short", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--no-cache", action="store_true", help="also transformers without a cache, at the first batch size")
    arguments = parser.parse_args()
    peer = transformers(arguments)
    for batch in arguments.batches:
        rows = [("malmoi", measure_malmoi(arguments, batch)), ("transformers", peer(batch))]
        if arguments.no_cache and batch == arguments.batches[0]:
            rows.append(("transformers, no cache", peer(batch, cache=False)))
        same = sum(a == b for a, b in zip(rows[0][1][2], rows[1][1][2]))
        tokens = batch * (arguments.tokens - arguments.short)
        for name, (wall, cpu, _) in rows:
            line = dict(program=name, batch=batch, threads=arguments.threads, tokens_per_second=tokens / wall, tokens_per_cpu_second=tokens / cpu)
            print(json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in line.items()}), flush=True)
        print(json.dumps(dict(batch=batch, same_text=f"{same} of {batch}")), flush=True)


if __name__ == "__main__":
    sys.exit(main())
