#!/usr/bin/env python3
"""Tokens per CPU-second of random windows of a numpy memmap, on one thread. usage: peers.py [STEPS] [SEQ_LEN] [BATCH] FILE.npy...

The files are what `malmoi shards export RUN FOLDER --to olmo` wrote: raw tokens. A window is read as nanoGPT
reads it: inputs and targets as int64, the second shifted by one. Positions and borders of documents, which
malmoi's batches have, are not computed. With --evict the files named leave the page cache, and nothing else
is done.
"""

import json
import os
import sys
import time

import numpy as np


def evict(files):
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def main():
    arguments = sys.argv[1:]
    if arguments[0] == "--evict":
        return evict(arguments[1:])
    width = {"2": np.uint16, "4": np.uint32}[os.environ.get("TOKEN_BYTES", "4")]
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    files = [argument for argument in arguments if not argument.isdigit()]
    steps, length, batch = (numbers + [500, 2048, 16][len(numbers) :])[:3]
    start = time.perf_counter()
    arrays = [np.memmap(file, dtype=width, mode="r") for file in files]
    windows = [(array, at) for array in arrays for at in range(0, len(array) - length - 1, length)]
    order = np.random.default_rng(1)
    ready = time.perf_counter() - start
    total = 0
    for name in ("first", "second"):
        start, wall = time.process_time(), time.perf_counter()
        for _ in range(steps):
            chosen = [windows[at] for at in order.integers(0, len(windows), batch)]
            inputs = np.stack([array[at : at + length].astype(np.int64) for array, at in chosen])
            targets = np.stack([array[at + 1 : at + 1 + length].astype(np.int64) for array, at in chosen])
            total += int(inputs[0, 0]) + int(targets.sum())
        rate, wall = (steps * batch * length / spent for spent in (time.process_time() - start, time.perf_counter() - wall))
        print(json.dumps({"loader": "numpy memmap", "pass": name, "tokens-per-cpu-second": round(rate), "tokens-per-second": round(wall), "ready-ms": round(ready * 1e3, 1)}))


main()
