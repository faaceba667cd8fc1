"""Makes `rl.json`: what TRL's own code makes of fixed tensors in PPO and GRPO.

Versions it was made with: Python 3.11, torch 2.15.0 (CPU), trl 1.16.0 (GRPO), and the wheel of trl 0.11.4 (PPO, the last
line of versions with `PPOTrainer`; it does not import beside transformers of today, so that the functions are
taken out of its files). Run it in this folder: `python make_rl.py trl-0.11.4-py3-none-any.whl`.

All tensors have a row for each answer and are cut to its tokens. Advantages, returns and token rewards are computed in 64
bits. Losses come with their gradients with respect to log-probabilities and values.
"""

import ast
import json
import sys
import types
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Mapping, MutableMapping
from typing import Dict, Optional

import numpy as np
import torch

LENGTHS = [5, 1, 7, 3, 6, 2]
ANSWERS, LONGEST = len(LENGTHS), max(LENGTHS)
MASK = torch.tensor([[float(at < length) for at in range(LONGEST)] for length in LENGTHS], dtype=torch.float64)


def rows(tensor):
    return [row[:length].tolist() for row, length in zip(tensor.detach(), LENGTHS)]


def old_trl(wheel):
    """The functions of trl 0.11.4 that PPO's arithmetic consists of."""
    wanted = {
        "trl/core.py": ["masked_mean", "masked_var", "masked_whiten", "clip_by_value", "entropy_from_logits", "flatten_dict"],
        "trl/trainer/utils.py": ["AdaptiveKLController"],
        "trl/trainer/ppo_trainer.py": ["compute_rewards", "_kl_penalty", "compute_advantages", "loss"],
    }
    space = {"torch": torch, "np": np, "warnings": warnings, "Optional": Optional, "Dict": Dict, "Mapping": Mapping, "MutableMapping": MutableMapping}
    with zipfile.ZipFile(wheel) as files:
        for name, names in wanted.items():
            tree = ast.parse(files.read(name))
            found = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name in names]
            assert len(found) == len(names), (name, [node.name for node in found])
            exec(compile(ast.Module(found, []), name, "exec"), space)
    return types.SimpleNamespace(**{name: space[name] for names in wanted.values() for name in names})


def ppo(wheel, generator):
    trl = old_trl(wheel)
    draw = lambda scale: torch.randn(ANSWERS, LONGEST, generator=generator, dtype=torch.float64) * scale
    log_probs, values = draw(1.0) - 3.0, draw(0.7)
    reference = log_probs + draw(0.3)
    scores = torch.randn(ANSWERS, generator=generator, dtype=torch.float64)
    out = {"log_probs": rows(log_probs), "reference": rows(reference), "values": rows(values), "scores": scores.tolist(), "cases": []}
    for coefficient, gamma, lam, whiten_rewards in [(0.2, 1.0, 0.95, False), (0.05, 0.9, 0.8, False), (0.2, 1.0, 1.0, True)]:
        config = types.SimpleNamespace(gamma=gamma, lam=lam, whiten_rewards=False, kl_penalty="kl", cliprange=0.2,
                                       cliprange_value=0.2, vf_coef=0.1, ratio_threshold=10.0)
        fake = types.SimpleNamespace(config=config, kl_ctl=types.SimpleNamespace(value=coefficient))
        fake._kl_penalty = lambda own, other: trl._kl_penalty(fake, own, other)
        rewards, _, _ = trl.compute_rewards(fake, scores, log_probs, reference, MASK)
        whitened = rewards
        if whiten_rewards:
            # `compute_advantages` would whiten the padding too, and let it flow into the tokens before it.
            whitened = trl.masked_whiten(rewards * MASK, MASK, shift_mean=False) * MASK
        _, advantages, returns = trl.compute_advantages(fake, values, whitened, MASK)
        new = (log_probs + draw(0.3)).float().requires_grad_()
        new_values = (values + draw(0.3)).float().requires_grad_()
        policy, value, stats = trl.loss(fake, log_probs.float(), values.float(), torch.zeros(ANSWERS, LONGEST, 2), new_values, new,
                                        MASK.float(), advantages.float(), returns.float())
        (policy + value).backward()
        out["cases"].append({
            "coefficient": coefficient, "gamma": gamma, "lambda": lam, "whiten_rewards": whiten_rewards,
            "rewards": rows(rewards), "advantages": rows(advantages), "returns": rows(returns),
            "new_log_probs": rows(new), "new_values": rows(new_values), "policy": policy.item(), "value": value.item() / config.vf_coef,
            "clip_fraction": stats["policy/clipfrac"].item(), "value_clip_fraction": stats["val/clipfrac"].item(),
            "moved": stats["policy/policykl"].item(), "d_log_probs": rows(new.grad), "d_values": rows(new_values.grad),
        })
    controller = trl.AdaptiveKLController(0.2, 6.0, 100.0)
    out["controller"] = []
    for current in [6.0, 6.3, 5.0, 60.0, -2.0]:
        controller.update(current, 16)
        out["controller"].append([current, float(controller.value)])
    return out


