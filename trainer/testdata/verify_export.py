"""Opens exported folders with transformers and compares what it computes.

    python verify_export.py path/to/malmoi [run-folder]

Each model of this folder is exported and opened by `AutoModelForCausalLM`. In 32 bits, in many files,
its logits are held against the ones that transformers gave for the fixture; in 16 bits, its
parameters against torch's rounding.
The GGUF models are exported too. Of a run folder whose recipe has `sample` with `temperature = 0`, the
latest checkpoint is exported in 32 bits and transformers continues the prompts of samples.jsonl: it
must write the same text. A SentencePiece tokenizer needs the sentencepiece and protobuf packages.

Used with torch 2.15.0 (CPU), and transformers 5.24.0 or 4.57.1.
"""

import json
import os
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

transformers.utils.logging.disable_progress_bar()
HERE = os.path.dirname(os.path.abspath(__file__))
malmoi = os.path.abspath(sys.argv[1])
root = tempfile.mkdtemp()
failed = False


def export(source, name, *options):
    folder = os.path.join(root, name)
    subprocess.run([malmoi, "export", source, folder, "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
    return folder


def compare(name, folder, ids, expected, most):
    global failed
    model, told = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    ids = torch.tensor(json.load(open(ids)))[:, :-1]
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    difference = (logits.reshape(-1, logits.shape[-1]) - load_file(expected)["logits"]).abs().max().item()
    strange = {key: list(value) for key, value in told.items() if value}
    fine = difference <= most and not strange
    failed |= not fine
    print(f"{name:24} {type(model).__name__:18} largest difference of a logit {difference:.2e} {'ok' if fine else 'FAILED'} {strange or ''}")


def compare_rounded(name, folder, source, dtype):
    """Every parameter is the source's, rounded as torch rounds."""
    global failed
    wide, narrow = (AutoModelForCausalLM.from_pretrained(path, dtype=type) for path, type in [(source, torch.float32), (folder, dtype)])
    pairs = list(zip(wide.named_parameters(), narrow.named_parameters(), strict=True))
    equal = sum(a == b and torch.equal(x.to(dtype), y) for (a, x), (b, y) in pairs)
    failed |= equal != len(pairs)
    print(f"{name:24} {type(narrow).__name__:18} {equal} of {len(pairs)} parameters are torch's rounding {'ok' if equal == len(pairs) else 'FAILED'}")


print("transformers", transformers.__version__, "torch", torch.__version__)
for name in ["llama", "qwen2", "qwen2-untied", "qwen3", "yarn"]:
    source = os.path.join(HERE, name)
    files = (os.path.join(source, "ids.json"), os.path.join(source, "expected.safetensors"))
    compare(f"{name} f32", export(source, f"{name}-f32", "--dtype", "f32", "--file-bytes", "6000"), *files, 1e-4)
    compare_rounded(f"{name} bf16", export(source, f"{name}-bf16"), source, torch.bfloat16)
    compare_rounded(f"{name} f16", export(source, f"{name}-f16", "--dtype", "f16"), source, torch.float16)
for name in ["llama.gguf", "qwen3.gguf"]:
    source = os.path.join(HERE, name)
    compare(f"{name} f32", export(source, f"{name}-folder", "--dtype", "f32"), f"{source}.ids.json", f"{source}.expected.safetensors", 1e-4)

if len(sys.argv) > 2:
    run = sys.argv[2]
    folder = export(run, "run", "--dtype", "f32")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)
    for line in open(os.path.join(run, "samples.jsonl")):
        sample = json.loads(line)
        ids = tokenizer(sample["prompt"], add_special_tokens=False, return_tensors="pt").input_ids
        count = len(tokenizer(sample["text"], add_special_tokens=False).input_ids)
        made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, pad_token_id=0)
        text = tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
        # The text, encoded again, can have fewer tokens than were written (spaces that are merged).
        fine = bool(text) and sample["text"].startswith(text)
        failed |= not fine
        print(f"run: {sample['prompt']!r} -> {text!r} {'ok' if fine else 'FAILED, malmoi wrote ' + repr(sample['text'])}")

sys.exit(failed)
