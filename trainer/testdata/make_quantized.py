"""Makes nf4.safetensors: numbers, and what bitsandbytes' CPU backend makes of them.

Versions it was made with: Python 3.11, torch 2.15.0 (CPU, one thread), bitsandbytes 0.50.2, safetensors
0.8.0. Run it in this folder: `python make_quantized.py`.
"""

import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
draw = torch.Generator().manual_seed(11)
normal = lambda *shape: torch.randn(*shape, generator=draw)
# The same numbers everywhere: each step is exact, or rounded alike.
ramp = lambda length: (torch.arange(length, dtype=torch.int64) * 2_654_435_761 % 16_777_216).float() / 16_777_216
cubes = lambda length: (ramp(length) - 0.5) * (ramp(length) - 0.5) * (ramp(length) - 0.5)
cases = {
    "long": cubes(64 * 280),  # 280 blocks: two nested ones, the second short
    "normal": normal(8, 64) * 0.02,
    "outliers": normal(16, 64) ** 3,
    "sixteen-bit": (normal(16, 64) * 0.05).bfloat16().float(),
    "zeros": torch.cat([normal(3, 64), torch.zeros(2, 64), normal(1, 64)]),
    "equal": torch.ones(4, 64) * 0.5,  # all absolute maxima are their mean
    "tiny": normal(4, 64) * 1e-39,
    "odd": normal(173),  # the last block is short, and of odd length
}
file = {"map": F.create_dynamic_map(), "levels": F.get_4bit_type("nf4", device="cpu")}
for name, values in cases.items():
    codes, state = F.quantize_4bit(values, blocksize=64, compress_statistics=True, quant_type="nf4")
    if name != "long":
        file[f"{name}.values"] = values
    file[f"{name}.codes"] = codes
    file[f"{name}.absmax"] = state.absmax
    file[f"{name}.nested_absmax"] = state.state2.absmax
    file[f"{name}.offset"] = state.offset.reshape(1)
    back = F.dequantize_4bit(codes, state)
    file[f"{name}.back"] = back.flatten()[-640:] if name == "long" else back
lengths = [1, 3, 7, 8, 9, 100, 1000, 4097, 70_000, 300_001, 3_000_003]
file["means"] = torch.stack([ramp(length).mean() for length in lengths])
save_file({name: tensor.contiguous().clone() for name, tensor in file.items()}, "nf4.safetensors")
