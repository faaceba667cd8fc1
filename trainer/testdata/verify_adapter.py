"""Opens adapters that malmoi trained with the PEFT library, and models that malmoi merged with transformers.

    python verify_adapter.py path/to/malmoi

A tiny model is trained and exported, and beside it adapters of several kinds. PEFT loads each kind from
`export --adapter` without a missing or unexpected key, and its logits are held against those of the merged
model as transformers opens it; both must be far from the base's. Then the cases of `adapters/` are merged by
`export --lora` and held against the logits that PEFT gave for them.

Used with torch 2.15.0 (CPU), transformers 5.24.0 and peft 0.21.2.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings

import peft
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

transformers.utils.logging.disable_progress_bar()
HERE = os.path.dirname(os.path.abspath(__file__))
malmoi = os.path.abspath(sys.argv[1])
root = tempfile.mkdtemp()
failed = False

RECIPE = """output = "{name}"
[[sources]]
name = "text"
bucket = "text"
files = "text.txt"
format = "text"
split = "line"
[tokenizer]
{tokenizer}
[mixture]
text = 1.0
max-epochs = 100
[train]
objective = "cpt"
tokens = 8_192
sequence-length = 64
batch = 8
learning-rate = 1e-2
{model}
"""
SHAPE = "hidden = 32, layers = 2, heads = 4, kv-heads = 2, intermediate = 48"
MODELS = {
    "tied": f"model = {{ {SHAPE} }}",
    "untied": f"model = {{ {SHAPE}, tied-embeddings = false, qkv-bias = false, qk-norm = true }}",
}
KINDS = {
    "lora": ("tied", "rank = 4, dropout = 0.1"),
    "rslora": ("untied", 'rank = 4, alpha = 3.0, rs-lora = true, targets = ["q-proj", "v-proj", "down-proj"]'),
    "dora": ("tied", 'rank = 4, dora = true, full = ["norms"]'),
    "tied": ("tied", 'rank = 4, full = ["embed-tokens"]'),
    "untied": ("untied", 'rank = 4, full = ["embed-tokens", "lm-head", "norms"]'),
}


def call(*arguments):
    subprocess.run([malmoi, *arguments, "--quiet", "--no-progress"], check=True, stdout=subprocess.DEVNULL, cwd=root)


def run(name, tokenizer, model):
    with open(os.path.join(root, f"{name}.toml"), "w") as file:
        file.write(RECIPE.format(name=name, tokenizer=tokenizer, model=model))
    call("run", f"{name}.toml")


def open_model(name):
    return AutoModelForCausalLM.from_pretrained(os.path.join(root, name), dtype=torch.float32).eval()


def logits(model, ids):
    with torch.no_grad():
        return model(input_ids=ids).logits


def told(name, difference, change, strange):
    global failed
    fine = difference <= 1e-4 and change > 1e-2 and not strange
    failed |= not fine
    print(f"{name:12} largest difference of a logit {difference:.2e}, from the base {change:.2e} {'ok' if fine else 'FAILED'} {strange or ''}")


print("peft", peft.__version__, "transformers", transformers.__version__, "torch", torch.__version__)
with open(os.path.join(root, "text.txt"), "w") as file:
    file.writelines(f"{number}번 손님은 {number * 7} 개의 사과를 샀다. Guest {number} bought {number * 7} apples.\n" for number in range(2000))
for base, model in MODELS.items():
    run(f"run-{base}", 'train = { model = "bpe", vocab-size = 400 }', model)
    call("export", f"run-{base}", f"base-{base}", "--dtype", "f32")
rows = json.load(open(os.path.join(root, "base-tied", "config.json")))["vocab_size"]
ids = torch.randint(0, rows, (4, 50), generator=torch.Generator().manual_seed(5))
for kind, (base, lora) in KINDS.items():
    run(f"lora-{kind}", f'load = "base-{base}/tokenizer.json"', f'init = "base-{base}"\nlora = {{ {lora} }}')
    call("export", f"lora-{kind}", f"peft-{kind}", "--adapter")
    call("export", f"lora-{kind}", f"merged-{kind}", "--dtype", "f32")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adapted = PeftModel.from_pretrained(open_model(f"base-{base}"), os.path.join(root, f"peft-{kind}")).eval()
    strange = [str(warning.message) for warning in said if "key" in str(warning.message) or "tie" in str(warning.message)]
    expected = logits(adapted, ids)
    change = (expected - logits(open_model(f"base-{base}"), ids)).abs().max().item()
    told(kind, (expected - logits(open_model(f"merged-{kind}"), ids)).abs().max().item(), change, strange)

for case in sorted(os.listdir(os.path.join(HERE, "adapters"))):
    folder = os.path.join(HERE, "adapters", case)
    if case in ("trajectory", "nf4"):
        continue  # an untrained adapter; and one of another base
    base = os.path.join(HERE, json.load(open(os.path.join(folder, "adapter_config.json")))["base_model_name_or_path"])
    call("export", base, f"case-{case}", "--lora", folder, "--dtype", "f32")
    rows = torch.tensor(json.load(open(os.path.join(base, "ids.json"))))[:, :-1]
    found = logits(open_model(f"case-{case}"), rows)
    expected = load_file(os.path.join(folder, "expected.safetensors"))["logits"].reshape(found.shape)
    change = (expected - logits(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), rows)).abs().max().item()
    told(f"case {case}", (expected - found).abs().max().item(), change, [])

sys.exit(failed)
