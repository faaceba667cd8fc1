"""Writes eight_bit.bin, the oracle of src/optimizer/eight_bit.rs: AdamW with moments in 8-bit blocks.

The formulas are those of Dettmers et al. 2022 (arXiv 2110.02861) as bitsandbytes has them: the dynamic map
of `functional.create_dynamic_map`, blocks of 256, the update from the moments before they are coded, and a
mean that keeps its sign. Written with numpy 2.4.6; no number comes from malmoi.

    python make_eight_bit.py
"""
import pathlib

import numpy as np

BLOCK, COUNT, STEPS = 256, 300, 6
RATE, BETA1, BETA2, EPSILON, DECAY = 1e-2, 0.9, 0.95, 1e-8, 0.1
F = np.float32


def dynamic_map(signed):
    """256 numbers from -1 (0 without a sign) to 1: seven powers of ten, each with twice the places of the last."""
    values = [0.0, 1.0]
    for exponent in range(7):
        edges = np.linspace(0.1, 1.0, (1 if signed else 2) * 2**exponent + 1)
        middles = (edges[:-1] + edges[1:]) / 2 * 10.0 ** (exponent - 6)
        values += list(middles) + (list(-middles) if signed else [])
    assert len(values) == 256
    return np.sort(np.array(values)).astype(F)


def decode(codes, scales, table):
    return table[codes] * np.repeat(scales, BLOCK)[: len(codes)]


def encode(values, table, signed):
    scales = np.array([np.abs(values[at : at + BLOCK]).max() for at in range(0, len(values), BLOCK)], F)
    wide = np.repeat(scales, BLOCK)[: len(values)]
    parts = np.divide(values, wide, out=np.zeros_like(values), where=wide > 0)
    middles = (table[:-1] + table[1:]) / F(2)
    codes = np.searchsorted(middles, parts, side="left")
    if signed:
        other = np.signbit(table[codes]) != np.signbit(values)
        codes = np.where(other, np.where(values > 0, codes + 1, codes - 1), codes)
    return codes, scales


random = np.random.default_rng(5)
# Gradients of very different sizes side by side, zeros, and a block that is all zero at first.
sizes = 10.0 ** random.uniform(-6, 0, COUNT)
gradients = (random.standard_normal((STEPS, COUNT)) * sizes).astype(F)
gradients[:, ::17] = 0
gradients[:2, BLOCK:] = 0
weights = random.standard_normal(COUNT).astype(F)

tables = [dynamic_map(True), dynamic_map(False)]
states = [encode(np.zeros(COUNT, F), table, False) for table in tables]
out = [tables[0], tables[1], weights, gradients.ravel()]
for step, gradient in enumerate(gradients, 1):
    mean, square = [decode(*state, table) for state, table in zip(states, tables)]
    mean = mean * F(BETA1) + gradient * F(1 - BETA1)
    square = square * F(BETA2) + gradient * gradient * F(1 - BETA2)
    rate, root = F(RATE / (1 - BETA1**step)), F(1 / np.sqrt(1 - BETA2**step))
    weights = weights * F(1 - RATE * DECAY) - rate * mean / (np.sqrt(square) * root + F(EPSILON))
    states = [encode(mean, tables[0], True), encode(square, tables[1], False)]
    out += [weights, *(part.astype(F) for state in states for part in state)]

pathlib.Path(__file__).with_name("eight_bit.bin").write_bytes(np.concatenate(out).astype("<f4").tobytes())