class Anything:
    """Takes every call and gives what it was called with."""

    def __getattr__(self, name):
        return lambda value, *_, **__: value


def grpo(generator):
    from trl import GRPOTrainer
    from trl.trainer.utils import nanstd

    draw = lambda scale: torch.randn(ANSWERS, LONGEST, generator=generator) * scale
    old = draw(1.0) - 3.0
    reference = old + draw(0.3)
    rewards = torch.tensor([1.0, 0.0, 0.5, 0.25, 0.25, 0.25], dtype=torch.float64)  # two groups of three, the second flat
    out = {"rewards": rewards.tolist(), "group": 3, "old": rows(old), "reference": rows(reference), "advantages": {}, "cases": []}
    grouped = rewards.view(-1, 3)
    centred = (grouped - grouped.mean(dim=1, keepdim=True)).view(-1)
    out["advantages"]["none"] = centred.tolist()
    out["advantages"]["group"] = (centred / (nanstd(grouped, dim=1).repeat_interleave(3) + 1e-4)).tolist()
    out["advantages"]["batch"] = (centred / (nanstd(rewards) + 1e-4)).tolist()
    advantages = torch.randn(ANSWERS, generator=generator)
    out["loss_advantages"] = advantages.tolist()
    mask = MASK.float()
    for loss, beta, low, high in [("dapo", 0.0, 0.2, 0.28), ("grpo", 0.04, 0.2, 0.2), ("dr_grpo", 0.0, 0.1, 0.3), ("dapo", 0.1, 0.2, 0.2)]:
        new = (old + draw(0.3)).requires_grad_()
        trainer = types.SimpleNamespace(
            _get_per_token_logps_and_entropies=lambda *_, **__: (new, torch.zeros_like(new), None),
            aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
            beta=beta, args=types.SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1),
            loss_type=loss, epsilon_low=low, epsilon_high=high, use_vllm=False, model=types.SimpleNamespace(training=True),
            current_gradient_accumulation_steps=1, max_completion_length=16, accelerator=Anything(), _entropy_bonus_enabled=False,
            _metrics={"train": defaultdict(list)},
        )
        trainer.accelerator.__dict__["num_processes"] = 1
        inputs = {
            "prompt_ids": torch.zeros(ANSWERS, 1, dtype=torch.long), "prompt_mask": torch.ones(ANSWERS, 1), "advantages": advantages,
            "completion_ids": torch.zeros(ANSWERS, LONGEST, dtype=torch.long), "completion_mask": mask,
            "old_per_token_logps": old, "ref_per_token_logps": reference, "num_items_in_batch": mask.sum(),
        }
        value = GRPOTrainer._compute_loss(trainer, None, inputs)
        value.backward()
        metrics = trainer._metrics["train"]
        out["cases"].append({
            "loss": loss, "beta": beta, "low": low, "high": high, "longest": 16, "new": rows(new), "value": value.item(),
            "clip_fraction": metrics["clip_ratio/region_mean"][0], "d_new": rows(new.grad),
        })
    return out


generator = torch.Generator().manual_seed(6)
with open("rl.json", "w") as file:
    json.dump({"ppo": ppo(sys.argv[1], generator), "grpo": grpo(generator)}, file)
    file.write("\n")
