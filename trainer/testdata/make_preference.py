"""Losses and gradients of objectives of judged answers, by the code of TRL itself, on the tiny Qwen2 of `make_fixtures.py`.

Writes preference.json. Run with torch 2.15.0, transformers 5.24.0, trl 1.16.0:  python make_preference.py
The reference is the same model with every weight times 0.9. TRL's trainers are not built: their loss functions are called
with a stand-in for `self` that has the options, and with a model that gives the log-probabilities that TRL's own patch would give.
ORPO's likelihood and the smoothed loss of DPO differ from TRL (see objective/orpo.rs, dpo.rs) and are formulas here.
"""

import collections
import json
import pathlib
import types

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, Qwen2Config
from trl import DPOTrainer, KTOTrainer, RewardTrainer
from trl.experimental.orpo import ORPOTrainer

HERE = pathlib.Path(__file__).parent
torch.manual_seed(0)
SHOWN = ["model.norm.weight", "model.layers.0.self_attn.q_proj.bias", "model.layers.1.self_attn.v_proj.weight"]

# Prompt, chosen and rejected answer; ids of the tiny model.
PAIRS = [
    ([3, 7, 1], [5, 9, 2, 0], [8, 8, 0]),
    ([4, 4], [1, 0], [6, 2, 7, 7, 1, 0]),
    ([10, 11, 12, 13, 2], [3, 3, 3, 0], [9, 0]),
]
GOOD = [True, False, False, True, True, False]


# What TRL asks the model for: whether it trains, and whether it keeps activations.
SWITCHES = torch.nn.Linear(1, 1)
SWITCHES.is_gradient_checkpointing = False


