"""Makes blocks.safetensors: numbers, and what ggml's reference code makes of them.

    python make_blocks.py path/to/libggml-base.so

The library is a file of the npm package @node-llama-cpp/linux-x64, of which 3.22.1 was used (`npm pack` gets
it; no code of the package is run). Besides: Python 3.11, torch 2.15.0, safetensors 0.8.0, blake3 1.0.11.
`values` are numbers of several kinds; under each format's name are the bytes of their blocks, and under
`NAME.hash` the BLAKE3 hash of the bytes of a million numbers that the test makes by itself.
"""

import ctypes
import sys

import blake3
import numpy as np
import torch
from safetensors.torch import save_file

ggml = ctypes.CDLL(sys.argv[1])
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
ggml.ggml_row_size.restype = ctypes.c_size_t
ggml.ggml_row_size.argtypes = [ctypes.c_int, ctypes.c_int64]
FORMATS = {"q8_0": 8, "q5_0": 6, "q5_1": 7, "q4_k": 12, "q5_k": 13, "q6_k": 14}


def quantize(kind, values):
    values = np.ascontiguousarray(values, dtype=np.float32)
    out = np.zeros(ggml.ggml_row_size(kind, values.size), dtype=np.uint8)
    assert ggml.ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, values.size // 256, 256, None) == out.size
    return out


draw = torch.Generator().manual_seed(3)
normal = lambda rows: torch.randn(rows, 256, generator=draw)
kinds = [
    normal(4) * 0.02,
    (normal(2) * 0.05).bfloat16().float(),
    normal(2) ** 5,
    normal(1).abs() * 0.1,  # none below zero
    -normal(1).abs() * 0.1,
    torch.zeros(1, 256),
    torch.ones(1, 256) * 0.3,
    torch.cat([normal(1)[:, :128] * 1e-7, normal(1)[:, :128]], 1),  # groups whose scale becomes zero
    torch.cat([torch.zeros(1, 64), normal(1)[:, :192] * 1e-3], 1),
    normal(1) * 1e-18,
    normal(1) * 1e-40,
    normal(1) * 1e4,  # at the end of what 16 bits hold
    (normal(1) * 4).round() / 8,  # halves and quarters: ties
]
values = torch.cat(kinds)
file = {"values": values}
ramp = (torch.arange(1 << 20, dtype=torch.int64) * 2_654_435_761 % 16_777_216).float() / 16_777_216 - 0.5
cubes = (ramp * ramp * ramp * 0.25).numpy()
for name, kind in FORMATS.items():
    file[name] = torch.from_numpy(quantize(kind, values.numpy()))
    file[f"{name}.hash"] = torch.tensor(list(blake3.blake3(quantize(kind, cubes).tobytes()).digest()), dtype=torch.uint8)
save_file({name: tensor.contiguous() for name, tensor in file.items()}, "blocks.safetensors")
