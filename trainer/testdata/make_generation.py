"""Makes `generation.json`: what transformers generates with the models of this folder, and what its samplers leave of some logits.

Versions it was made with: Python 3.11, torch 2.15.0 (CPU), transformers 5.24.0. Run it in this folder,
after `make_fixtures.py`: `python make_generation.py`.

`models` has, for each model, prompts of several lengths with the greedy continuation of each and the
log-probability of each of its tokens, all in 32-bit floats. `samplers` has logits, the ids that came before,
options, and the probability of every id after the processors of `generate`, in its order.
"""

import json

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

FAMILIES = ["llama", "qwen2", "qwen2-untied", "qwen3", "yarn"]
TOKENS, VOCAB = 24, 40


def continuations(name, seed):
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = None
    generator = torch.Generator().manual_seed(seed)
    found = []
    for length in [1, 2, 7, 38]:
        prompt = torch.randint(0, VOCAB, (1, length), generator=generator)
        with torch.no_grad():
            ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=TOKENS, do_sample=False)
            log_probs = model(ids[:, :-1]).logits.log_softmax(-1).gather(2, ids[:, 1:, None])[0, length - 1 :, 0]
        found.append({"prompt": prompt[0].tolist(), "ids": ids[0, length:].tolist(), "log_probs": log_probs.tolist()})
    return found


def sampled(seed, penalty=1.0, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(1, 60, generator=generator)
    before = torch.randint(0, 60, (1, 9), generator=generator)
    steps = LogitsProcessorList()
    if penalty != 1.0:
        steps.append(RepetitionPenaltyLogitsProcessor(penalty))
    if temperature != 1.0:
        steps.append(TemperatureLogitsWarper(temperature))
    if top_k > 0:
        steps.append(TopKLogitsWarper(top_k))
    if top_p < 1.0:
        steps.append(TopPLogitsWarper(top_p))
    if min_p > 0.0:
        steps.append(MinPLogitsWarper(min_p))
    probabilities = steps(before, logits.clone()).softmax(-1)
    options = dict(repetition_penalty=penalty, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    return {"logits": logits[0].tolist(), "before": before[0].tolist(), "options": options, "probabilities": probabilities[0].tolist()}


models = {name: continuations(name, seed) for seed, name in enumerate(FAMILIES)}
cases = [
    dict(),
    dict(temperature=0.6),
    dict(temperature=1.7, top_k=5),
    dict(top_k=59),
    dict(top_p=0.9),
    dict(top_p=0.3, temperature=2.0),
    dict(top_p=0.01),
    dict(min_p=0.1),
    dict(penalty=1.3),
    dict(penalty=0.7, temperature=0.8),
    dict(penalty=1.2, temperature=0.9, top_k=20, top_p=0.8, min_p=0.05),
]
samplers = [sampled(seed, **options) for seed, options in enumerate(cases)]
with open("generation.json", "w") as file:
    file.write(json.dumps({"models": models, "samplers": samplers}) + "\n")