def tiny(scale):
    model = AutoModelForCausalLM.from_pretrained(HERE / "qwen2", dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model.eval()


class Wrapped(torch.nn.Module):
    """A model with the outputs of TRL's fused head."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, labels, **_):
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
        labels = labels[:, 1:]
        log_probs = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        zeros = torch.zeros_like(log_probs)
        return types.SimpleNamespace(log_probs=log_probs * (labels != -100), entropy=zeros, mean_logits=zeros, is_top1=zeros > 0)


def padded(sequences):
    """Prompt and answer of each, filled up on the right."""
    length = max(len(p) + len(a) for p, a in sequences)
    rows = lambda of: torch.tensor([of(p, a) + [0] * (length - len(p) - len(a)) for p, a in sequences])
    return (
        rows(lambda p, a: p + a),
        rows(lambda p, a: [1] * (len(p) + len(a))),
        rows(lambda p, a: [0] * len(p) + [1] * len(a)),
    )


def stand_in(**options):
    accelerator = types.SimpleNamespace(
        device=torch.device("cpu"),
        gather_for_metrics=lambda x: x,
        gather=lambda x: x,
        unwrap_model=lambda x: x,
    )
    base = dict(
        accelerator=accelerator, aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=False, f_divergence_type="reverse_kl",
        label_smoothing=0.0, loss_weights=[1.0], _metrics=collections.defaultdict(lambda: collections.defaultdict(list)),
        _total_train_tokens=0, use_weighting=False, ref_model=None, model=SWITCHES,
        args=types.SimpleNamespace(gradient_checkpointing_kwargs=None, gradient_checkpointing=False, center_rewards_coefficient=None), calculate_KL=True, _tp_size=1, loss_type="kto",
    )
    return types.SimpleNamespace(**{**base, **options})


def answer(policy, loss, **more):
    """The loss, and the gradient of what the policy consists of."""
    policy.zero_grad()
    loss.backward()
    named = dict(policy.named_parameters())
    norm = torch.sqrt(sum((p.grad ** 2).sum() for p in named.values() if p.grad is not None))
    gradients = {name: named[name].grad.flatten().tolist() for name in SHOWN}
    return dict(loss=loss.item(), grad_norm=norm.item(), gradients=gradients, **more)


def pairs(order):
    return [(p, a) for p, *answers in PAIRS for a in (answers if order == "each" else [])] or (
        [(p, c) for p, c, _ in PAIRS] + [(p, r) for p, _, r in PAIRS]
    )


def dpo(policy, reference, **options):
    ids, attention, completion = padded(pairs("halves"))
    inputs = dict(input_ids=ids, attention_mask=attention, completion_mask=completion)
    this = stand_in(beta=0.3, ref_model=Wrapped(reference), **options)
    return answer(policy, DPOTrainer._compute_loss(this, Wrapped(policy), inputs, False))


def log_probs(model, average):
    ids, attention, completion = padded(pairs("halves"))
    labels = ids.masked_fill(completion == 0, -100)
    sums = Wrapped(model)(ids, attention, labels).log_probs.sum(1)
    return sums / completion.sum(1) if average else sums


def smoothed(policy, reference, epsilon, beta):
    with torch.no_grad():
        before = log_probs(reference, False)
    chosen, rejected = (log_probs(policy, False) - before).chunk(2)
    x = beta * (chosen - rejected)
    return answer(policy, (-(1 - epsilon) * F.logsigmoid(x) - epsilon * F.logsigmoid(-x)).mean())


def reference_free(policy, beta):
    chosen, rejected = log_probs(policy, False).chunk(2)
    return answer(policy, -F.logsigmoid(beta * (chosen - rejected)).mean())


def orpo(policy, beta):
    chosen, rejected = log_probs(policy, True).chunk(2)
    ratios, *_ = ORPOTrainer.odds_ratio_loss(stand_in(beta=beta), chosen, rejected)
    return answer(policy, (-chosen - ratios).mean(), ratios=ratios.tolist())


def kto(policy, reference, order, good):
    # Each prompt with the answer before it, as TRL's map over a batch makes them. Of pairs it has first all chosen answers.
    each = pairs(order)
    mixed = [(p, each[at - 1][1]) for at, (p, _) in enumerate(each)]
    ids, attention, completion = padded(each)
    kl_ids, kl_attention, kl_completion = padded(mixed)
    inputs = dict(
        input_ids=ids, attention_mask=attention, completion_mask=completion,
        KL_input_ids=kl_ids, KL_attention_mask=kl_attention, KL_completion_mask=kl_completion, label=torch.tensor(good),
    )
    this = stand_in(beta=0.3, ref_model=Wrapped(reference), desirable_weight=1.5, undesirable_weight=0.75, loss_type="kto")
    this._compute_kl_logps = types.MethodType(KTOTrainer._compute_kl_logps, this)
    loss = KTOTrainer._compute_loss(this, Wrapped(policy), inputs, False)
    return answer(policy, loss, kl=this._metrics["train"]["kl"][0])


def reward(center, margins):
    config = Qwen2Config.from_pretrained(HERE / "qwen2", num_labels=1, pad_token_id=15)
    model = AutoModelForSequenceClassification.from_pretrained(HERE / "qwen2", config=config, dtype=torch.float32).train()
    with torch.no_grad():
        model.score.weight.copy_(torch.linspace(-0.5, 0.5, config.hidden_size)[None])
    sequences = pairs("halves")
    length = max(len(p) + len(a) for p, a in sequences)
    ids = torch.tensor([p + a + [15] * (length - len(p) - len(a)) for p, a in sequences])
    inputs = dict(input_ids=ids, attention_mask=(ids != 15).long())
    rewards = model(**inputs).logits[:, 0].tolist()
    if margins:
        wrapped = lambda margin, **inputs: model(**inputs)
        wrapped = type("M", (), {"__call__": lambda self, margin, **kw: model(**kw), "training": True})()
        inputs["margin"] = torch.tensor(margins)
    else:
        wrapped = model
    this = stand_in(model=model)
    this.args.center_rewards_coefficient = center
    loss = RewardTrainer.compute_loss(this, wrapped, inputs)
    gradients = answer(model, loss, rewards=rewards)
    gradients["gradients"]["score.weight"] = model.score.weight.grad.flatten().tolist()
    return gradients


def main():
    policy, reference = tiny(1.0), tiny(0.9)
    made = dict(
        pairs=PAIRS,
        good=GOOD,
        dpo=dpo(policy, reference, loss_types=["sigmoid"]),
        ipo=dpo(policy, reference, loss_types=["ipo"]),
        smoothed=smoothed(policy, reference, 0.2, 0.3),
        reference_free=reference_free(policy, 0.3),
        start=dpo(policy, policy, loss_types=["sigmoid"]),
        orpo=orpo(policy, 0.3),
        kto=kto(policy, reference, "each", GOOD),
        # The other way round, where z is not 0.
        kto_pairs=kto(reference, policy, "halves", [True] * 3 + [False] * 3),
        reward=reward(None, None),
        reward_margin=reward(0.05, [0.5, 0.0, 1.25]),
    )
    short = lambda value: float(f"{value:.8g}") if isinstance(value, float) else value
    walk = lambda value: (
        {key: walk(inner) for key, inner in value.items()} if isinstance(value, dict)
        else [walk(inner) for inner in value] if isinstance(value, (list, tuple)) else short(value)
    )
    (HERE / "preference.json").write_text(json.dumps(walk(made)) + "\n")


if __name__ == "__main__":
    main()
