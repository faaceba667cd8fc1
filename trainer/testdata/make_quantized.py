"""Makes nf4.safetensors and int4.safetensors: numbers, and what bitsandbytes (on the CPU) and
compressed-tensors make of them; and qwen2/nf4.safetensors, the tiny model of that folder in NF4.

Versions they were made with: Python 3.11, torch 2.15.0 (CPU, one thread), bitsandbytes 0.50.2,
compressed-tensors 0.20.0, transformers 5.24.0, safetensors
0.8.0. Run it in this folder: `python make_quantized.py`.
"""

import os
import shutil

import bitsandbytes.functional as F
import torch
from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import quantize
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

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

# The tiny Qwen2 of this folder as transformers saves it in NF4.
how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16)
model = AutoModelForCausalLM.from_pretrained("qwen2", quantization_config=how, dtype=torch.bfloat16, device_map="cpu")
model.save_pretrained("saved")
os.replace("saved/model.safetensors", "qwen2/nf4.safetensors")
shutil.rmtree("saved")

# Groups of 128 and 32 numbers by compressed-tensors, with scales as they are stored in 16 bits.
values = torch.cat([normal(3, 256) * 0.02, torch.zeros(1, 256), normal(2, 256) ** 3, (normal(1, 256) * 8).round() / 4])
file = {"values": values}
for group in [128, 32]:
    args = QuantizationArgs(num_bits=4, type="int", symmetric=True, strategy="group", group_size=group)
    blocks = values.reshape(values.shape[0], -1, group)
    scale, zero = calculate_qparams(blocks.amin(-1), blocks.amax(-1), args)
    stored = scale.bfloat16()
    codes = quantize(values, stored.float(), zero, args, dtype=torch.int8)
    file[f"scale.{group}"] = stored
    file[f"packed.{group}"] = pack_to_int32(codes, 4)
save_file({name: tensor.contiguous() for name, tensor in file.items()}, "int4.safetensors")
