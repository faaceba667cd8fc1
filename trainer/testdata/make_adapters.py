"""Makes `adapters/`: adapters of the PEFT library over the tiny models of this folder, and what PEFT computes with them.

Versions they were made with: Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0, peft 0.21.2,
bitsandbytes 0.50.2, safetensors 0.8.0. Run it in this folder, after `make_fixtures.py`: `python make_adapters.py`.

Each case is a folder as `save_pretrained` writes it, and in it `expected.safetensors`: the logits of the
base's `ids.json` and, under the names of the parameters without PEFT's prefix, the gradients of the summed
cross-entropy. `nf4` has a base whose layers are what bitsandbytes gives back of NF4 with double
quantization, and whose tables are rounded to bfloat16. `trajectory` has an untrained adapter and, in
`trajectory.json`, the loss and the length of the gradient of fifty steps of AdamW.
"""

import json
import os
import shutil

import bitsandbytes.functional as bnb
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PREFIX = "base_model.model."


def base(name):
    return AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, attn_implementation="eager")


def adapt(model, **config):
    torch.manual_seed(1)
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **config))


def disturb(model, seed):
    """As if it had been trained: B is not 0, nothing is where it began."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data = parameter.data * (1 + 0.1 * noise) if "magnitude" in name else parameter.data + 0.1 * noise


def loss(model, ids):
    logits = model(input_ids=ids[:, :-1]).logits
    return logits, torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1), reduction="sum")


def plain(name):
    """A parameter's name without what PEFT puts around it."""
    for part in [".default", ".modules_to_save"]:
        name = name.replace(part, "")
    return name.removeprefix(PREFIX).replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def save(case, model, name):
    shutil.rmtree(f"adapters/{case}", ignore_errors=True)
    model.save_pretrained(f"adapters/{case}")
    os.remove(f"adapters/{case}/README.md")
    path = f"adapters/{case}/adapter_config.json"
    config = json.load(open(path))
    config["target_modules"].sort()
    config["base_model_name_or_path"] = name
    json.dump(config, open(path, "w"), indent=1)


def make(case, name, model, **config):
    model = adapt(model, **config)
    disturb(model, 7)
    save(case, model, name)
    model.eval()  # no dropout
    ids = torch.tensor(json.load(open(f"{name}/ids.json")))
    logits, summed = loss(model, ids)
    summed.backward()
    found = {plain(name): parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.requires_grad}
    found["logits"] = logits.detach().reshape(-1, logits.shape[-1]).clone()
    save_file(found, f"adapters/{case}/expected.safetensors")
    print(case, len(found) - 1, "gradients,", sorted(os.listdir(f"adapters/{case}")))


def quantized(name):
    model = base(name)
    for path, parameter in model.named_parameters():
        if parameter.dim() == 2 and "layers" in path:
            # As one row: for narrow matrices bitsandbytes' CPU code gives back others than its own codes and scales say.
            codes, state = bnb.quantize_4bit(parameter.data.flatten(), blocksize=64, quant_type="nf4", compress_statistics=True)
            parameter.data = bnb.dequantize_4bit(codes, state).reshape(parameter.shape).float()
        elif parameter.dim() == 2:
            parameter.data = parameter.data.bfloat16().float()
    return model


def trajectory(name):
    model = adapt(base(name), r=4, lora_alpha=8, target_modules=ALL)
    save("trajectory", model, name)
    ids = torch.randint(0, 40, (50, 4, 17), generator=torch.Generator().manual_seed(3))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.01)
    model.train()
    steps = []
    for batch in ids:
        _, summed = loss(model, batch)
        mean = summed / batch[:, 1:].numel()
        mean.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        steps.append([mean.item(), norm.item()])
    json.dump({"ids": ids.tolist(), "steps": steps}, open("adapters/trajectory/trajectory.json", "w"))
    print("trajectory", steps[0], steps[-1])


os.makedirs("adapters", exist_ok=True)
make("lora", "llama", base("llama"), r=4, lora_alpha=8, target_modules=ALL)
make("full", "llama", base("llama"), r=2, lora_alpha=8, target_modules=["q_proj", "v_proj"], modules_to_save=["embed_tokens", "lm_head"], lora_dropout=0.1)
make("rslora", "qwen2", base("qwen2"), r=4, lora_alpha=3, use_rslora=True, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
make("tied", "qwen2", base("qwen2"), r=2, lora_alpha=4, target_modules=["down_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True)
make("dora", "qwen2", base("qwen2"), r=4, lora_alpha=8, use_dora=True, target_modules=["q_proj", "gate_proj", "down_proj"])
NORMS = ["input_layernorm", "post_attention_layernorm", "q_norm", "k_norm", "norm"]
make("dora-norms", "qwen3", base("qwen3"), r=3, lora_alpha=6, use_dora=True, use_rslora=True, target_modules=ALL, modules_to_save=NORMS)
make("nf4", "llama", quantized("llama"), r=4, lora_alpha=8, target_modules=ALL)
trajectory("llama")
