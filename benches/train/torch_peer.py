"""The same training step in PyTorch, to stand beside malmoi's tokens per second.

A Llama/Qwen2-shaped decoder (RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied
embedding) with AdamW and gradient clipping, on random tokens: speed only, no quality claim.
Prints one JSON line with tokens/s and MFU = (6 P + 6 L H T) * tokens/s / peak, where P counts the
parameters once, L layers, H hidden size, T sequence length; peak is given by the caller. Under `torchrun` each process
has a card and the batch is that of one card; tokens/s are those of all.
"""

import argparse
import json
import os
import time

import torch
import torch.distributed
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Block(nn.Module):
    def __init__(self, hidden, heads, kv_heads, intermediate):
        super().__init__()
        self.heads, self.kv_heads, self.size = heads, kv_heads, hidden // heads
        self.norm1, self.norm2 = nn.RMSNorm(hidden), nn.RMSNorm(hidden)
        self.q = nn.Linear(hidden, hidden)
        self.k = nn.Linear(hidden, kv_heads * self.size)
        self.v = nn.Linear(hidden, kv_heads * self.size)
        self.o = nn.Linear(hidden, hidden, bias=False)
        self.gate = nn.Linear(hidden, intermediate, bias=False)
        self.up = nn.Linear(hidden, intermediate, bias=False)
        self.down = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        h = self.norm1(x)
        split = lambda y, n: y.view(b, t, n, self.size).transpose(1, 2)
        q, k, v = split(self.q(h), self.heads), split(self.k(h), self.kv_heads), split(self.v(h), self.kv_heads)
        turn = lambda y: y * cos + torch.cat((-y[..., self.size // 2 :], y[..., : self.size // 2]), -1) * sin
        a = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True, enable_gqa=True)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, -1))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Decoder(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.embed = nn.Embedding(a.vocab, a.hidden)
        self.blocks = nn.ModuleList(Block(a.hidden, a.heads, a.kv_heads, a.intermediate) for _ in range(a.layers))
        self.norm = nn.RMSNorm(a.hidden)
        size = a.hidden // a.heads
        angle = torch.outer(torch.arange(a.seq), 1e4 ** (-torch.arange(0, size, 2) / size))
        angle = torch.cat((angle, angle), -1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids):
        x = self.embed(ids)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return F.linear(self.norm(x), self.embed.weight)


def main():
    p = argparse.ArgumentParser()
    for name, default in dict(vocab=4096, hidden=256, layers=4, heads=4, kv_heads=2, intermediate=704, seq=256, batch=16, steps=30).items():
        p.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--peak-tflops", type=float, required=True, help="of the number format that the matrix products run in")
    p.add_argument("--bf16", action="store_true", help="autocast to bf16; else f32 (TF32 off)")
    p.add_argument("--pure", action="store_true", help="weights, gradients and moments in bf16, as a model is usually fine-tuned")
    p.add_argument("--compile", action="store_true", help="torch.compile")
    a = p.parse_args()
    torch.manual_seed(0)
    cards = int(os.environ.get("WORLD_SIZE", 1))
    if cards > 1:
        a.device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(a.device)
        torch.distributed.init_process_group("nccl")
    model = Decoder(a).to(a.device, torch.bfloat16 if a.pure else torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=a.device.startswith("cuda"))
    run = DistributedDataParallel(model) if cards > 1 else model
    run = torch.compile(run) if a.compile else run
    ids = torch.randint(0, a.vocab, (a.batch, a.seq + 1), device=a.device)

    def step():
        with torch.autocast(a.device.split(":")[0], torch.bfloat16, enabled=a.bf16):
            logits = run(ids[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    wait = torch.cuda.synchronize if a.device.startswith("cuda") else lambda: None
    for _ in range(10):
        step()
    wait()
    start = time.perf_counter()
    for _ in range(a.steps):
        step()
    wait()
    rate = cards * a.steps * a.batch * a.seq / (time.perf_counter() - start)
    params = sum(x.numel() for x in model.parameters())
    flops = 6 * params + 6 * a.layers * a.hidden * a.seq
    if a.device == "cuda:0" and cards > 1 or cards == 1:
        report(a, cards, params, rate, flops)
    if cards > 1:
        torch.distributed.destroy_process_group()


def report(a, cards, params, rate, flops):
    print(json.dumps(dict(tool="torch " + torch.__version__, device=a.device, cards=cards, format="bf16 weights" if a.pure else "bf16" if a.bf16 else "f32",
                          compiled=a.compile, batch=a.batch, seq=a.seq, parameters=params,
                          tokens_per_second=round(rate), mfu=round(flops * rate / (a.peak_tflops * 1e12 * cards), 5),
                          peak_memory_gb=round(torch.cuda.max_memory_allocated() / 1e9, 2) if a.device.startswith("cuda") else None)))


if __name__ == "__main__":
    main()
